"""Job definitions that nobody uses any more go, and nothing else does."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pierhead.aws.access import Access
from pierhead.aws.identity import OPERATOR
from pierhead.batch.submitting.collection import Collector
from support.batch_lab import REGION, Lab, Operator
from support.waiting import eventually

ACCESS = Access(OPERATOR, REGION)


def collector_of(operator: Operator) -> Collector:
    return operator.reconciler._collector


async def unused(collector: Collector) -> None:
    """Returns once no BatchJob is known to use any."""
    await eventually(lambda: not collector._used)


async def swept(collector: Collector, *, days: float) -> list[str]:
    """What goes so many days from now."""
    collector._now = lambda: datetime.now(UTC) + timedelta(days=days)
    return await collector.sweep(ACCESS)


def active(lab: Lab) -> set[str]:
    answer: dict[str, Any] = lab.boto.describe_job_definitions(status="ACTIVE")
    return {entry["jobDefinitionArn"] for entry in answer["jobDefinitions"]}


async def test_what_is_unused_for_long_goes_and_comes_again(lab: Lab):
    operator = lab.operator(cluster_name="ours")
    collector = collector_of(operator)
    theirs = lab.boto.register_job_definition(
        jobDefinitionName="pierhead-other-1",
        type="container",
        containerProperties={
            "image": "a",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}],
        },
        tags={"pierhead.dev/managed-by": "pierhead", "pierhead.dev/cluster": "another"},
    )["jobDefinitionArn"]
    name = await lab.job()
    obj = await lab.has(name, "Complete")
    ours = obj["status"]["jobDefinition"]
    await unused(collector)
    assert await swept(collector, days=0) == []
    assert await swept(collector, days=0.9) == []
    assert await swept(collector, days=1.1) == [ours]
    assert ours not in active(lab)
    assert theirs in active(lab)


async def test_what_is_used_stays(lab: Lab):
    lab.batch.script(stays="RUNNING")
    operator = lab.operator(cluster_name="ours")
    name = await lab.job()
    obj = await lab.until(name, lambda obj: obj.get("status", {}).get("active") == 1)
    ours, collector = obj["status"]["jobDefinition"], collector_of(operator)
    assert await swept(collector, days=0) == []
    assert await swept(collector, days=9) == []
    assert ours in active(lab)


async def test_one_that_went_is_registered_again(lab: Lab):
    operator = lab.operator(cluster_name="ours")
    collector = collector_of(operator)
    first = (await lab.has(await lab.job(), "Complete"))["status"]["jobDefinition"]
    await unused(collector)
    await swept(collector, days=0)
    assert await swept(collector, days=2) == [first]
    second = (await lab.has(await lab.job(), "Complete"))["status"]["jobDefinition"]
    assert second != first
    assert active(lab) >= {second}


async def test_without_the_clusters_name_nothing_is_collected(lab: Lab):
    operator = lab.operator()
    await lab.has(await lab.job(), "Complete")
    collector = collector_of(operator)
    assert collector._task is None
    await swept(collector, days=0)
    assert await swept(collector, days=9) == []
