"""`python -m bench.drift_apps -n 200`: Deployments of N Ready AppReleases are changed by hand, one by one.

A time runs from the sending of the change until a watch tells that the Deployment is as it was. The limit is
a bare client that applies each Deployment as soon as it hears of its change.
"""

import asyncio
import time
from collections.abc import Callable

from bench.applications import app_release, application, limit, names, prepare
from bench.arguments import number
from bench.lab import LIMIT_NAMESPACE, NAMESPACE, Lab, following, laboratory, percentile, say
from bench.report import Result
from pierhead.engine.resource import Object
from pierhead.kube.resources import APP_RELEASES, DEPLOYMENTS

PACE_SECONDS = 0.05
"""Between two changes."""

_IMAGE = "/spec/template/spec/containers/0/image"
_FOREIGN = "registry.example.com/app:by-hand"


async def undone(
    lab: Lab, namespace: str, applications: list[str], told: Callable[[str], None]
) -> list[float]:
    """Seconds until each application's Deployment was as before; `told` hears of each change.

    Raises TimeoutError.
    """
    sent: dict[str, float] = {}
    took: dict[str, float] = {}
    everything = asyncio.Event()

    def look(_event: str, obj: Object) -> None:
        name = obj["metadata"]["name"]
        image = obj["spec"]["template"]["spec"]["containers"][0]["image"]
        if name not in sent:
            return
        if image == _FOREIGN:
            told(name)
        elif name not in took:
            took[name] = time.monotonic() - sent[name]
            if len(took) == len(applications):
                everything.set()

    async with following(lab.client, DEPLOYMENTS, namespace, look):
        for name in applications:
            change = [{"op": "replace", "path": _IMAGE, "value": _FOREIGN}]
            sent[name] = time.monotonic()
            await lab.client.json_patch(DEPLOYMENTS, name, namespace, change)
            await asyncio.sleep(PACE_SECONDS)
        async with asyncio.timeout(60 + len(applications)):
            await everything.wait()
    return list(took.values())


async def bare(lab: Lab, applications: list[str]) -> list[float]:
    """The same by the bare client."""
    tasks: set[asyncio.Task[None]] = set()

    def apply(name: str) -> None:
        (deployment,) = (pair for pair in application(name) if pair[0] is DEPLOYMENTS)
        deployment[1]["metadata"]["namespace"] = LIMIT_NAMESPACE
        task = asyncio.create_task(lab.apply_all([deployment]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return await undone(lab, LIMIT_NAMESPACE, applications, apply)


async def main(n: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        url = await asyncio.to_thread(prepare, lab)
        await limit(lab, names(n))
        by_bare_client = await bare(lab, names(n))
        await asyncio.to_thread(lab.operator.start)
        cold = await lab.measure(APP_RELEASES, [app_release(name, url) for name in names(n)])
        say(f"{n} AppReleases are Ready after {cold.seconds:.1f} s")
        await lab.quiet()
        counting = lab.counting()
        took = await undone(lab, NAMESPACE, names(n), lambda _name: None)
        await lab.quiet()
        measured = counting(seconds=percentile(took, 99))
    limit_seconds = percentile(by_bare_client, 99)
    figures = {f"p{percent}_seconds": percentile(took, percent) for percent in (50, 99, 100)}
    return Result.of("drift_apps", measured, n=n, limit_seconds=limit_seconds, figures=figures)


if __name__ == "__main__":
    asyncio.run(main(number(__doc__, 200, "AppReleases"))).show()
