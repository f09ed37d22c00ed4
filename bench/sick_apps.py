"""`python -m bench.sick_apps -n 200`: N healthy AppReleases beside a hundred that never become healthy.

The limit is N healthy AppReleases before the sick ones are there, in the same run: a release that waits for
its health holds no worker, so both should take as long.
"""

import asyncio
import json
from typing import Any

from bench.applications import app_release, names, prepare
from bench.arguments import numbers
from bench.lab import Measured, laboratory, percentile, say
from bench.report import Result
from pierhead.engine.resource import Object
from pierhead.kube.resources import APP_RELEASES

_REASON = "WaitingForHealth"


def sick(name: str) -> Object:
    """An AppRelease whose Deployment gets its pod, and never calls it available."""
    labels = {"app": name}
    container = {"name": "app", "image": "registry.example.com/app:1"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "minReadySeconds": 80_000,
            "progressDeadlineSeconds": 90_000,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    release: dict[str, Any] = app_release(name, "")
    del release["spec"]["helm"]
    release["spec"]["health"] = {"timeout": "10h"}
    release["spec"]["source"] = {"inline": {"files": {"app.yaml": json.dumps(deployment)}}}
    return release


async def main(n: int, others: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        url = await asyncio.to_thread(prepare, lab)
        await asyncio.to_thread(lab.operator.start)

        async def healthy(prefix: str) -> Measured:
            releases = [app_release(name, url) for name in names(n, prefix)]
            return await lab.measure(APP_RELEASES, releases)

        await healthy("warm")
        alone = await healthy("alone")
        say(f"{n} AppReleases are Ready after {alone.seconds:.1f} s")
        await lab.measure(APP_RELEASES, [sick(name) for name in names(others, "sick")], reason=_REASON)
        say(f"{others} wait for a health that never comes")
        await lab.quiet()
        beside = await healthy("beside")
    figures = {
        "sick": others,
        "p50_seconds": percentile(beside.latencies, 50),
        "p99_seconds": percentile(beside.latencies, 99),
        "p50_seconds_alone": percentile(alone.latencies, 50),
        "p99_seconds_alone": percentile(alone.latencies, 99),
    }
    return Result.of("sick_apps", beside, n=n, limit_seconds=alone.seconds, figures=figures)


if __name__ == "__main__":
    asyncio.run(main(*numbers(__doc__, 200, "healthy AppReleases", sick=100))).show()
