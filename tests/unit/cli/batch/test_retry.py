"""Running a BatchJob again, and stopping one."""

from typing import Any

import pytest

from pierhead.cli.batch.retry import (
    came_of,
    copy_of,
    free_name,
    refuse_unfinished,
    refuse_what_cannot,
    told_again,
)
from pierhead.cli.batch.stop import is_stopped
from pierhead.cli.failures import CommandError


def batch_job(*conditions: str, succeeded: int = 0, **spec: Any) -> dict[str, Any]:
    told = [{"type": kind, "status": "True"} for kind in conditions]
    return {
        "metadata": {
            "name": "j",
            "namespace": "n",
            "generation": 2,
            "labels": {"app": "x"},
            "ownerReferences": [{"kind": "EventTrigger"}],
        },
        "spec": {"queue": "q", "completions": 5, **spec},
        "status": {"size": 5, "succeeded": succeeded, "conditions": told, "observedGeneration": 2},
    }


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (batch_job(), "has not ended"),
        (batch_job(suspend=True), "set spec.suspend to false"),
        (batch_job("Failed", managedBy="example.com/other"), "managed by example.com/other"),
        (batch_job("Complete", succeeded=5), "nothing has failed; --again"),
        (batch_job("Complete", succeeded=3), "nothing has failed; --again"),
    ],
)
def test_what_need_not_run_again_says_what_helps(obj: dict[str, Any], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        refuse_what_cannot(obj)


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (batch_job("Failed"), ""),
        (batch_job("Failed", succeeded=3), "also the 3 that had succeeded; without --again only the other 2"),
        (batch_job("Complete", succeeded=5), "all 5 indexes run again, also the 5 that had succeeded"),
    ],
)
def test_what_had_succeeded_and_runs_again_is_told(obj: dict[str, Any], expected: str) -> None:
    refuse_unfinished(obj)
    told = told_again(obj)
    assert expected in told
    assert bool(told) == bool(expected)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, "was asked to retry"),
        ({"request": "before"}, "was asked to retry"),
        ({"request": "now", "count": 1}, "runs 4 indexes again, as round 2"),
    ],
)
def test_what_came_of_a_request(answer: dict[str, Any] | None, expected: str) -> None:
    obj = batch_job()
    obj["status"] |= {"round": 2, "retry": answer}
    assert came_of(obj, "now", 4) == expected
    obj["status"]["retry"] = {"request": "now", "refused": "it works"}
    with pytest.raises(CommandError, match="does not retry: it works"):
        came_of(obj, "now", 4)


def test_the_copy_has_the_spec_and_nothing_of_the_maker() -> None:
    made = copy_of(batch_job("Failed", suspend=True, parallelism=2), "again")
    assert made["metadata"] == {"name": "again", "namespace": "n"}
    assert made["spec"] == {"queue": "q", "completions": 5, "parallelism": 2}
    assert "status" not in made


def test_a_new_name_is_free_and_not_too_long() -> None:
    assert free_name("j", {"j"}) == "j-retry-1"
    assert free_name("j", {"j", "j-retry-1"}) == "j-retry-2"
    assert len(free_name("j" * 253, set())) == 253


@pytest.mark.parametrize(
    ("reason", "states", "seen", "expected"),
    [
        ("Suspended", ["Terminated"], 2, True),
        ("Suspended", [], 2, True),
        ("Suspended", ["Submitted"], 2, False),
        ("Suspended", [], 1, False),
        ("Suspending", [], 2, False),
        ("Running", [], 2, False),
    ],
)
def test_stopped_is_what_has_nothing_in_batch(
    reason: str, states: list[str], seen: int, expected: bool
) -> None:
    obj = batch_job()
    obj["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": reason}]
    obj["status"]["shards"] = [{"state": state} for state in states]
    obj["status"]["observedGeneration"] = seen
    assert is_stopped(obj) == expected
    assert is_stopped(batch_job("Failed"))
