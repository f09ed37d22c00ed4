"""The hook that is waited for: known by the mark of its run alone."""

from typing import Any

from pierhead.apps.hooks.progress import Phase
from pierhead.apps.hooks.watch import HOOK_RUN, LiveHooks
from pierhead.engine.resource import ObjectKey
from pierhead.kube.inventory import Entry

KEY = ObjectKey("team", "shop")


def job(version: int, run: str = "1", **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "migrate",
            "namespace": "team",
            "resourceVersion": str(version),
            "annotations": {HOOK_RUN: run},
        },
        "status": status,
    }


COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}


def watching() -> tuple[LiveHooks, list[ObjectKey]]:
    live, woken = LiveHooks(), []
    live.start(woken.append)
    live.expect(KEY, Entry.of(job(1)), "1")
    return live, woken


def test_the_end_of_a_hook_wakes_its_release():
    live, woken = watching()
    assert live.seen(KEY, "1") is None
    live.observe(KEY, job(5, active=1))
    live.handle("MODIFIED", job(6, active=1))
    assert woken == []
    live.handle("MODIFIED", job(7, **COMPLETE))
    assert woken == [KEY]
    seen = live.seen(KEY, "1")
    assert seen is not None
    assert seen.phase is Phase.SUCCEEDED


def test_an_older_sight_says_nothing():
    live, woken = watching()
    live.observe(KEY, job(7, **COMPLETE))
    live.handle("MODIFIED", job(6, active=1))
    assert live.seen(KEY, "1").phase is Phase.SUCCEEDED
    assert woken == []


def test_what_an_earlier_run_left_says_nothing_until_it_is_gone():
    live, woken = watching()
    live.handle("MODIFIED", job(5, run="0", **COMPLETE))
    assert live.seen(KEY, "1") is None
    assert woken == []
    live.handle("DELETED", job(6, run="0", **COMPLETE))
    assert woken == [KEY]


def test_a_hook_that_somebody_deletes_has_to_be_looked_at():
    live, woken = watching()
    live.observe(KEY, job(5, active=1))
    live.handle("DELETED", job(6, run="0"))
    assert woken == []
    live.handle("DELETED", job(7, active=1))
    assert live.seen(KEY, "1") is None
    assert woken == [KEY]


def test_a_hook_that_ended_and_went_has_ended():
    live, woken = watching()
    live.observe(KEY, job(5, active=1))
    live.handle("DELETED", job(6, **COMPLETE))
    assert live.seen(KEY, "1").phase is Phase.SUCCEEDED
    assert woken == [KEY]


def test_nothing_is_kept_of_what_is_not_waited_for():
    live, woken = watching()
    live.expect(KEY, Entry.of(job(1)), "2")
    assert live.seen(KEY, "1") is None
    live.forget(KEY)
    live.forget(KEY)
    live.handle("MODIFIED", job(7, run="2", **COMPLETE))
    assert live.seen(KEY, "2") is None
    assert live.observe(KEY, job(7, run="2")) is None
    assert woken == []
