"""The rules of health, with the real controllers as their judges."""

import asyncio

import pytest

from pierhead.kube.health import HealthStatus, health_of
from pierhead.kube.resources import (
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    STATEFUL_SETS,
)
from pierhead.kube.watch import Watch
from support.objects import config_map

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
SELECTOR = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
ONCE = {"template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@pytest.mark.parametrize(
    ("resource", "spec", "end"),
    [
        (DEPLOYMENTS, SELECTOR | {"replicas": 2}, HealthStatus.CURRENT),
        (DEPLOYMENTS, SELECTOR | {"replicas": 0}, HealthStatus.CURRENT),
        (STATEFUL_SETS, SELECTOR | {"replicas": 2, "serviceName": "x"}, HealthStatus.CURRENT),
        (DAEMON_SETS, SELECTOR, HealthStatus.CURRENT),
        (REPLICA_SETS, SELECTOR | {"replicas": 1}, HealthStatus.CURRENT),
        (JOBS, ONCE, HealthStatus.CURRENT),
        (PODS, TEMPLATE["spec"], HealthStatus.CURRENT),
        (SERVICES, {"ports": [{"port": 80}]}, HealthStatus.CURRENT),
        (SERVICES, {"ports": [{"port": 80}], "type": "LoadBalancer"}, HealthStatus.IN_PROGRESS),
        (PERSISTENT_VOLUME_CLAIMS, CLAIM, HealthStatus.IN_PROGRESS),
    ],
)
async def test_it_ends_where_the_controllers_say(kube, namespace, resource, spec, end):
    seen, ended = [], asyncio.Event()

    def look(_event_type, obj):
        seen.append(health_of(obj).status)
        if seen[-1] is end:
            ended.set()

    watch = Watch(kube, resource, look, namespace=namespace, field_selector="metadata.name=x")
    task = asyncio.create_task(watch.run())
    await watch.ready()
    obj = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": "x", "namespace": namespace},
        "spec": spec,
    }
    await kube.apply(resource, obj)
    await asyncio.wait_for(ended.wait(), 40)
    assert HealthStatus.FAILED not in seen
    if resource is not SERVICES:
        assert seen[0] is HealthStatus.IN_PROGRESS
    task.cancel()


async def test_a_namespace_is_current_and_then_terminating(kube, namespace):
    assert health_of(await kube.get(NAMESPACES, namespace)).status is HealthStatus.CURRENT
    held = config_map("held", namespace)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await kube.create(CONFIG_MAPS, held)
    await kube.delete(NAMESPACES, namespace)
    assert health_of(await kube.get(NAMESPACES, namespace)).status is HealthStatus.TERMINATING
    await kube.merge_patch(CONFIG_MAPS, "held", namespace, {"metadata": {"finalizers": None}})
