"""Two operators: one works, the other waits for it to die."""

import asyncio
import re
import time
from collections.abc import Callable

import pytest

from pierhead.kube.resources import SECRETS
from pierhead_sandbox.demo.observed import Observed
from pierhead_sandbox.demo.shop import PICTURES, SECRET, text_of
from pierhead_sandbox.operator_process import OperatorProcess
from pierhead_sandbox.sandbox import Sandbox
from support.shops import QUICK, SlimShop, StartOperator

pytestmark = pytest.mark.xdist_group("e2e")

TAKEOVER_SECONDS = 20
_REQUEST = re.compile(
    r'^rest_client_requests_total\{code="(\d+)",host="[^"]*",method="(\w+)"\} (\S+)$', re.MULTILINE
)


def requests(operator: OperatorProcess) -> dict[str, float]:
    """How many requests it made, by method."""
    made: dict[str, float] = {}
    for _code, method, count in _REQUEST.findall(operator.metrics()):
        made[method] = made.get(method, 0) + float(count)
    return made


@pytest.mark.timeout(180)
async def test_the_second_does_nothing_until_the_first_dies_and_then_takes_over(
    cluster: Sandbox,
    observed: Observed,
    source: str,
    start_operator: StartOperator,
    make_shop: Callable[[], SlimShop],
) -> None:
    first = start_operator(name="first", **QUICK)
    second = start_operator(name="second", **QUICK)
    shop = make_shop()
    shop.furnish()
    await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=shop.manifest(source))
    await observed.until(lambda: shop.all_ready(observed), seconds=60, what="Ready")
    assert shop.submissions() == [PICTURES]
    assert requests(second).keys() == {"GET"}
    assert "pierhead_aws_requests_total{" not in second.metrics()

    later = make_shop()
    later.furnish()
    died = time.monotonic()
    await asyncio.to_thread(first.kill)
    objects = [*later.tenant(), *later.objects(source)]
    await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=text_of(objects))
    await observed.until(
        lambda: observed.find(SECRETS, SECRET, later.namespace) is not None, seconds=60, what="the takeover"
    )
    took = time.monotonic() - died
    await observed.until(lambda: later.all_ready(observed), seconds=60, what="Ready")

    assert took < TAKEOVER_SECONDS
    assert (shop.submissions(), later.submissions()) == ([PICTURES], [PICTURES])
    assert shop.rollouts(observed) == (1, 1)
