"""Waiting for an object of ours, by watch, while it says how it gets on.

Invariant: nothing is polled, and what is printed on the way goes to standard error: standard output has the
result alone.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime

import typer

from pierhead.cli.cluster import Cluster
from pierhead.cli.conditions import condition, is_current
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.following import versions
from pierhead.engine.resource import Object
from pierhead.kube.resources import APP_RELEASES, ResourceType

Check = Callable[[Object], bool]


def request() -> str:
    """What an annotation that asks for something now says: the time, so that each request is another."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
    found = await until(
        cluster, resource, name, check, seconds=seconds, told=lambda obj: f"{label}{_said(obj)}"
    )
    if found is None:
        raise CommandError(f"{resource.kind} {name} was deleted")
    return found


async def until(
    cluster: Cluster,
    resource: ResourceType,
    name: str,
    check: Check,
    *,
    seconds: float,
    told: Callable[[Object], str],
) -> Object | None:
    """The object once the check holds, None once it is gone; what is `told` of it on the way, each text once.

    Raises CommandError when that takes longer than `seconds`.
    """
    last = "nothing is known of it yet"
    try:
        async with asyncio.timeout(seconds), aclosing(versions(cluster, resource, name)) as found:
            async for obj in found:
                if obj is None or check(obj):
                    return obj
                text = told(obj)
                if text != last:
                    typer.echo(text, err=True)
                    last = text
    except TimeoutError:
        raise CommandError(
            f"{resource.kind} {name} did not get there within {seconds:g}s: {last}; it goes on",
            ExitCode.TIMED_OUT,
        ) from None
    return None


def judged(obj: Object) -> str:
    """Why it is Ready. Raises CommandError, with what its condition says, when it is not."""
    ready = condition(obj)
    text = f"{ready.get('reason')}: {ready.get('message')}"
    if ready.get("status") != "True":
        name = obj["metadata"]["name"]
        raise CommandError(f"{obj['kind']} {name} is not Ready: {text}", ExitCode.NOT_READY)
    return text


def _said(obj: Object) -> str:
    ready = condition(obj)
    return f"{ready.get('reason', 'Pending')}: {ready.get('message', 'not looked at yet')}"
