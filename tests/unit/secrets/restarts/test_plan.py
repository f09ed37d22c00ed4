"""Which restarts are open, when each may be carried out, and when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pierhead.kube.health_facts import Health, HealthStatus
from pierhead.secrets.model.restart import Workload
from pierhead.secrets.model.status import RestartStatus
from pierhead.secrets.restarts.plan import (
    Surroundings,
    answered,
    judged,
    obstacle,
    renewed,
    seconds_left,
    window_of,
)
from support.secret_specs import SINCE, entry, restart_of, spec_of, status_of

NOW = datetime(2026, 11, 23, 11, tzinfo=UTC)
A = Workload(kind="Deployment", name="a")
LATER = "2026-11-23T11:00:00Z"
FREE = Surroundings(
    seconds_left=0.0,
    others_unknown=False,
    failed_before="",
    failed_itself="",
    under_way=0,
    most_under_way=None,
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, restart_of("a", since=LATER)),
        (restart_of("a", message="waits"), restart_of("a")),
        (restart_of("a", "RollingOut"), restart_of("a", since=LATER)),
        (restart_of("a", "Failed", generation=1), restart_of("a", since=LATER, despite_failure=True)),
        (restart_of("a", despite_failure=True), restart_of("a", despite_failure=True)),
        (restart_of("a", kind="CronJob"), restart_of("a", since=LATER)),
    ],
    ids=["first", "waits", "rolls-out", "failed", "wanted-despite-failure", "another-kind"],
)
def test_a_change_opens_one_restart_from_the_first_change_that_is_open(
    before: RestartStatus | None, after: RestartStatus
) -> None:
    assert renewed([before] if before else None, [A], now=NOW) == [after]


def test_what_has_no_name_is_to_be_found_and_what_was_found_is_restarted_again() -> None:
    found = [restart_of("a", kind="CronJob"), restart_of("gone"), restart_of("*", kind="Workloads")]

    assert renewed(found, [A, Workload(kind="CronJob", match_labels={"a": "b"})], now=NOW) == [
        restart_of("a", since=LATER),
        restart_of("*", kind="Workloads"),
        restart_of("a", kind="CronJob"),
    ]
    assert renewed(found, [A], now=NOW) == [restart_of("a", since=LATER)]
    assert renewed(found, [], now=NOW) is None


@pytest.mark.parametrize(
    ("restart", "generation", "asked", "after"),
    [
        (restart_of("a", "Failed", generation=1), 1, False, restart_of("a", "Failed", generation=1)),
        (restart_of("a", "Failed", generation=1), 2, False, None),
        (restart_of("a", "Failed", generation=1), 1, True, None),
        (restart_of("a"), 2, False, restart_of("a")),
        (restart_of("a"), 1, True, restart_of("a", despite_failure=True)),
        (restart_of("a", "RollingOut"), 2, True, restart_of("a", "RollingOut")),
        (restart_of("other"), 1, False, None),
        (restart_of("found", kind="CronJob"), 1, False, restart_of("found", kind="CronJob")),
    ],
)
def test_a_failure_is_answered_by_the_spec_or_by_the_annotation(
    restart: RestartStatus, generation: int, asked: bool, after: RestartStatus | None
) -> None:
    lines: list[dict[str, Any]] = [
        {"kind": "Deployment", "name": "a"},
        {"kind": "CronJob", "matchLabels": {"a": "b"}},
    ]
    stored = status_of().model_copy(update={"restarts": [restart]})
    spec = spec_of(data=[entry("A")], restart=lines)

    assert answered(stored, spec, generation=generation, asked=asked).restarts == ([after] if after else None)


def test_what_is_named_no_more_is_not_restarted() -> None:
    stored = status_of().model_copy(update={"restarts": [restart_of("a")]})

    assert answered(stored, spec_of(data=[entry("A")]), generation=1, asked=False).restarts is None


@pytest.mark.parametrize(
    ("policy", "window"), [(None, 5.0), ({}, 5.0), ({"window": "1m"}, 60.0), ({"window": "0s"}, 0.0)]
)
def test_the_window_is_the_objects_own_or_the_operators(policy: dict[str, str] | None, window: float) -> None:
    assert window_of(spec_of(data=[entry("A")], restartPolicy=policy), 5.0) == window


@pytest.mark.parametrize(("passed", "left"), [(0, 60), (20, 40), (60, 0), (3600, 0), (-3600, 60)])
def test_a_window_ends_whatever_becomes_of_the_clock(passed: int, left: float) -> None:
    now = datetime.fromisoformat(SINCE) + timedelta(seconds=passed)

    assert seconds_left(restart_of("a"), 60.0, now) == left


@pytest.mark.parametrize(
    ("around", "despite", "why"),
    [
        (FREE, None, ""),
        (replace(FREE, seconds_left=1.0), True, "waits for further changes"),
        (replace(FREE, others_unknown=True), True, "waits until the other SyncedSecrets"),
        (replace(FREE, failed_before="Deployment b failed"), True, "waits because Deployment b failed"),
        (replace(FREE, failed_itself="it failed"), None, "waits because it failed"),
        (replace(FREE, failed_itself="it failed"), True, ""),
        (replace(FREE, under_way=1, most_under_way=1), True, "waits for a rollout before it"),
        (replace(FREE, under_way=1, most_under_way=2), None, ""),
    ],
)
def test_a_restart_waits_for(around: Surroundings, despite: bool | None, why: str) -> None:
    found = obstacle(restart_of("a", despite_failure=despite), around)

    assert found.startswith(why)
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    ("status", "stuck", "phase"),
    [
        (HealthStatus.CURRENT, "", None),
        (HealthStatus.NOT_FOUND, "", None),
        (HealthStatus.TERMINATING, "", None),
        (HealthStatus.IN_PROGRESS, "", "RollingOut"),
        (HealthStatus.UNKNOWN, "", "RollingOut"),
        (HealthStatus.FAILED, "", "Failed"),
        (HealthStatus.IN_PROGRESS, "it crashes", "Failed"),
        (HealthStatus.CURRENT, "it crashed", None),
    ],
)
def test_a_rollout_is_over_goes_on_or_has_failed(status: HealthStatus, stuck: str, phase: str | None) -> None:
    found = judged(restart_of("a", "RollingOut"), Health(status, "m" * 500), stuck=stuck, generation=3)

    assert (found.phase if found else None) == phase
    if phase == "Failed" and found is not None:
        assert found.generation == 3
        assert found.message == (stuck or f"{'m' * 159}…")
