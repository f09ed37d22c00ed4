"""The versions of one object, as the API server tells of them.

Invariant: nothing is polled; who reads slowly misses versions in between, never the newest one, nor the end.
"""

import asyncio
from collections.abc import AsyncGenerator

from pierhead.cli.cluster import Cluster
from pierhead.engine.resource import Object
from pierhead.engine.tasks import ended
from pierhead.kube.resources import ResourceType
from pierhead.kube.watch import Watch


async def versions(cluster: Cluster, resource: ResourceType, name: str) -> AsyncGenerator[Object | None]:
    """The object as it is, then each change of it; None, and then nothing more, once it is gone.

    Raises ReconcileError when it may not be watched. Who leaves before the end closes it.
    """
    changed, newest = asyncio.Event(), list[Object | None]()

    def look(event_type: str, obj: Object) -> None:
        newest[:] = [None if event_type == "DELETED" else obj]
        changed.set()

    watch = Watch(
        cluster.client,
        resource,
        look,
        namespace=cluster.namespace,
        field_selector=f"metadata.name={name}",
    )
    task = asyncio.create_task(watch.run())
    try:
        await watch.ready()
        if not newest:
            newest.append(None)
            changed.set()
        while True:
            await changed.wait()
            changed.clear()
            (obj,) = newest
            yield obj
            if obj is None:
                return
    finally:
        await ended(task)
