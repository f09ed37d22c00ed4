"""Once everything is as it should be, nothing is done."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from math import ceil

import pytest

from pierhead_sandbox.demo.observed import Observed
from pierhead_sandbox.operator_process import USER_AGENT
from pierhead_sandbox.request_counts import RequestKind
from pierhead_sandbox.sandbox import Sandbox
from support.shops import SlimShop, StartOperator

pytestmark = pytest.mark.xdist_group("e2e")

SECONDS = 60
INTERVAL = 5
# A refresh comes up to a tenth early, so that many objects do not come together.
EARLIEST = INTERVAL * 0.9


def writes(requests: Counter[RequestKind]) -> list[str]:
    """What was written, but for the Lease, which is renewed as long as the operator lives."""
    return [
        f"{count} {kind.verb} {kind.resource} {kind.subresource}"
        for kind, count in requests.items()
        if kind.writes and kind.resource != "leases"
    ]


@pytest.mark.timeout(240)
async def test_a_minute_of_idling_writes_nothing_and_reads_what_is_due(
    cluster: Sandbox,
    observed: Observed,
    source: str,
    start_operator: StartOperator,
    make_shop: Callable[[], SlimShop],
) -> None:
    start_operator()
    shop = make_shop()
    shop.furnish(interval=f"{INTERVAL}s")
    await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=shop.manifest(source))
    await observed.until(lambda: shop.all_ready(observed), seconds=60, what="Ready")
    # The minute begins when the last status was written, not when the last object was seen.
    await asyncio.sleep(INTERVAL)

    began, before = time.time(), cluster.request_counts(USER_AGENT)
    await asyncio.sleep(SECONDS)
    requests = cluster.request_counts(USER_AGENT) - before
    calls = [call for call in cluster.aws.call_log(since=began) if call.access_key == "pierhead-sandbox"]

    assert writes(requests) == []
    assert {(call.service, call.operation) for call in calls} == {("secretsmanager", "GetSecretValue")}
    assert SECONDS // INTERVAL - 1 <= len(calls) <= ceil(SECONDS / EARLIEST)
    reads = sum(count for kind, count in requests.items() if kind.verb in {"get", "list"})
    leases = sum(count for kind, count in requests.items() if kind.resource == "leases")
    assert reads - leases <= len(calls)


@pytest.mark.timeout(180)
async def test_a_restart_of_the_operator_writes_nothing(
    cluster: Sandbox,
    observed: Observed,
    source: str,
    start_operator: StartOperator,
    make_shop: Callable[[], SlimShop],
) -> None:
    operator = start_operator(leader_election=False)
    shop = make_shop()
    shop.furnish()
    await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=shop.manifest(source))
    await observed.until(lambda: shop.all_ready(observed), seconds=60, what="Ready")
    # Whatever follows the last status is done when the secret is read twice more.
    await asyncio.sleep(2)
    assert await asyncio.to_thread(operator.terminate)

    before = cluster.request_counts(USER_AGENT)
    await asyncio.to_thread(operator.start)
    await asyncio.sleep(3)

    assert writes(cluster.request_counts(USER_AGENT) - before) == []
    assert shop.all_ready(observed)
    assert shop.submissions() == [12]
