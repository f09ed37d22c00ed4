"""`suspend`, `resume`, `reconcile`, `approve` and `rollback`.

Invariant: each writes one patch of the AppRelease, with the caller's rights, and leaves the work to the
operator; what was asked for is told from what came of an earlier request.
"""

from typing import Annotated

import typer

from pierhead.apps.gates.approval import APPROVE
from pierhead.apps.history.release import Release, Status
from pierhead.apps.names import release_name
from pierhead.cli import options
from pierhead.cli.apps import releases
from pierhead.cli.apps.options import NameArgument
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.conditions import condition
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.place import Place
from pierhead.cli.progress import Check, awaited, is_settled, judged, request
from pierhead.engine.resource import Object
from pierhead.kube.resources import APP_RELEASES
from pierhead.model import RECONCILE_AT, ROLLBACK_TO, seconds


def suspend(
    name: NameArgument,
    place: Place,
) -> None:
    """Leave the application as it is until `resume`: nothing is applied, corrected or rolled back."""

    async def work(cluster: Cluster) -> None:
        await cluster.app_release(name)
        await cluster.client.merge_patch(APP_RELEASES, name, cluster.namespace, {"spec": {"suspend": True}})

    on(place, work)
    typer.echo(f"AppRelease {name} is suspended")


def resume(
    name: NameArgument,
    place: Place,
    wait: options.WaitOption = True,
    timeout: options.TimeoutOption = "5m",
) -> None:
    """End a suspension, and wait until the application is as its spec says."""

    async def work(cluster: Cluster) -> str:
        await cluster.app_release(name)
        await cluster.client.merge_patch(APP_RELEASES, name, cluster.namespace, {"spec": {"suspend": None}})
        if not wait:
            return "no longer suspended"
        return judged(await awaited(cluster, name, _resumed, seconds=seconds(timeout)))

    typer.echo(f"AppRelease {name}: {on(place, work)}")


def reconcile(
    name: NameArgument,
    place: Place,
    wait: options.WaitOption = True,
    timeout: options.TimeoutOption = "5m",
) -> None:
    """Look at the sources now, try again what was rejected, and wait for what comes of it."""

    async def work(cluster: Cluster) -> str:
        _refuse_suspended(await cluster.app_release(name))
        asked = request()
        await cluster.annotate(name, {RECONCILE_AT: asked})
        if not wait:
            return "asked to look again"

        def handled(obj: Object) -> bool:
            return obj["status"].get("handledReconcileAt") == asked and is_settled(obj)

        return judged(await awaited(cluster, name, _with_status(handled), seconds=seconds(timeout)))

    typer.echo(f"AppRelease {name}: {on(place, work)}")


def approve(
    name: NameArgument,
    place: Place,
    digest: Annotated[
        str | None,
        typer.Option(
            "--digest", help="Approve only if this is the plan's digest; the present one by default."
        ),
    ] = None,
    wait: options.WaitOption = True,
    timeout: options.TimeoutOption = "5m",
) -> None:
    """Let the plan in the status be done; `get` and `diff --plan` show it."""

    async def work(cluster: Cluster) -> str:
        obj = await cluster.app_release(name)
        _refuse_suspended(obj)
        plan = (obj.get("status") or {}).get("plan") or {}
        if not plan.get("digest"):
            raise CommandError(f"AppRelease {name} has no plan that waits for an approval")
        if digest is not None and digest != plan["digest"]:
            raise CommandError(f"the plan is {plan['digest']} now, not {digest}: look at it again")
        before = _revision(obj)
        await cluster.annotate(name, {APPROVE: plan["digest"]})
        if not wait:
            return f"plan {plan['digest']} is approved"

        def done(found: Object) -> bool:
            return _revision(found) > before and is_settled(found)

        return judged(await awaited(cluster, name, _with_status(done), seconds=seconds(timeout)))

    typer.echo(f"AppRelease {name}: {on(place, work)}")


def rollback(
    name: NameArgument,
    place: Place,
    revision: Annotated[
        int | None,
        typer.Argument(
            metavar="REVISION",
            help="Revision of `history`; the one deployed before the present one by default.",
        ),
    ] = None,
    wait: options.WaitOption = True,
    timeout: options.TimeoutOption = "5m",
) -> None:
    """Go back to a revision, from its stored manifests; kept until the AppRelease or its source changes."""

    async def work(cluster: Cluster) -> str:
        _refuse_suspended(await cluster.app_release(name))
        found = await releases.revisions(cluster, release_name(name))
        target = target_of(found, revision)
        before = found[-1].revision
        await cluster.annotate(name, {ROLLBACK_TO: f"{target}@{request()}"})
        if not wait:
            return f"asked to go back to revision {target}"

        def done(obj: Object) -> bool:
            release = obj["status"].get("release") or {}
            pending = str(release.get("status", "")).startswith("pending-")
            return _revision(obj) > before and not pending

        obj = await awaited(cluster, name, _with_status(done), seconds=seconds(timeout))
        release = obj["status"]["release"]
        if release["status"] != Status.DEPLOYED:
            text = condition(obj).get("message")
            raise CommandError(f"the rollback to revision {target} failed: {text}", ExitCode.NOT_READY)
        return f"revision {release['revision']} is revision {target} again"

    typer.echo(f"AppRelease {name}: {on(place, work)}")


def target_of(found: list[Release], wanted: int | None) -> int:
    """The revision to go back to. Raises CommandError when it cannot be gone back to."""
    if not found:
        raise CommandError("nothing was ever released")
    if wanted is None:
        present = next((item for item in reversed(found) if item.status == Status.DEPLOYED), None)
        last = present.revision if present is not None else found[-1].revision
        earlier = [item for item in found if item.status == Status.SUPERSEDED and item.revision < last]
        if not earlier:
            raise CommandError("there is no earlier revision that was deployed")
        return earlier[-1].revision
    chosen = next((item for item in found if item.revision == wanted), None)
    if chosen is None:
        kept = ", ".join(str(item.revision) for item in found)
        raise CommandError(f"there is no revision {wanted}; kept are {kept}")
    if chosen.status not in {Status.DEPLOYED, Status.SUPERSEDED}:
        raise CommandError(
            f"revision {wanted} is {chosen.status.value}: only one that was deployed can be gone back to"
        )
    return wanted


def _with_status(check: Check) -> Check:
    return lambda obj: bool(obj.get("status")) and check(obj)


def _resumed(obj: Object) -> bool:
    return condition(obj).get("reason") != "Suspended" and is_settled(obj)


def _refuse_suspended(obj: Object) -> None:
    if (obj.get("spec") or {}).get("suspend"):
        name = obj["metadata"]["name"]
        raise CommandError(f"AppRelease {name} is suspended: `pierhead app resume {name}` first")


def _revision(obj: Object) -> int:
    return int(((obj.get("status") or {}).get("release") or {}).get("revision") or 0)
