"""The examples do what they say, as local processes on the Batch stand-in."""

import io
from pathlib import Path

import boto3
import pytest
import yaml
from PIL import Image

from pierhead.kube.resources import BATCH_JOBS
from support.batch_lab import REGION, Lab

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def pictures(lab: Lab):
    """A bucket with five pictures, the fourth of which is none yet."""
    s3 = boto3.client("s3", region_name=REGION)
    bucket = f"{lab.namespace}-pictures"
    s3.create_bucket(Bucket=bucket)
    for number in range(5):
        content = io.BytesIO()
        Image.new("RGB", (640, 400), (number * 50, 90, 160)).save(content, "PNG")
        body = content.getvalue() if number != 3 else b"not a picture"
        s3.put_object(Bucket=bucket, Key=f"incoming/picture {number}.png", Body=body)
    lab.batch.configure(execution="process")
    return s3, bucket


async def test_thumbnails_are_made_of_every_picture_and_failures_of_one_picture_only_run_again(
    lab: Lab, pictures
):
    s3, bucket = pictures
    lab.operator()
    program = EXAMPLES / "thumbnails" / "thumbnail.py"
    env = {"SOURCE": f"s3://{bucket}/incoming", "EDGE": "64"}
    name = await lab.job(
        completions=5,
        outputUri=f"s3://{bucket}/thumbnails",
        template={
            "container": {
                "image": "example.com/thumbnail:1",
                "command": ["python", str(program)],
                "env": [{"name": name, "value": value} for name, value in env.items()],
            }
        },
    )
    obj = await lab.has(name, "Failed", within=60)
    assert obj["status"]["completedIndexes"] == "0-2,4"
    (failure,) = obj["status"]["failures"]
    assert (failure["index"], failure["exitCode"]) == (3, 3)
    found = s3.list_objects_v2(Bucket=bucket, Prefix="thumbnails/")["Contents"]
    assert [entry["Key"] for entry in found] == [
        f"thumbnails/picture {number}.png.jpg" for number in (0, 1, 2, 4)
    ]
    content = s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read()
    assert Image.open(io.BytesIO(content)).size == (64, 40)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/batchjob.yaml")), ids=lambda path: path.parent.name)
async def test_manifests_are_accepted(lab: Lab, path):
    for obj in yaml.safe_load_all(path.read_text()):
        obj["metadata"]["namespace"] = lab.namespace
        await lab.kube.apply(BATCH_JOBS, obj, dry_run=True)


async def test_the_shell_example_finds_its_frame(lab: Lab):
    lab.batch.configure(execution="process")
    lab.operator()
    manifest = yaml.safe_load((EXAMPLES / "batch" / "batchjob.yaml").read_text())
    container = manifest["spec"]["template"]["container"]
    script = (
        container["command"][-1]
        + '\ntest "$INDEX" -ne 2 -o "${PIERHEAD_INDEX_MAP:-}$PIERHEAD_INDEX_OFFSET" != 0'
    )
    container["command"] = ["sh", "-ec", script]
    name = await lab.job(
        completions=4, backoffLimitPerIndex=1, outputUri="s3://b/o", template={"container": container}
    )
    # Frame 2 fails in the first round, whose offset is 0, and succeeds alone in the second.
    obj = await lab.has(name, "Complete", within=60)
    assert obj["status"]["round"] == 1
