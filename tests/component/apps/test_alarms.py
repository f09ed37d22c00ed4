"""Alarms of CloudWatch as a sign of health: before, while and after a release becomes healthy."""

import asyncio

import pytest

from pierhead.aws.alarms import Alarm, AlarmNotFound, AlarmReader
from pierhead.aws.errors import AccessDenied
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.session import AwsSessions
from pierhead.kube.resources import CONFIG_MAPS
from pierhead_sandbox.aws.faults import Fault
from support.releases import because, condition, config_map, inline


@pytest.fixture
def settings(settings, aws_client, monkeypatch):
    monkeypatch.setattr("pierhead.apps.health.alarms.Alarms.__init__.__kwdefaults__", {"poll_seconds": 0.5})
    return settings


@pytest.fixture
def cloudwatch(aws_client):
    return aws_client("cloudwatch")


def put(cloudwatch, name: str, state: str = "OK") -> str:
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        MetricName="errors",
        Namespace="shop",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Statistic="Sum",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"{name} says {state}")
    return name


async def test_an_alarm_that_is_raised_on_trial_rolls_back(controller, releases, tenant, cloudwatch, aws):
    await releases.apply({"source": inline(config_map(a="old"))})
    await releases.until()
    errors, latency = put(cloudwatch, f"{tenant}-errors"), put(cloudwatch, f"{tenant}-latency", "ALARM")
    health = {"alarms": [errors, latency], "bake": "10m"}
    await releases.apply({"source": inline(config_map(a="new")), "health": health})
    # The alarm that was raised before says nothing of this revision.
    await releases.until(because("Baking"))
    put(cloudwatch, errors, "ALARM")
    rolled_back = await releases.until(because("RolledBack"))
    assert f"alarm {errors} is raised: {errors} says ALARM" in condition(rolled_back)["message"]
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "old"}
    asked = aws.count("monitoring", "DescribeAlarms")
    assert asked > 0
    await asyncio.sleep(2)
    assert aws.count("monitoring", "DescribeAlarms") == asked


async def test_what_an_alarm_failed_is_well_when_the_alarm_is_over(controller, releases, tenant, cloudwatch):
    errors = put(cloudwatch, f"{tenant}-errors")
    await releases.apply({"source": inline(config_map()), "health": {"alarms": [errors], "bake": "10m"}})
    await releases.until(because("Baking"))
    put(cloudwatch, errors, "ALARM")
    await releases.until(because("ReleaseFailed"))
    put(cloudwatch, errors, "OK")
    await releases.until()
    assert await releases.statuses() == ["deployed"]


async def test_an_alarm_that_is_not_there_is_told_before_anything_is_written(controller, releases, tenant):
    await releases.apply({"source": inline(config_map()), "health": {"alarms": [f"{tenant}-none"]}})
    refused = await releases.until(because("AlarmNotFound"))
    assert condition(refused)["message"].startswith("spec.health.alarms[0]: ")
    assert await releases.history() == []


async def test_another_namespaces_alarm_is_refused_without_a_call(controller, releases, aws):
    await releases.apply({"source": inline(config_map()), "health": {"alarms": ["payments-errors"]}})
    refused = await releases.until(because("PolicyDenied"))
    assert "spec.health.alarms[0]" in condition(refused)["message"]
    assert aws.calls() == {}


async def test_alarms_are_read_together_and_one_that_may_not_be_read_costs_no_other(
    settings, aws, cloudwatch
):
    names = [put(cloudwatch, f"shop-{number}") for number in range(150)]
    sessions = AwsSessions(settings)
    reader, operator = AlarmReader(sessions), AwsIdentity()
    before = aws.count("monitoring", "DescribeAlarms")
    found = await asyncio.gather(*(reader.read(operator, "us-east-1", name) for name in names))
    assert {alarm.state for alarm in found} == {"OK"}
    assert aws.count("monitoring", "DescribeAlarms") - before == 2
    with pytest.raises(AlarmNotFound, match="no alarm nothing in us-east-1"):
        await reader.read(operator, "us-east-1", "nothing")
    aws.add_fault(Fault.deny("monitoring", times=1))
    both = (reader.read(operator, "us-east-1", name) for name in names[:2])
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert all(isinstance(answer, Alarm | AccessDenied) for answer in answers)
    assert any(isinstance(answer, Alarm) for answer in answers)
    await reader.close()
    await sessions.close()
