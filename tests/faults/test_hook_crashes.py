"""An operator that dies while hooks run: none runs twice, none is left out, none is deleted twice."""

import json
from typing import Any

import pytest

from pierhead.kube.resources import CONFIG_MAPS, JOBS
from support.app_crashes import Scenario, World, all_crashes
from support.app_sources import chart_files
from support.hooks import config_hook, hook_job
from support.releases import because

DELETED = {"helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded"}
DELETED_AFTER_FAILURE = {"helm.sh/hook-delete-policy": "before-hook-creation,hook-failed"}


def chart(*hooks: dict[str, Any], greeting: str = "hello") -> dict[str, Any]:
    templates = {f"hook{index}": json.dumps(hook) for index, hook in enumerate(hooks)}
    files = chart_files(**templates)
    return {"source": {"inline": {"files": files}}, "helm": {"values": {"greeting": greeting}}}


INSTALL = chart(
    hook_job("brief", "pre-install", spec={"ttlSecondsAfterFinished": 3600}, **DELETED),
    config_hook("both", "pre-install,post-install", weight=1),
    hook_job("after", "post-install"),
    hook_job("check", "test", **DELETED),
    config_hook("probe", "test", weight=1),
)
INSTALL["helm"]["test"] = {"enabled": True}
BEFORE = chart(config_hook("back", "pre-rollback"))
BROKEN = chart(
    config_hook("first", "pre-upgrade", **DELETED),
    hook_job(
        "broken",
        "pre-upgrade",
        weight=1,
        stuck=True,
        spec={"activeDeadlineSeconds": 1},
        **DELETED_AFTER_FAILURE,
    ),
    greeting="bad",
)
AROUND = chart(
    hook_job("backup", "pre-delete", **DELETED),
    config_hook("farewell", "post-delete"),
    hook_job("sweep", "post-delete", weight=1),
)
RESOURCES = (CONFIG_MAPS, JOBS)
SCENARIOS = {
    "install with tests": Scenario(INSTALL, resources=RESOURCES),
    "hook failure": Scenario(BROKEN, before=BEFORE, done=because("RolledBack"), resources=RESOURCES),
    "deletion": Scenario(None, before=AROUND, resources=RESOURCES),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_whichever_write_was_the_last_hooks_end_the_same(world: World, name: str) -> None:
    # Dead after a write is dead before the next one: of both sides one is enough here.
    different = await all_crashes(world, SCENARIOS[name], sides=("after",))
    assert different == {}, json.dumps(different, indent=1, default=str)
