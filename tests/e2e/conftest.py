"""The operator as a process on a real control plane, with the rights that its chart gives it.

One sandbox serves all of these tests, because starting operators is what they spend their time on; each
has a team's namespace of its own, and all of them run in one worker.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pierhead_sandbox.demo.observed import Observed
from pierhead_sandbox.demo.shop import make_repository
from pierhead_sandbox.operator_process import OperatorProcess, install
from pierhead_sandbox.sandbox import Sandbox
from support.shops import WATCHED, SlimShop, StartOperator


@pytest.fixture(scope="session")
def cluster() -> Iterator[Sandbox]:
    """A sandbox with an audit log and pierhead's CRDs and rights, but no operator."""
    with Sandbox.start(audit=True) as sandbox:
        install(sandbox)
        yield sandbox


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a Git repository with the shop's chart and overlays."""
    folder: Path = tmp_path_factory.mktemp("git")
    return make_repository(folder)


@pytest.fixture
def operators() -> Iterator[list[OperatorProcess]]:
    """Those that the test started; ended after it, in order, so that no Lease is left held."""
    started: list[OperatorProcess] = []
    yield started
    for operator in started:
        if operator.running:
            operator.terminate()
        operator.kill()


@pytest.fixture
def start_operator(cluster: Sandbox, operators: list[OperatorProcess]) -> StartOperator:
    """Starts an operator with these settings."""

    def start(*, name: str = "operator", wait: bool = True, **settings: Any) -> OperatorProcess:
        operator = OperatorProcess(cluster, name=name, settings={"log_level": "DEBUG", **settings})
        operators.append(operator)
        return operator.start(wait=wait)

    return start


@pytest.fixture
async def observed(cluster: Sandbox) -> AsyncIterator[Observed]:
    """Watches of all namespaces."""
    async with Observed(cluster, WATCHED) as watches:
        yield watches


@pytest.fixture
def make_shop(
    cluster: Sandbox, operators: list[OperatorProcess], start_operator: StartOperator
) -> Iterator[Callable[[], SlimShop]]:
    """Makes teams with an example's objects to apply; what is left of them is deleted after the test.

    By an operator, because the objects have its finalizer: the next test is to find nothing to do.
    """
    made: list[SlimShop] = []

    def make() -> SlimShop:
        shop = SlimShop(cluster, f"shop-{secrets.token_hex(3)}")
        made.append(shop)
        return shop

    yield make
    if not any(operator.running for operator in operators):
        start_operator(name="cleaner", leader_election=False)
    kinds = "appreleases,syncedsecrets,batchjobs"
    cluster.kubectl("delete", kinds, "--all", "--all-namespaces", "--timeout=100s")
    namespaces = [shop.namespace for shop in made]
    cluster.kubectl("delete", "namespace", *namespaces, "--ignore-not-found", "--wait=false")
