"""Events wake SyncedSecrets: at once, once, and never for more than a look."""

import asyncio
import time
import uuid
from collections.abc import Iterator

import boto3
import pytest

from pierhead.aws import queues
from pierhead.kube.resources import DEPLOYMENTS
from pierhead.secrets.events import listener
from pierhead_sandbox.aws.protocol import Fault
from support.secret_events import EventsInAws, event, events_in_aws
from support.secrets_lab import Lab, Operator


@pytest.fixture
def queue(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventsInAws]:
    # What a process that is gone received last is hidden for as long.
    monkeypatch.setattr(queues, "VISIBILITY_SECONDS", 4)
    monkeypatch.setattr(queues, "_KEEP_SECONDS", 1.0)
    monkeypatch.setattr(listener, "WARM_SECONDS", 5.0)
    with events_in_aws(lab.namespace, endpoint=lab.sandbox.environment["AWS_ENDPOINT_URL"]) as found:
        yield found


async def listening(lab: Lab, queue: EventsInAws, **settings) -> Operator:
    """An operator that hears events."""
    given = {"secret_events_queue_url": queue.url, "secret_poll_seconds": 86400, **settings}
    operator = await lab.operator(**given)
    await until(lambda: value(operator, "pierhead_secret_events_healthy") == 1)
    return operator


async def until(holds, within: float = 45) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not so within {within} s"
        await asyncio.sleep(0.05)


def value(operator: Operator, name: str, **labels: str) -> float:
    return operator.metrics.registry.get_sample_value(name, labels) or 0.0


def ended(operator: Operator, end: str) -> float:
    return value(operator, "pierhead_secret_events_total", end=end)


async def test_a_rotation_reaches_the_secret_without_a_poll_and_leaves_no_message(lab, queue):
    lab.secret("db", "old")
    await lab.synced_secret("one", data=lab.data(("PASSWORD", "db")))
    await lab.synced_secret("two", data=lab.data(("PASSWORD", "db")))
    operator = await listening(lab, queue)
    await lab.holds("one", PASSWORD="old")
    await lab.holds("two", PASSWORD="old")
    await queue.until_empty()
    before, refreshed = sum(lab.reads().values()), ended(operator, "refreshed")

    lab.secret("db", "new")
    await lab.holds("one", PASSWORD="new")
    await lab.holds("two", PASSWORD="new")
    await queue.until_empty()

    assert sum(lab.reads().values()) - before == 1
    assert ended(operator, "refreshed") - refreshed == 1
    assert value(operator, "pierhead_secret_events_age_seconds_count") >= 1


async def test_what_is_in_the_secret_already_costs_no_call_and_twins_are_known(lab, queue):
    version_id = lab.secret("db", "old")
    await lab.synced_secret("one", data=lab.data(("PASSWORD", "db")))
    operator = await listening(lab, queue)
    await lab.ready("one")
    await until(lambda: queue.count() == 0)
    before = lab.reads()

    told = event(lab.aws_name("db"), version_id)
    for twin in (told, told, {**told, "id": "other"}):
        queue.put(twin)
    await queue.until_empty()

    assert lab.reads() == before
    assert (ended(operator, "synced") >= 1, ended(operator, "duplicate")) == (True, 1)


async def test_what_is_foreign_or_of_no_interest_is_deleted_and_costs_no_call(lab, queue):
    lab.secret("db", "old")
    await lab.synced_secret("one", data=lab.data(("PASSWORD", "db")))
    await lab.synced_secret(
        "polled", data=lab.data(("PASSWORD", "polled")), refresh={"mode": "Poll", "interval": "1h"}
    )
    lab.secret("polled", "old")
    operator = await listening(lab, queue)
    await lab.ready("one")
    await lab.ready("polled")
    await queue.until_empty()
    before = lab.reads()
    ignored, name = ended(operator, "ignored"), lab.aws_name("db")

    queue.put(event(name, "1" * 32, account="999999999999", resources=[]))
    queue.put(event(name, "1" * 32, region="eu-west-1", resources=[]))
    queue.put(event(name, "1" * 32, source="aws.s3"))
    queue.put({"Type": "test"})
    await queue.until_empty()
    assert ended(operator, "ignored") - ignored == 4
    irrelevant = ended(operator, "irrelevant")
    queue.put({**event(name, "1" * 32), "detail": {"name": name, "labelUpdated": "AWSPENDING"}})
    await queue.until_empty()

    assert lab.reads() == before
    assert ended(operator, "irrelevant") - irrelevant == 1


async def test_what_is_no_json_is_left_for_the_dead_letter_queue_and_not_logged(lab, queue, capsys):
    lab.secret("db", "old")
    operator = await listening(lab, queue)
    queue.put("hunter2" + "x" * 256 * 1024)
    await until(lambda: ended(operator, "malformed") == 1)

    assert queue.count() >= 1
    await operator.stop()
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err


async def test_a_secret_that_is_created_is_found_and_a_parameter_that_changes_is_read(lab, queue):
    parameters = boto3.client("ssm", region_name="us-east-1")
    flags = f"/{lab.namespace}/flags"
    parameters.put_parameter(Name=flags, Value="old", Type="String")
    lab.secret("a", "1")
    prefix = lab.aws_name("")
    await lab.synced_secret(
        "found", dataFrom=[{"find": {"namePrefix": prefix}, "rewrite": [{"pattern": "^.*/", "replace": ""}]}]
    )
    await lab.synced_secret("flags", data=[{"key": "FLAGS", "from": {"parameter": flags}}])
    await listening(lab, queue)
    await lab.holds("found", a="1")
    await lab.holds("flags", FLAGS="old")
    await queue.until_empty()

    lab.secret("b", "2")
    await lab.holds("found", a="1", b="2")
    parameters.put_parameter(Name=flags, Value="new", Type="String", Overwrite=True)
    detail = {"name": flags, "type": "String", "operation": "Update"}
    queue.put(
        event("", "v", source="aws.ssm", resources=[], detail=detail)
        | {"detail-type": "Parameter Store Change"}
    )
    await lab.holds("flags", FLAGS="new")
    await queue.until_empty()


async def test_a_flood_of_forged_events_costs_a_few_reads(lab, queue):
    lab.secret("db", "old")
    await lab.synced_secret("one", data=lab.data(("PASSWORD", "db")))
    operator = await listening(lab, queue)
    await lab.ready("one")
    await queue.until_empty()
    before, began = sum(lab.reads().values()), time.monotonic()

    forged_ids = [uuid.uuid4().hex for _ in range(150)]
    queue.put_all([event(lab.aws_name("db"), one, id=one) for one in forged_ids])
    await until(lambda: value(operator, "pierhead_secret_events_received_total") >= 150)
    forged = sum(lab.reads().values()) - before

    # At once, and after 1, 2, 4, 8, 16 and then every 30 s: never more often than that.
    assert forged <= 6 + (time.monotonic() - began) / 30
    lab.secret("db", "new")
    await lab.holds("one", within=90, PASSWORD="new")


async def test_a_version_that_is_not_visible_yet_is_looked_for_until_it_is(lab, queue):
    lab.secret("db", "old")
    await lab.synced_secret("one", data=lab.data(("PASSWORD", "db")))
    await listening(lab, queue)
    await lab.holds("one", PASSWORD="old")
    await queue.until_empty()
    before = sum(lab.reads().values())

    lab.aws.add_fault(Fault(service="secretsmanager", operation="*GetSecretValue", effect="stale", times=2))
    lab.secret("db", "new")
    await lab.holds("one", PASSWORD="new")
    await queue.until_empty()

    assert sum(lab.reads().values()) - before == 3


async def test_a_message_stays_while_aws_is_away(lab, queue):
    lab.secret("db", "old")
    await lab.synced_secret("one", data=lab.data(("PASSWORD", "db")))
    await listening(lab, queue)
    await lab.holds("one", PASSWORD="old")
    await queue.until_empty()
    before = sum(lab.reads().values())

    fault = lab.aws.add_fault(Fault(service="secretsmanager", operation="*GetSecretValue"))
    lab.secret("db", "new")
    await until(lambda: sum(lab.reads().values()) > before)
    assert queue.count() == 1
    lab.aws.remove_fault(fault)

    await lab.holds("one", PASSWORD="new")
    await queue.until_empty()


@pytest.mark.parametrize("write", [2, 3], ids=["before the Secret", "before the status"])
async def test_a_message_stays_until_the_status_is_written(lab, queue, write):
    lab.secret("db", "old")
    await lab.synced_secret("one", data=lab.data(("PASSWORD", "db")))
    # The first two writes are those of the start.
    first = await listening(lab, queue, crash_at=(write, "before"))
    await lab.ready("one")
    await queue.until_empty()
    lab.secret("db", "new")
    async with asyncio.timeout(45):
        await first.crashed.wait()
    assert queue.count() == 1
    await first.stop()

    second = await listening(lab, queue)
    await lab.holds("one", PASSWORD="new")
    await queue.until_empty()
    assert lab.writes(second).count("PATCH secrets") <= 1


async def test_a_rotation_while_nobody_listens_gives_one_rollout_and_none_gives_none(lab, queue):
    lab.secret("db", "old")
    await lab.deployment("shop")
    await lab.synced_secret(
        "one", data=lab.data(("PASSWORD", "db")), restart=[{"kind": "Deployment", "name": "shop"}]
    )
    first = await listening(lab, queue)
    await lab.ready("one")
    await queue.until_empty()
    await first.stop()
    lab.secret("db", "new")
    assert queue.count() == 1

    second = await listening(lab, queue)
    await lab.holds("one", PASSWORD="new")
    restarted = await lab.until(DEPLOYMENTS, "shop", lambda obj: obj and obj["metadata"]["generation"] == 2)
    await queue.until_empty()
    await second.stop()

    third = await listening(lab, queue)
    await lab.ready("one")
    assert lab.now(DEPLOYMENTS, "shop")["metadata"]["generation"] == 2
    assert lab.writes(third) == []
    assert restarted


async def test_polls_are_rare_while_events_arrive_and_come_back_when_they_do_not(lab, queue):
    lab.secret("db", "old")
    operator = await listening(lab, queue, secret_events_probe_seconds=4)
    await lab.synced_secret("one", data=lab.data(("PASSWORD", "db")), refresh={"interval": "1s"})
    await lab.ready("one")

    # A machine that hangs may miss probes, and polls meanwhile.
    for _ in range(5):
        before = sum(lab.reads().values())
        await asyncio.sleep(3)
        if sum(lab.reads().values()) == before:
            break
    else:
        pytest.fail("polled as if no events arrived")

    queue.quiet()
    await until(lambda: value(operator, "pierhead_secret_events_healthy") == 0)
    await lab.polled(2)
