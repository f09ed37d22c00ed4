"""`stop`: ends what runs.

Invariant: one write, with the caller's rights; pierhead terminates the jobs, and the end is told only once
nothing of the BatchJob runs any more.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pierhead.batch.model.spec import CONTROLLER
from pierhead.batch.state import OPEN_STATES
from pierhead.cli import options
from pierhead.cli.batch import views
from pierhead.cli.batch.options import NameArgument
from pierhead.cli.batch.picture import line
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.conditions import condition, is_current
from pierhead.cli.failures import CommandError
from pierhead.cli.place import Place
from pierhead.cli.progress import Check, until
from pierhead.engine.resource import Object
from pierhead.kube.resources import BATCH_JOBS
from pierhead.model import seconds


def stop(
    name: NameArgument,
    place: Place,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the BatchJob; without it, it is suspended.")
    ] = False,
    wait: options.WaitOption = True,
    timeout: options.TimeoutOption = "5m",
) -> None:
    """Terminate what runs, by suspending the BatchJob, and wait until nothing of it runs any more."""

    async def work(cluster: Cluster) -> str:
        obj = await cluster.one(BATCH_JOBS, name)
        manager = views.spec_of(obj).get("managedBy")
        if manager not in {None, CONTROLLER}:
            raise CommandError(f"BatchJob {name} is managed by {manager}, which has to stop it")
        if delete:
            return await _deleted(cluster, obj, seconds(timeout) if wait else None)
        if views.is_finished(obj):
            return f"is {views.state_of(obj)} already: nothing runs"
        await cluster.client.merge_patch(BATCH_JOBS, name, cluster.namespace, {"spec": {"suspend": True}})
        if not wait:
            return "was told to stop"
        found = await _until(cluster, name, is_stopped, seconds(timeout))
        if found is None:
            return "was deleted"
        if views.is_finished(found):
            return f"ended first: {views.state_of(found)}"
        return (
            f"is suspended with {views.status_of(found).get('progress')} indexes done; "
            "with spec.suspend: false the others run"
        )

    typer.echo(f"BatchJob {name} {on(place, work)}")


def is_stopped(obj: Object) -> bool:
    """Whether nothing of it runs, and nothing will without being resumed."""
    if views.is_finished(obj):
        return True
    shards = views.status_of(obj).get("shards") or ()
    return (
        is_current(obj)
        and condition(obj).get("reason") == "Suspended"
        and not any(shard.get("state") in OPEN_STATES for shard in shards)
    )


async def _deleted(cluster: Cluster, obj: Object, limit: float | None) -> str:
    name, uid = obj["metadata"]["name"], obj["metadata"]["uid"]
    gone = await cluster.client.delete(BATCH_JOBS, name, cluster.namespace, uid=uid)
    if not gone and limit is None:
        return "is being deleted"
    if not gone:
        await _until(cluster, name, lambda found: found["metadata"]["uid"] != uid, limit or 0)
    return "is deleted, and nothing of it runs"


async def _until(cluster: Cluster, name: str, check: Check, limit: float) -> Object | None:
    return await until(
        cluster, BATCH_JOBS, name, check, seconds=limit, told=lambda obj: line(obj, datetime.now(UTC))
    )
