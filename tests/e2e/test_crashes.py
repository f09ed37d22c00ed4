"""The operator killed at random moments of its objects' life."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import pytest

from pierhead.kube.resources import SECRETS
from pierhead_sandbox.demo.observed import Late, Observed
from pierhead_sandbox.demo.shop import PICTURES
from pierhead_sandbox.operator_process import OperatorProcess
from pierhead_sandbox.sandbox import Sandbox
from support.shops import QUICK, SlimShop, StartOperator, differences, helm_statuses

pytestmark = pytest.mark.xdist_group("e2e")

LIVES = 10
KILLS_IN_EACH = 2
SEED = 20261123
SECONDS = 60


async def live(cluster: Sandbox, observed: Observed, shop: SlimShop, source: str) -> float:
    """A life of the demo's objects: applied, Ready, a rotation, Ready again. How long it took."""
    began = time.monotonic()
    await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=shop.manifest(source))
    await observed.until(lambda: shop.all_ready(observed), seconds=SECONDS, what=f"{shop.namespace} Ready")
    before = shop.rollouts(observed)
    await asyncio.to_thread(shop.rotate)
    await observed.until(
        lambda: shop.follows(observed) and shop.rollouts(observed) > before and shop.all_ready(observed),
        seconds=SECONDS,
        what=f"{shop.namespace} restarted with the new password",
    )
    return time.monotonic() - began


async def kill_and_restart(operator: OperatorProcess, moments: Sequence[float]) -> None:
    began = time.monotonic()
    for moment in moments:
        await asyncio.sleep(began + moment - time.monotonic())
        await asyncio.to_thread(operator.kill)
        await asyncio.to_thread(operator.start)


@pytest.mark.timeout(600)
async def test_it_ends_the_same_whenever_the_operator_is_killed(
    cluster: Sandbox,
    observed: Observed,
    source: str,
    start_operator: StartOperator,
    make_shop: Callable[[], SlimShop],
) -> None:
    # Without a Lease: the next operator would have to wait until the dead one's ends, which is tested apart.
    operator = start_operator(leader_election=False, **QUICK)
    undisturbed = make_shop()
    undisturbed.furnish()
    span = await live(cluster, observed, undisturbed, source)
    chance = random.Random(SEED)
    lives: dict[str, SlimShop] = {}
    for _ in range(LIVES):
        moments, shop = sorted(chance.uniform(0, span) for _ in range(KILLS_IN_EACH)), make_shop()
        told = f"killed after {' and '.join(f'{moment:.2f}' for moment in moments)} of {span:.2f} s"
        lives[told] = shop
        shop.furnish()
        try:
            await asyncio.gather(live(cluster, observed, shop, source), kill_and_restart(operator, moments))
        except Late as error:
            log = operator.log.read_text()[-4000:]
            pytest.fail(f"{told}: {error}\n{shop.told()}{log}")
    # What was left half done, or is done twice, shows when every secret was read once more.
    await asyncio.sleep(2)

    wanted = undisturbed.end_state()
    for told, shop in lives.items():
        assert shop.submissions() == [PICTURES], told
        assert helm_statuses(observed.every(SECRETS), shop.namespace) == {
            "sh.helm.release.v1.shop.v1": "deployed"
        }, told
        assert shop.rollouts(observed) == (2, 2), told
        different = differences(wanted, shop.end_state())
        assert not different, "\n".join([told, *different])
