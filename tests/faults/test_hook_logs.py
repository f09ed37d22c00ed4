"""What a failed hook's Pods said; the proxy answers for the kubelet, for the sandbox's Pods say nothing."""

import json

from pierhead.kube.resources import PODS, SECRETS
from support.app_crashes import SECONDS, World
from support.app_sources import chart_files
from support.releases import because, condition

HOOK = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "migrate",
        "annotations": {"helm.sh/hook": "pre-install", "helm.sh/hook-output-log-policy": "hook-failed"},
    },
    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "registry.example.com/c:1"}]},
}


async def test_the_last_lines_are_told_without_what_is_secret(world: World) -> None:
    releases = await world.tenant()
    values = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "values", "namespace": releases.namespace},
        "stringData": {"values.yaml": "password: hunter22"},
    }
    await releases.kube.create(SECRETS, values)
    said = world.proxy.fail(path="/pods/migrate/log", status=200, body={"refused": "hunter22"}, times=None)
    running = await world.controller(releases, "only").start()
    try:
        await releases.apply(
            {
                "source": {"inline": {"files": chart_files(hook=json.dumps(HOOK))}},
                "helm": {"valuesFrom": [{"secret": {"name": "values"}}]},
            }
        )
        await releases.object(PODS, "migrate", lambda pod: pod.get("status", {}).get("phase") == "Running")
        broken = {"status": {"phase": "Failed", "message": "the database refused hunter22"}}
        await releases.kube.merge_patch(PODS, "migrate", releases.namespace, broken, subresource="status")
        failed = await releases.until(because("ReleaseFailed"), seconds=SECONDS)
        message = condition(failed)["message"]
        assert "pre-install hook Pod migrate failed: the database refused ***" in message
        assert "the last log lines of Pod migrate: " in message
        assert "hunter22" not in json.dumps(failed["status"])
        assert said.hits == 1
    finally:
        await running.stop()
        world.proxy.take_back(said)
