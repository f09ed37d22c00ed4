"""Batch events reach an SQS queue by way of EventBridge."""

import json
import time
from collections import Counter

import pytest


class Mailbox:
    def __init__(self, sqs, events, pattern):
        self.sqs, self.events = sqs, events
        self.url = sqs.create_queue(QueueName="events")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        events.put_rule(Name="batch", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="batch", Targets=[{"Id": "1", "Arn": attributes["Attributes"]["QueueArn"]}])

    def take(self, count, seconds=10):
        found, deadline = [], time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < deadline, [event["detail"]["status"] for event in found]
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        assert len(found) == count
        return found


@pytest.fixture
def mailbox(batch, client):
    return lambda **pattern: Mailbox(client("sqs"), client("events"), {"source": ["aws.batch"], **pattern})


def summary(event):
    detail = event["detail"]
    return detail["arrayProperties"].get("index") if "arrayProperties" in detail else None, detail["status"]


def test_parents_and_children_tell_every_state_but_the_first(batch, mailbox):
    box = mailbox(**{"detail-type": ["Batch Job State Change"]})
    job_id = batch.submit(2, tags={"owner": "x"})
    batch.advance(20)
    events = box.take(10)
    assert Counter(map(summary, events)) == Counter(
        [(None, "PENDING"), (None, "SUCCEEDED")]
        + [(index, status) for index in (0, 1) for status in ("RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")]
    )
    last = events[-1]
    assert last["resources"] == [f"arn:aws:batch:eu-west-1:123456789012:job/{job_id}"]
    assert last["account"] == "123456789012"
    assert last["detail"]["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 2
    assert last["detail"]["tags"] == {"owner": "x"}
    child = next(event for event in events if summary(event) == (1, "SUCCEEDED"))
    assert child["detail"]["container"]["exitCode"] == 0
    assert child["detail"]["attempts"][0]["container"]["logStreamName"]


def test_a_pattern_for_ended_parents_and_single_jobs_gets_just_these(batch, mailbox):
    box = mailbox(
        detail={"status": ["SUCCEEDED", "FAILED"], "arrayProperties": {"index": [{"exists": False}]}}
    )
    batch.control.script(job_name="bad", exit_code=1)
    batch.submit(3, jobName="array")
    batch.submit(jobName="bad")
    batch.advance(20)
    ended = {event["detail"]["jobName"]: event["detail"]["status"] for event in box.take(2)}
    assert ended == {"array": "SUCCEEDED", "bad": "FAILED"}


def test_a_stuck_job_blocks_its_queue_aloud(batch, mailbox):
    box = mailbox(**{"detail-type": ["Batch Job Queue Blocked"]})
    batch.control.script(stays="RUNNABLE", status_reason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
    job_id = batch.submit()
    batch.advance(5)
    (event,) = box.take(1)
    assert event["detail"]["statusReason"] == "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    assert [arn.rpartition("/")[2] for arn in event["resources"]] == [job_id, "q"]


def test_a_job_that_lost_its_host_blocks_no_queue(batch, mailbox):
    box = mailbox(**{"detail-type": ["Batch Job Queue Blocked"]})
    batch.control.script(
        job_name="lost", attempts="1", exit_code=None, status_reason="Host EC2 (instance i-0) terminated."
    )
    batch.submit(jobName="lost", retryStrategy={"attempts": 2})
    batch.advance(5)
    batch.control.script(
        job_name="stuck", stays="RUNNABLE", status_reason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    )
    batch.submit(jobName="stuck")
    batch.advance(5)
    (event,) = box.take(1)
    assert event["detail"]["jobName"] == "stuck"


def test_events_may_come_twice_out_of_order_and_not_at_all(batch, mailbox):
    box = mailbox()
    batch.control.configure(event_duplicates=1)
    batch.submit()
    batch.advance(20)
    ids = Counter(event["id"] for event in box.take(8))
    assert set(ids.values()) == {2}
    batch.control.configure(event_duplicates=0, event_disorder=16)
    batch.submit(4)
    batch.advance(20)
    statuses = [event["detail"]["status"] for event in box.take(18)]
    assert statuses[-1] != "SUCCEEDED" or statuses[0] != "PENDING"
    batch.control.configure(event_disorder=0, event_loss=1)
    batch.submit()
    batch.advance(20)
    batch.control.configure(event_loss=0)
    batch.submit(jobName="heard")
    batch.advance(20)
    assert {event["detail"]["jobName"] for event in box.take(4)} == {"heard"}


def test_a_disabled_rule_hears_nothing(batch, mailbox):
    box = mailbox()
    box.events.disable_rule(Name="batch")
    batch.submit(jobName="unheard")
    batch.advance(20)
    box.events.enable_rule(Name="batch")
    batch.submit(jobName="heard")
    batch.advance(20)
    assert {event["detail"]["jobName"] for event in box.take(4)} == {"heard"}


def test_a_target_that_is_gone_disturbs_nobody(batch, mailbox):
    box = mailbox()
    box.events.put_rule(Name="another", EventPattern=json.dumps({"source": ["aws.batch"]}))
    arn = "arn:aws:sqs:eu-west-1:123456789012:missing"
    box.events.put_targets(Rule="another", Targets=[{"Id": "1", "Arn": arn}])
    job_id = batch.submit()
    batch.advance(20)
    assert batch.status(job_id) == "SUCCEEDED"
    box.take(4)
