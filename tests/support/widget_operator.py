"""The operator's whole process around a kind that does next to nothing.

`python -m support.widget_operator GROUP`, with the operator's own environment. A Widget shows its `size`
and who wrote it; one whose size is above 1000 takes that many milliseconds, and fails when it is negative.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from pierhead import logs
from pierhead.engine.conditions import ready
from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import Invalid, Outcome
from pierhead.engine.resource import Kind, Resource
from pierhead.kinds import KindEntry, Services
from pierhead.kube.client import Client
from pierhead.kube.resources import ResourceType
from pierhead.model import FINALIZER
from pierhead.run import Operator, log_in
from pierhead.settings import Settings
from support.widgets import WidgetReconciler

SLOW = 1000


def widgets(group: str) -> ResourceType:
    """The resource under test."""
    return ResourceType(group, "v1", "widgets", "Widget")


async def settle(resource: Resource) -> Outcome:
    if resource.deleting:
        await resource.remove_finalizer(FINALIZER)
        return Outcome()
    await resource.add_finalizer(FINALIZER)
    size = resource.spec.get("size", 0)
    if size < 0:
        raise Invalid("must not be negative", field="spec.size")
    if size > SLOW:
        await asyncio.sleep(size / 1000)
    return Outcome(
        status={"size": size, "process": resource.status.get("process", os.getpid())},
        conditions=(ready("Settled"),),
    )


def entry(group: str) -> KindEntry:
    resource = widgets(group)
    kind = Kind(group, resource.version, resource.kind, resource.plural)
    return KindEntry(resource, lambda _services: WidgetReconciler(settle, kind))


@asynccontextmanager
async def few_services(_settings: Settings, client: Client, _metrics: Metrics) -> AsyncIterator[Services]:
    """What a Widget needs."""

    class Few:
        def __init__(self) -> None:
            self.client = client

    yield cast("Services", Few())


def main(arguments: list[str]) -> int:
    settings = Settings(kinds=("BatchJob",))
    logs.configure(settings.log_level, settings.log_format)
    kinds: dict[str, Any] = {"BatchJob": entry(arguments[0])}
    return asyncio.run(Operator(settings, log_in(), kinds=kinds, services=few_services).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
