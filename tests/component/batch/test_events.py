"""With Batch's events the end of a job is noticed at once; they decide nothing."""

import asyncio
import json
from typing import Any

import boto3

from support.batch_lab import REGION, Lab
from support.waiting import eventually


def events_into(lab: Lab) -> str:
    """The URL of a queue that gets all events of Batch."""
    sqs, bus = boto3.client("sqs", region_name=REGION), boto3.client("events", region_name=REGION)
    url = str(sqs.create_queue(QueueName=f"{lab.namespace}-events")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus.put_rule(Name=lab.namespace, EventPattern=json.dumps({"source": ["aws.batch"]}))
    bus.put_targets(Rule=lab.namespace, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def running(job: dict[str, Any]) -> bool:
    """Whether all of a job runs."""
    array = job.get("arrayProperties")
    return array["statusSummary"].get("RUNNING") == array["size"] if array else job["status"] == "RUNNING"


async def test_an_end_is_noticed_long_before_the_next_poll(lab: Lab):
    url = events_into(lab)
    lab.batch.script(stays="RUNNING")
    lab.operator(batch_poll_seconds=3600, batch_events_queue_url=url)
    array, single = await lab.job(completions=20), await lab.job()
    for name, size in ((array, 20), (single, 1)):
        await lab.until(name, lambda obj, size=size: obj.get("status", {}).get("active") == size)
    # No poll tells the operator, and only what runs is released.
    jobs = [entry.job_id for entry in lab.submissions()]
    await eventually(lambda: [running(job) for job in lab.described(*jobs)] == [True, True])
    lab.batch.clear_scripts()
    lab.batch.release()
    assert (await lab.has(array, "Complete"))["status"]["completedIndexes"] == "0-19"
    await lab.has(single, "Complete")


async def test_forged_events_end_nothing(lab: Lab):
    url = events_into(lab)
    sqs = boto3.client("sqs", region_name=REGION)
    lab.batch.script(stays="RUNNING")
    lab.operator(batch_poll_seconds=3600, batch_events_queue_url=url)
    name = await lab.job(completions=2)
    await lab.until(name, lambda obj: obj.get("status", {}).get("active") == 2)
    (submission,) = lab.submissions()
    before = lab.aws.count("batch", "DescribeJobs")
    for job_id in (submission.job_id, "nobody-knows"):
        forged = {"jobId": job_id, "jobName": "x", "status": "SUCCEEDED"}
        body = {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": forged}
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    sqs.send_message(QueueUrl=url, MessageBody="{no json")
    obj = await lab.until(name, lambda obj: lab.aws.count("batch", "DescribeJobs") > before and obj)
    assert obj["status"]["succeeded"] == 0


async def test_an_end_is_told_before_submissions_that_wait_for_their_turn(lab: Lab):
    url = events_into(lab)
    lab.batch.script(stays="RUNNING")
    operator = lab.operator(batch_poll_seconds=3600, batch_events_queue_url=url)
    first = await lab.job()
    await lab.until(first, lambda obj: obj.get("status", {}).get("active") == 1)
    jobs = [entry.job_id for entry in lab.submissions()]
    await eventually(lambda: running(lab.described(*jobs)[0]))
    # So many calls are waiting that no submission follows for a minute.
    bucket = operator.reconciler._shared.clients.get(REGION)._bucket
    calls = asyncio.create_task(bucket.take(1220))
    for _ in range(8):
        await lab.job()
    lab.batch.clear_scripts()
    lab.batch.release()
    await lab.has(first, "Complete")
    assert len(lab.submissions()) == 1
    calls.cancel()
