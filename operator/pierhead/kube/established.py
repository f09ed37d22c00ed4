"""Waiting until a CRD is established.

Invariant: it ends with the CRD established, with the reason it cannot be, or with the time that was given.
"""

import asyncio
from typing import Any

from pierhead.engine.outcome import Invalid, Transient
from pierhead.engine.resource import Object
from pierhead.engine.tasks import ended
from pierhead.kube.client import Client
from pierhead.kube.errors import Forbidden
from pierhead.kube.health import HealthStatus, health_of
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS
from pierhead.kube.watch import EventType, Watch

ESTABLISHED_SECONDS = 60.0
_POLL_SECONDS = 0.5


async def established(client: Client, name: str, *, seconds: float = ESTABLISHED_SECONDS) -> Object:
    """The CRD, once it is established.

    Raises Invalid when its names are taken, Transient after `seconds`, or another ApiError. It is watched,
    and read every half second where it may not be watched.
    """
    try:
        async with asyncio.timeout(seconds):
            try:
                return await _watched(client, name)
            except Forbidden:
                return await _polled(client, name)
    except TimeoutError:
        raise Transient(f"CustomResourceDefinition {name} is not established after {seconds:g} s") from None


async def _watched(client: Client, name: str) -> Object:
    found: asyncio.Future[Object] = asyncio.get_running_loop().create_future()

    def look(event_type: EventType, obj: Object) -> None:
        if found.done() or event_type == "DELETED":
            return
        try:
            if _is_established(obj):
                found.set_result(obj)
        except Invalid as error:
            found.set_exception(error)

    watch = Watch(client, CUSTOM_RESOURCE_DEFINITIONS, look, field_selector=f"metadata.name={name}")
    watching = asyncio.create_task(watch.run())
    listing = asyncio.create_task(watch.ready())
    try:
        either: set[asyncio.Future[Any]] = {found, listing}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not found.done():
            # What may not be watched is told at once.
            listing.result()
        return await found
    finally:
        await ended(watching, listing)


async def _polled(client: Client, name: str) -> Object:
    while True:
        definition = await client.get(CUSTOM_RESOURCE_DEFINITIONS, name)
        if _is_established(definition):
            return definition
        await asyncio.sleep(_POLL_SECONDS)


def _is_established(definition: Object) -> bool:
    health = health_of(definition)
    if health.status is HealthStatus.FAILED:
        name = definition["metadata"]["name"]
        raise Invalid(f"CustomResourceDefinition {name}: {health.message}")
    return health.status is HealthStatus.CURRENT
