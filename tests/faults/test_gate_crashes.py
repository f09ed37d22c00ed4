"""An operator that dies while a revision waits for somebody: for approval, another object, or an image."""

import asyncio
import json
from typing import Any

import boto3
import pytest

from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.app_crashes import Scenario, World, all_crashes
from support.releases import (
    Releases,
    at_revision,
    because,
    condition,
    config_map,
    deployment,
    inline,
    settled,
)

REGION = "us-east-1"
IMAGE = "registry.example.com/web"
FLAG = {"apiVersion": "v1", "kind": "ConfigMap", "name": "flag", "ready": "object.data.ready == 'yes'"}
GOOD = {"source": inline(config_map(a="good"), config_map("old"), deployment())}
BETTER = {"source": inline(config_map(a="better"), config_map("new"), deployment(replicas=2))}


@pytest.fixture(autouse=True)
def _aws(sandbox: Sandbox, aws: AwsControl, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)


async def approve(releases: Releases, spec: dict[str, Any]) -> None:
    """Approves each plan once, as a person does who is told of it."""
    approved: set[str] = set()

    def new(obj: dict[str, Any]) -> bool:
        return because("AwaitingApproval")(obj) and obj["status"]["plan"]["digest"] not in approved

    while True:
        digest = (await releases.until(new, seconds=600))["status"]["plan"]["digest"]
        approved.add(digest)
        await releases.apply(spec, **{"pierhead.dev/approve": digest})


async def provide(releases: Releases, _spec: dict[str, Any]) -> None:
    """Makes what is waited for."""
    await releases.until(lambda obj: condition(obj).get("reason") == "DependencyNotReady", seconds=600)
    flag = config_map("flag", ready="yes")
    flag["metadata"]["namespace"] = releases.namespace
    await releases.kube.apply(CONFIG_MAPS, flag, field_manager="somebody")


def push(releases: Releases, *tags: str) -> None:
    manifest = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "id": f"{releases.namespace}{tags}",
    }
    for tag in tags:
        boto3.client("ecr", region_name=REGION).put_image(
            repositoryName=f"{releases.namespace}/web", imageManifest=json.dumps(manifest), imageTag=tag
        )


def repository(releases: Releases) -> None:
    boto3.client("ecr", region_name=REGION).create_repository(repositoryName=f"{releases.namespace}/web")
    push(releases, "1.0.0")


async def release_an_image(releases: Releases, _spec: dict[str, Any]) -> None:
    await asyncio.to_thread(push, releases, "1.1.0")


def follows() -> dict[str, Any]:
    web = deployment()
    web["spec"]["template"]["spec"]["containers"][0]["image"] = f"{IMAGE}:1"
    policy = {"name": IMAGE, "repository": "NAMESPACE/web", "semver": "1.x", "interval": "1s"}
    return {"source": inline(web, config_map()), "images": [policy]}


def has_it(obj: dict[str, Any]) -> bool:
    return settled(obj) and obj["status"]["images"][0]["tag"] == "1.1.0"


SCENARIOS = {
    "install that is approved": Scenario({**GOOD, "approval": "Manual"}, person=approve),
    "upgrade that is approved": Scenario(
        {**BETTER, "approval": "Manual"}, before=GOOD, person=approve, done=at_revision(2)
    ),
    "upgrade after a dependency": Scenario(
        {**BETTER, "dependsOn": [FLAG]}, before=GOOD, person=provide, done=at_revision(2)
    ),
    "image that is new": Scenario(
        follows(),
        before=follows(),
        there=repository,
        person=release_an_image,
        done=has_it,
        resources=(DEPLOYMENTS, CONFIG_MAPS),
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_whichever_write_was_the_last_what_waited_ends_the_same(world: World, name: str) -> None:
    # Dead after a write is dead before the next one: of both sides one is enough here.
    different = await all_crashes(world, SCENARIOS[name], sides=("after",))
    assert different == {}, json.dumps(different, indent=1, default=str)
