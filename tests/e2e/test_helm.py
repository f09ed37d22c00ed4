"""Helm sees what pierhead released."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from pierhead.kube.resources import APP_RELEASES
from pierhead_sandbox.demo.observed import Observed, is_true
from pierhead_sandbox.demo.shop import ACCOUNT, text_of
from pierhead_sandbox.demo.world import run_helm
from pierhead_sandbox.sandbox import Sandbox
from support.shops import SlimShop, StartOperator

pytestmark = pytest.mark.xdist_group("e2e")


def kustomize_only(namespace: str, greeting: str) -> dict[str, Any]:
    """An AppRelease of an overlay alone."""
    kustomization = {
        "resources": ["base.yaml"],
        "namePrefix": "plain-",
        "patches": [
            {
                "target": {"kind": "ConfigMap"},
                "patch": json.dumps([{"op": "replace", "path": "/data/greeting", "value": greeting}]),
            }
        ],
    }
    base = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"}, "data": {"greeting": "?"}}
    files = {"kustomization.yaml": json.dumps(kustomization), "base.yaml": json.dumps(base)}
    return {
        "apiVersion": "pierhead.dev/v1alpha1",
        "kind": "AppRelease",
        "metadata": {"name": "page", "namespace": namespace},
        "spec": {
            "source": {"inline": {"files": files}},
            "kustomize": {"path": "."},
            "serviceAccountName": ACCOUNT,
        },
    }


async def test_helm_lists_every_release_with_its_history(
    cluster: Sandbox,
    observed: Observed,
    source: str,
    start_operator: StartOperator,
    make_shop: Callable[[], SlimShop],
) -> None:
    start_operator(leader_election=False)
    shop = make_shop()
    both, plain = shop.app_release(source), kustomize_only(shop.namespace, "hello")

    def deployed() -> bool:
        found = [observed.find(APP_RELEASES, name, shop.namespace) for name in ("shop", "page")]
        return all(is_true(one, "Ready") for one in found)

    for objects in ([*shop.tenant(), both, plain], [kustomize_only(shop.namespace, "good day")]):
        await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=text_of(objects))
        await observed.until(deployed, seconds=60, what="both Ready")

    listed = json.loads(run_helm(cluster, "list", "--all-namespaces", "--output", "json"))
    ours = {entry["name"]: entry for entry in listed if entry["namespace"] == shop.namespace}
    assert {name: (entry["revision"], entry["status"]) for name, entry in ours.items()} == {
        "shop": ("1", "deployed"),
        "page": ("2", "deployed"),
    }
    assert ours["shop"]["chart"] == "shop-1.0.0"
    history = json.loads(run_helm(cluster, "history", "page", "-n", shop.namespace, "--output", "json"))
    assert [(entry["revision"], entry["status"]) for entry in history] == [(1, "superseded"), (2, "deployed")]
    assert "good day" in run_helm(cluster, "get", "manifest", "page", "-n", shop.namespace)
    values = run_helm(cluster, "get", "values", "shop", "-n", shop.namespace, "--output", "json")
    assert json.loads(values) == {"greeting": "Welcome aboard"}
