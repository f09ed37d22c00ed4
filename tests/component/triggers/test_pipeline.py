"""The image pipeline of the examples, as local processes: five hundred pictures, some of them broken."""

import io
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import boto3
import pytest
import yaml
from PIL import Image

from pierhead.kube.resources import EVENT_TRIGGERS
from support.batch_lab import Lab as BatchLab
from support.trigger_lab import REGION, TriggerLab

EXAMPLE = Path(__file__).parents[3] / "examples" / "pipeline"
PICTURES = 500
RUN = "holiday-2026"
TROUBLES = {
    7: ("corrupt", lambda content: content[: len(content) // 2]),
    8: ("wrong type: PNG in a .jpg", lambda content: content),
    9: ("wrong type: .txt", lambda _content: b"a note"),
    10: ("too large", lambda content: content + bytes(200_000)),
    11: ("corrupt", lambda _content: b""),
}


@pytest.fixture
async def batch(lab: TriggerLab) -> AsyncIterator[BatchLab]:
    async with BatchLab(lab.sandbox, lab.kube, lab.namespace, lab.aws).open() as opened:
        opened.batch.configure(execution="process")
        opened.operator()
        yield opened


def surroundings(lab: TriggerLab) -> str:
    """The table, the bus with its queue, and the topic; the URL of the queue that hears of the topic."""
    lab.buckets_notify()
    key = [{"AttributeName": "run", "KeyType": "HASH"}, {"AttributeName": "picture", "KeyType": "RANGE"}]
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName=lab.bucket,
        KeySchema=key,
        AttributeDefinitions=[{"AttributeName": one["AttributeName"], "AttributeType": "S"} for one in key],
        BillingMode="PAY_PER_REQUEST",
    )
    events = lab.arn_of(lab.sqs.create_queue(QueueName=f"{lab.namespace}-events")["QueueUrl"])
    bus = f"{lab.namespace}-bus"
    lab.bus.create_event_bus(Name=bus)
    lab.bus.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["pierhead.dev"]}))
    lab.bus.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": events}])
    notified = str(lab.sqs.create_queue(QueueName=f"{lab.namespace}-notified")["QueueUrl"])
    topic = lab.sns.create_topic(Name=f"{lab.namespace}-notifications")["TopicArn"]
    lab.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=lab.arn_of(notified))
    return notified


def upload(lab: TriggerLab) -> dict[str, str]:
    """Uploads the pictures and then their list; what is wrong with which."""
    content = {}
    for kind in ("PNG", "JPEG"):
        made = io.BytesIO()
        Image.frombytes("RGB", (64, 40), Random(kind).randbytes(64 * 40 * 3)).save(made, kind)
        content[kind] = made.getvalue()
    keys, wrong, bodies = [], {}, []
    for number in range(PICTURES):
        kind, ending = ("JPEG", "jpg") if number % 2 else ("PNG", "png")
        trouble, spoil = TROUBLES.get(number % 50, ("", lambda content: content))
        if trouble.startswith("wrong type: PNG"):
            kind, ending = "PNG", "jpg"
        if trouble.endswith(".txt"):
            ending = "txt"
        key = f"incoming/{RUN}/Bild {number:03} ä.{ending}"
        keys.append(key)
        if trouble:
            wrong[key] = trouble
        bodies.append(spoil(content[kind]))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lab.upload, keys, bodies))
    missing = f"incoming/{RUN}/forgotten.png"
    lab.upload(f"incoming/{RUN}.manifest", "\n".join([*keys, missing]).encode())
    return {**wrong, missing: "missing"}


async def apply(lab: TriggerLab) -> None:
    """The example, in the test's namespace and with the program where this checkout has it."""
    text = (EXAMPLE / "eventtriggers.yaml").read_text().replace("media-", f"{lab.namespace}-")
    text = text.replace("namespace: media", f"namespace: {lab.namespace}")
    text = text.replace("/app/pipeline.py", str(EXAMPLE / "pipeline.py")).replace("python", sys.executable)
    for obj in yaml.safe_load_all(text):
        await lab.kube.apply(EVENT_TRIGGERS, obj, field_manager="person")


def items(lab: TriggerLab) -> list[dict[str, Any]]:
    table = boto3.client("dynamodb", region_name=REGION)
    pages = table.get_paginator("scan").paginate(TableName=lab.bucket)
    return [item for page in pages for item in page["Items"]]


@pytest.mark.timeout(400)
async def test_pictures_go_through_the_whole_pipeline(lab: TriggerLab, batch: BatchLab):
    notified = surroundings(lab)
    await apply(lab)
    lab.operator(grace_seconds=60)
    wrong = upload(lab)
    good = PICTURES + 1 - len(wrong)

    def told() -> bool:
        return any(
            "pierhead.dev/announced" in (job["metadata"].get("annotations") or {})
            for job in lab.jobs()
            if job["metadata"]["name"].startswith("publish-")
        )

    await lab.until(told, within=300)
    by_trigger = Counter(job["metadata"]["name"].rpartition("-")[0] for job in lab.jobs())
    assert by_trigger == {"validate": 1, "resize": 1, "publish": 1}
    (array,) = [job for job in lab.jobs() if job["metadata"]["name"].startswith("resize-")]
    assert array["spec"]["completions"] == -(-good // 50)

    manifest = json.loads(
        lab.s3.get_object(Bucket=lab.bucket, Key=f"finished/{RUN}/manifest.json")["Body"].read()
    )
    assert len(manifest["pictures"]) == good == len(items(lab))
    assert manifest["rejected"].keys() == wrong.keys()
    assert all(reason.startswith(wrong[key]) for key, reason in manifest["rejected"].items())
    sizes = manifest["pictures"][0]["sizes"]
    assert [(sizes[name]["width"], sizes[name]["height"]) for name in ("small", "large")] == [(64, 40)] * 2
    pages = lab.s3.get_paginator("list_objects_v2").paginate(Bucket=lab.bucket)
    keys = Counter(entry["Key"].split("/")[0] for page in pages for entry in page["Contents"])
    assert keys["finished"] == 3 * good + 1
    # Moved aside, with the report.
    assert keys["rejected"] == len(wrong) - 1 + 1
    moved = next(key for key, reason in wrong.items() if reason == "too large")
    head = lab.s3.head_object(Bucket=lab.bucket, Key=moved.replace("incoming/", "rejected/"))
    assert head["Metadata"]["rejected-because"].startswith("too large: ")

    (message,) = lab.sqs.receive_message(QueueUrl=notified)["Messages"]
    notice = json.loads(json.loads(message["Body"])["Message"])
    assert (notice["detail-type"], notice["detail"]["eventTrigger"]) == ("BatchJob Complete", "publish")
