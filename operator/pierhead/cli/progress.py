"""Waiting for an object of ours, by watch, while it says how it gets on.

Invariant: nothing is polled, and what is printed on the way goes to standard error: standard output has the
result alone.
"""

import asyncio
from collections.abc import Callable

import typer

from pierhead.cli.cluster import Cluster
from pierhead.cli.conditions import condition, is_current
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.engine.resource import Object
from pierhead.kube.resources import APP_RELEASES, ResourceType
from pierhead.kube.watch import Watch

Check = Callable[[Object], bool]


def is_settled(obj: Object) -> bool:
    """Whether nothing more is under way for the spec as it is."""
    ready = condition(obj)
    if not ready or not is_current(obj) or ready.get("status") == "Unknown":
        return False
    return condition(obj, "Reconciling").get("status") != "True"


async def awaited(
    cluster: Cluster,
    name: str,
    check: Check,
    *,
    seconds: float,
    resource: ResourceType = APP_RELEASES,
    label: str = "",
) -> Object:
    """The object, once the check holds; `label` begins each line of progress.

    Raises CommandError when that takes longer than `seconds`, or when somebody deletes it.
    """
    end: asyncio.Future[Object | None] = asyncio.get_running_loop().create_future()
    told = _Told(label)

    def look(event_type: str, obj: Object) -> None:
        if end.done():
            return
        if event_type == "DELETED":
            end.set_result(None)
            return
        told.tell(obj)
        if check(obj):
            end.set_result(obj)

    watch = Watch(
        cluster.client,
        resource,
        look,
        namespace=cluster.namespace,
        field_selector=f"metadata.name={name}",
    )
    task = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(seconds):
            await watch.ready()
            found = await end
    except TimeoutError:
        raise CommandError(
            f"{resource.kind} {name} did not get there within {seconds:g}s: {told.last}", ExitCode.TIMED_OUT
        ) from None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if found is None:
        raise CommandError(f"{resource.kind} {name} was deleted")
    return found


def judged(obj: Object) -> str:
    """Why it is Ready. Raises CommandError, with what its condition says, when it is not."""
    ready = condition(obj)
    text = f"{ready.get('reason')}: {ready.get('message')}"
    if ready.get("status") != "True":
        name = obj["metadata"]["name"]
        raise CommandError(f"{obj['kind']} {name} is not Ready: {text}", ExitCode.NOT_READY)
    return text


class _Told:
    """Says each state once."""

    def __init__(self, label: str) -> None:
        self._label = label
        self.last = "nothing is known of it yet"

    def tell(self, obj: Object) -> None:
        ready = condition(obj)
        text = f"{ready.get('reason', 'Pending')}: {ready.get('message', 'not looked at yet')}"
        if text != self.last:
            typer.echo(f"{self._label}{text}", err=True)
            self.last = text
