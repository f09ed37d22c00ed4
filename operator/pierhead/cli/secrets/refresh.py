"""`refresh`: reads now.

Invariant: one patch of each SyncedSecret, with the caller's rights; what was asked for is told from what came
of an earlier request.
"""

import asyncio
from collections.abc import Callable

import typer

from pierhead.cli import options
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.conditions import condition
from pierhead.cli.failures import CommandError
from pierhead.cli.place import Place
from pierhead.cli.progress import awaited, is_settled, judged, request
from pierhead.cli.secrets.options import NamesArgument
from pierhead.engine.resource import Object
from pierhead.kube.resources import SYNCED_SECRETS
from pierhead.model import RECONCILE_AT, seconds


def refresh(
    names: NamesArgument,
    place: Place,
    wait: options.WaitOption = True,
    timeout: options.TimeoutOption = "2m",
) -> None:
    """Read the values of SyncedSecrets in AWS now, and wait until that is done."""
    asked = request()

    async def work(cluster: Cluster) -> list[str | CommandError]:
        for name in names:
            obj = await cluster.one(SYNCED_SECRETS, name)
            if (obj.get("spec") or {}).get("suspend"):
                raise CommandError(f"SyncedSecret {name} is suspended: set spec.suspend to false first")
        for name in names:
            await cluster.annotate(name, {RECONCILE_AT: asked}, resource=SYNCED_SECRETS)
        if not wait:
            return ["asked to read" for _ in names]
        return await asyncio.gather(*(_done(cluster, name, asked, seconds(timeout)) for name in names))

    found = on(place, work)
    failures = [result for result in found if isinstance(result, CommandError)]
    for name, result in zip(names, found, strict=True):
        if not isinstance(result, CommandError):
            typer.echo(f"SyncedSecret {name}: {result}")
    if failures:
        raise CommandError(
            "; ".join(str(failure) for failure in failures), max(failure.code for failure in failures)
        )


async def _done(cluster: Cluster, name: str, asked: str, limit: float) -> str | CommandError:
    """What came of the read that was asked for."""
    try:
        return judged(
            await awaited(
                cluster, name, handled(asked), seconds=limit, resource=SYNCED_SECRETS, label=f"{name}: "
            )
        )
    except CommandError as error:
        return error


def handled(asked: str) -> Callable[[Object], bool]:
    """Whether the read that was asked for then is over, whatever came of it."""

    def check(obj: Object) -> bool:
        done = (obj.get("status") or {}).get("reconcileAt") == asked
        return done and (is_settled(obj) or condition(obj, "Stalled").get("status") == "True")

    return check
