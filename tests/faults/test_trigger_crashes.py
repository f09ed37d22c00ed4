"""An EventTrigger's operator that dies before or after any step leaves nothing that the next does not mend.

Each event and each time of a schedule starts one BatchJob, no end goes untold, and no message is gone before
what it asks for is there. How it dies is in `support.trigger_crashes`.
"""

import json

import pytest

from pierhead.kube.client import Client
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.trigger_crashes import SECONDS, Run, Scenario, World, all_crashes

EVENTS = {"eventPattern": {"source": ["team.app"]}}
UPLOAD = "an upload, the end of its job, and the telling of it"
HOURLY = {"schedule": "0 * * * *"}


@pytest.fixture
def world(
    sandbox: Sandbox,
    kube: Client,
    aws: AwsControl,
    app_releases_served: None,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    # What a dead operator held is shown again soon, and a live one's too.
    monkeypatch.setattr("pierhead.aws.queues.VISIBILITY_SECONDS", 3)
    monkeypatch.setattr("pierhead.aws.queues.WAIT_SECONDS", 1)
    return World(sandbox, kube, aws)


async def settled(run: Run, active: int, *, succeeded: bool = False) -> None:
    """Returns once the status tells of what runs, of a success, and of no trouble."""

    def holds() -> bool:
        status = run.lab.status()
        troubles = {entry["type"] for entry in status.get("conditions", ())} & {"ScheduleMissed", "Stalled"}
        told = status.get("activeCount"), "lastSuccessfulTime" in status
        return told == (active, succeeded) and not troubles

    await run.lab.until(holds, within=SECONDS)


async def upload_that_ends(run: Run) -> None:
    run.lab.upload("in/a.csv", b"one\ntwo")
    name = await run.job(0)
    await run.emptied()
    await settled(run, 1)
    await run.lab.end(name)
    await run.lab.until(
        lambda: "pierhead.dev/announced" in run.lab.jobs()[0]["metadata"]["annotations"], within=SECONDS
    )
    await settled(run, 0, succeeded=True)


async def two_events_one_after_the_other(run: Run) -> None:
    run.lab.send(run.lab.event(order=1))
    first = await run.job(0)
    run.lab.send(run.lab.event(order=2))
    await run.lab.end(first)
    await run.job(1)
    await run.emptied()
    await settled(run, 1, succeeded=True)


async def an_event_that_replaces(run: Run) -> None:
    run.lab.send(run.lab.event(order=1))
    await run.job(0)
    run.lab.send(run.lab.event(order=2))
    await run.job(1)
    await run.emptied()
    await run.lab.until(lambda: len(run.lab.jobs()) == 1, within=SECONDS)
    await settled(run, 1)


async def events_that_fit_nothing(run: Run) -> None:
    run.lab.send("{no json")
    run.lab.send(run.lab.event(order=1))
    run.lab.send(run.lab.event(count=2))
    await run.job(0)
    await run.emptied()
    await settled(run, 1)


async def two_times(run: Run) -> None:
    """The first ends and is history at once."""
    await run.lab.end(await run.job(0))
    await run.lab.until(lambda: not run.lab.jobs(), within=SECONDS)
    await settled(run, 0, succeeded=True)
    await run.an_hour_passes()
    await run.job(1)
    await settled(run, 1, succeeded=True)


async def a_time_that_waits(run: Run) -> None:
    name = await run.job(0)
    await settled(run, 1)
    await run.an_hour_passes()
    await run.lab.has("ScheduleMissed")
    await run.lab.end(name)
    await run.job(1)
    await settled(run, 1, succeeded=True)


async def a_time_that_replaces(run: Run) -> None:
    await run.job(0)
    await settled(run, 1)
    await run.an_hour_passes()
    await run.job(1)
    await run.lab.until(lambda: len(run.lab.jobs()) == 1, within=SECONDS)
    await settled(run, 1)


SCENARIOS = {
    UPLOAD: Scenario(
        {
            "s3": {"bucket": "NAMESPACE-pictures", "prefix": "in/"},
            "onCompletion": {"eventBus": "NAMESPACE-bus"},
        },
        upload_that_ends,
        queues=("told",),
    ),
    "events that wait for each other": Scenario(
        {**EVENTS, "concurrencyPolicy": "Forbid"}, two_events_one_after_the_other
    ),
    "an event that replaces another's job": Scenario(
        {**EVENTS, "concurrencyPolicy": "Replace"}, an_event_that_replaces
    ),
    "events that fit nothing": Scenario(
        {**EVENTS, "assign": [{"path": "/spec/completions", "expression": "event.detail.count"}]},
        events_that_fit_nothing,
        queues=("dead",),
    ),
    "times without history": Scenario({**HOURLY, "successfulJobsHistoryLimit": 0}, two_times),
    "a time that waits for the one before": Scenario(
        {**HOURLY, "concurrencyPolicy": "Forbid"}, a_time_that_waits
    ),
    "a time that replaces the one before": Scenario(
        {**HOURLY, "concurrencyPolicy": "Replace"}, a_time_that_replaces
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_wherever_it_dies_the_end_is_the_same(world: World, name: str) -> None:
    sides = ("before", "after") if name == UPLOAD else ("after",)
    different = await all_crashes(world, SCENARIOS[name], sides=sides)
    assert different == {}, json.dumps(different, indent=1, default=str)
