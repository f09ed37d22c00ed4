"""The image pipeline of the examples, as local processes: five hundred pictures, some of them broken."""

from collections import Counter
from collections.abc import AsyncIterator
from functools import cache

import boto3
import pytest

from pierhead.kube.resources import EVENT_TRIGGERS
from pierhead_sandbox.demo.pipeline import RUN, Pipeline
from support.batch_lab import Lab as BatchLab
from support.trigger_lab import REGION, TriggerLab

PICTURES = 500


@pytest.fixture
async def batch(lab: TriggerLab) -> AsyncIterator[BatchLab]:
    async with BatchLab(lab.sandbox, lab.kube, lab.namespace, lab.aws).open() as opened:
        opened.batch.configure(execution="process")
        opened.operator()
        yield opened


@pytest.fixture
def pipeline(lab: TriggerLab) -> Pipeline:
    made = Pipeline(
        lab.sandbox, lab.namespace, cache(lambda service: boto3.client(service, region_name=REGION))
    )
    made.furnish()
    return made


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("batch")
async def test_pictures_go_through_the_whole_pipeline(lab: TriggerLab, pipeline: Pipeline):
    for obj in pipeline.objects():
        await lab.kube.apply(EVENT_TRIGGERS, obj, field_manager="person")
    lab.operator(grace_seconds=60)
    wrong = pipeline.upload(PICTURES)
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

    manifest = pipeline.manifest()
    assert len(manifest["pictures"]) == good
    assert manifest["rejected"].keys() == wrong.keys()
    assert all(reason.startswith(wrong[key]) for key, reason in manifest["rejected"].items())
    sizes = manifest["pictures"][0]["sizes"]
    assert [(sizes[name]["width"], sizes[name]["height"]) for name in ("small", "large")] == [(64, 40)] * 2
    assert len(pipeline.keys(f"finished/{RUN}/")) == 3 * good + 1
    # All but the one that was never there.
    assert len(pipeline.keys(f"rejected/{RUN}/")) == len(wrong) - 1
    moved = next(key for key, reason in wrong.items() if reason == "too large")
    head = lab.s3.head_object(Bucket=pipeline.bucket, Key=moved.replace("incoming/", "rejected/"))
    assert head["Metadata"]["rejected-because"].startswith("too large: ")

    (notice,) = pipeline.notifications()
    assert (notice["detail-type"], notice["detail"]["eventTrigger"]) == ("BatchJob Complete", "publish")
