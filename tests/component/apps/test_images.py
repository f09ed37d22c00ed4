"""Images that follow their ECR repositories: chosen, pinned, held, and told."""

import json
import uuid

import pytest

from pierhead.kube.resources import SECRETS, ResourceType
from pierhead.settings import Settings
from pierhead_sandbox.aws.protocol import Fault
from support.oci_registry import OCIRegistry
from support.releases import because, condition, deployment, inline, settled

DEPLOYMENTS = ResourceType("apps", "v1", "deployments", "Deployment", namespaced=True)
IMAGE = "registry.example.com/web"
REGION = "us-east-1"


class Registry:
    """The repository `{namespace}/web`, and who pushes to it."""

    def __init__(self, control, client, name):
        self._control = control
        self._client = client
        self.name = name
        client.create_repository(repositoryName=name)

    def push(self, *tags, **counts) -> str:
        """A new image with these tags; its digest. With `counts` it is scanned, with these findings."""
        manifest = json.dumps(
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "id": uuid.uuid4().hex}
        )
        for tag in tags:
            answer = self._client.put_image(repositoryName=self.name, imageManifest=manifest, imageTag=tag)
        digest = answer["image"]["imageId"]["imageDigest"]
        if counts:
            self.scan(digest, **counts)
        return digest

    def scan(self, digest, **counts) -> None:
        self._control.scan_image(self.name, digest, region=REGION, **counts)

    def delete(self, tag) -> None:
        self._client.batch_delete_image(repositoryName=self.name, imageIds=[{"imageTag": tag}])


@pytest.fixture
def queue(aws_client):
    """A queue that EventBridge puts ECR's events into."""
    sqs, events = aws_client("sqs"), aws_client("events")
    url = sqs.create_queue(QueueName="ecr-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="ecr", EventPattern=json.dumps({"source": ["aws.ecr"]}))
    events.put_targets(Rule="ecr", Targets=[{"Id": "queue", "Arn": arn}])
    return url


@pytest.fixture
def settings(tmp_path, queue):
    return Settings(
        artifact_directory=tmp_path / "artifacts",
        aws_region=REGION,
        source_poll_seconds=3600,
        ecr_events_queue_url=queue,
        refused_source_networks=("169.254.0.0/16",),
    )


@pytest.fixture
def registry(aws, aws_client, tenant):
    return Registry(aws, aws_client("ecr"), f"{tenant}/web")


def spec(registry, *, image=f"{IMAGE}:1", **policy):
    web = deployment(replicas=0)
    web["spec"]["template"]["spec"]["containers"][0]["image"] = image
    given = {"semver": "1.x", **policy}
    return {"source": inline(web), "images": [{"name": IMAGE, "repository": registry.name, **given}]}


def runs(tag, digest):
    """A Deployment whose container has this image."""

    def check(obj):
        return obj["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}:{tag}@{digest}"

    return check


def chose(tag):
    return lambda obj: settled(obj) and obj["status"]["images"][0]["tag"] == tag


async def test_a_push_is_released_within_the_event(controller, releases, registry, aws, requests):
    first = registry.push("1.0.0", "latest")
    registry.push("2.0.0")
    await releases.apply(spec(registry))
    told = (await releases.until(chose("1.0.0")))["status"]["images"]
    await releases.object(DEPLOYMENTS, "web", runs("1.0.0", first))

    assert told[0]["digest"] == first
    assert told[0]["reason"] == "highest version in 1.x"
    assert f"{IMAGE}:1.0.0@{first}" in (await releases.history())[-1].manifest
    assert await requests() == []

    second = registry.push("1.1.0")
    await releases.until(chose("1.1.0"))
    await releases.object(DEPLOYMENTS, "web", runs("1.1.0", second))

    assert await releases.statuses() == ["superseded", "deployed"]

    # A restart and an outage change nothing.
    await controller.stop()
    aws.add_fault(Fault(service="ecr", effect="error", status=500, code="ServerException"))
    await controller.start()
    stale = await releases.until(because("AwsUnavailable", "SourceReady"))

    assert condition(stale)["status"] == "True"
    assert stale["status"]["images"][0]["tag"] == "1.1.0"
    assert await releases.statuses() == ["superseded", "deployed"]


async def test_a_tag_with_findings_is_held_until_its_scan_is_better(controller, releases, registry):
    good = registry.push("1.0.0", LOW=3)
    await releases.apply(spec(registry, maxSeverity="MEDIUM"))
    await releases.until(chose("1.0.0"))

    bad = registry.push("1.1.0", HIGH=1)
    held = await releases.until(lambda obj: settled(obj) and obj["status"]["images"][0].get("held"))

    assert held["status"]["images"][0]["digest"] == good
    assert held["status"]["images"][0]["held"] == [{"tag": "1.1.0", "reason": "findings: 1 HIGH"}]

    registry.scan(bad, LOW=1)
    await releases.until(chose("1.1.0"))
    await releases.object(DEPLOYMENTS, "web", runs("1.1.0", bad))

    # Findings in what is deployed do not take it back; its end does.
    registry.scan(bad, CRITICAL=1)
    registry.delete("1.1.0")
    await releases.until(chose("1.0.0"))
    await releases.object(DEPLOYMENTS, "web", runs("1.0.0", good))


async def test_a_repository_is_looked_at_once_for_all_who_follow_it(controller, releases, registry, aws):
    registry.push("1.0.0")
    for number in range(5):
        web = spec(registry)
        files = web["source"]["inline"]["files"]
        files["0.json"] = files["0.json"].replace('"web"', f'"web-{number}"')
        await releases.apply(web, name=f"shop-{number}")
    for number in range(5):
        await releases.until(chose("1.0.0"), name=f"shop-{number}")

    # The event of the push may come after the first look.
    assert aws.count("ecr", "DescribeImages") <= 2
    assert aws.count("ecr", "DescribeImageScanFindings") == 0


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"repository": "elsewhere/web"}, "PolicyDenied", "spec.images[0].repository"),
        ({"semver": "7.x"}, "NoMatchingTag", "spec.images[0]"),
        ({"maxSeverity": "LOW"}, "ImageHeld", "spec.images[0].maxSeverity"),
        ({"image": "registry.example.com/other:1"}, "ImageNotRendered", "spec.images[0].name"),
    ],
)
async def test_what_keeps_an_image_from_being_chosen(controller, releases, registry, change, reason, field):
    registry.push("1.0.0")
    await releases.apply(spec(registry, **change))
    refused = await releases.until(because(reason))

    assert condition(refused)["message"].startswith(f"{field}: ")
    assert await releases.history() == []


async def test_a_repository_that_is_missing_is_named(controller, releases, registry):
    registry.name += "-missing"
    await releases.apply(spec(registry))
    refused = await releases.until(because("RepositoryNotFound"))

    assert condition(refused)["message"].startswith("spec.images[0].repository: ")


async def test_a_registry_that_is_not_ecrs_is_followed_too(controller, releases):
    registry = OCIRegistry(login=("robot", "hunter2"))
    with registry.server.running():
        first = registry.manifest({"number": 1}, "1.0.0")
        registry.manifest({"number": 2}, "2.0.0")
        metadata = {"name": "login", "namespace": releases.namespace}
        login = {"username": "robot", "password": "hunter2"}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": login}
        await releases.kube.apply(SECRETS, secret, field_manager="test")
        source = {
            "url": f"oci://{registry.server.host}/shop/web",
            "insecure": True,
            "secret": {"name": "login"},
        }
        web = deployment(replicas=0)
        web["spec"]["template"]["spec"]["containers"][0]["image"] = f"{IMAGE}:1"
        image = {"name": IMAGE, "oci": source, "semver": "1.x", "interval": "1s"}
        await releases.apply({"source": inline(web), "images": [image]})
        await releases.until(chose("1.0.0"))
        await releases.object(DEPLOYMENTS, "web", runs("1.0.0", first))

        # The tag is moved: what it stands for is followed.
        moved = registry.manifest({"number": 3}, "1.0.0")
        await releases.object(DEPLOYMENTS, "web", runs("1.0.0", moved))

    assert "hunter2" not in str(await releases.get())
