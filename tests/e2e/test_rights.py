"""The operator has its chart's rights and no others, and they are enough."""

import asyncio
import re
from collections.abc import Callable

import pytest

from pierhead_sandbox.demo.observed import Observed
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.operator_process import USER, USER_AGENT, install
from pierhead_sandbox.sandbox import Sandbox
from support.shops import QUICK, SlimShop, StartOperator
from support.waiting import eventually

pytestmark = pytest.mark.xdist_group("e2e")

FORBIDDEN = 403


async def test_the_charts_rights_are_enough_for_the_whole_life_of_every_kind(
    cluster: Sandbox,
    observed: Observed,
    source: str,
    start_operator: StartOperator,
    make_shop: Callable[[], SlimShop],
) -> None:
    start_operator(**QUICK)
    shop = make_shop()
    shop.furnish()
    await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=shop.manifest(source))
    await observed.until(lambda: shop.all_ready(observed), seconds=60, what="Ready")
    kinds = "appreleases,syncedsecrets,batchjobs"
    await asyncio.to_thread(cluster.kubectl, "delete", kinds, "--all", "-n", shop.namespace, "--timeout=60s")

    events = list(cluster.audit_events(USER_AGENT))
    assert {event["user"]["username"] for event in events} == {USER}
    assert {
        event["impersonatedUser"]["username"]
        for event in events
        if event["objectRef"].get("namespace") == shop.namespace and "impersonatedUser" in event
    } == {f"system:serviceaccount:{shop.namespace}:deployer"}
    # Of every test so far: the same sandbox, and the same rights.
    refused = [event["requestURI"] for event in events if event["responseStatus"]["code"] == FORBIDDEN]
    assert refused == []


async def test_a_right_that_is_missing_is_noticed(cluster: Sandbox, start_operator: StartOperator) -> None:
    install(cluster, values={"settings": {"kinds": ["SyncedSecret"]}})
    try:
        operator = start_operator(name="poor", wait=False, leader_election=False)
        await eventually(lambda: re.search("batchjobs.*orbidden", operator.log.read_text()) is not None)
        assert operator.running
        with pytest.raises(SandboxError, match="not ready"):
            await asyncio.to_thread(operator.wait_ready, 1)
    finally:
        install(cluster)
