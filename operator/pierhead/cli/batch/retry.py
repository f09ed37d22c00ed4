"""`retry`: the work of a BatchJob that has ended, as a new BatchJob.

Invariant: no field of a BatchJob chooses single indexes, so what is made runs all of them, and that is said
whenever some had succeeded; nothing is created without being asked for.
"""

from collections.abc import Collection
from typing import Annotated, Any

import typer

from pierhead.cli import options
from pierhead.cli.asking import agreed
from pierhead.cli.batch import views
from pierhead.cli.batch.options import NameArgument
from pierhead.cli.cluster import Cluster, Place, on
from pierhead.cli.failures import CommandError
from pierhead.cli.output import as_yaml, show
from pierhead.engine.resource import Object
from pierhead.kube.resources import BATCH_JOBS

_NAME_LIMIT = 253


def retry(
    name: NameArgument,
    create: Annotated[
        bool, typer.Option("--create", help="Create the new BatchJob; without it, it is only printed.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before indexes run that had succeeded.")
    ] = False,
    new_name: Annotated[
        str | None, typer.Option("--name", help="Name of the new BatchJob; NAME-retry-N by default.")
    ] = None,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Print, or create, a BatchJob of the same spec as one that has ended: ALL its indexes run again.

    A BatchJob that has ended stays ended, and none can be told to run single indexes.
    """
    place = Place(kubeconfig=kubeconfig, context=context, namespace=namespace)

    async def read(cluster: Cluster) -> tuple[Object, set[str]]:
        obj = await cluster.one(BATCH_JOBS, name)
        pages = cluster.client.pages(BATCH_JOBS, cluster.namespace, metadata_only=True)
        return obj, {item["metadata"]["name"] async for page in pages for item in page.items}

    obj, taken = on(place, read)
    refuse_unfinished(obj)
    made = copy_of(obj, new_name or free_name(name, taken))
    warning = told_again(obj)
    if not create:
        if warning:
            typer.echo(f"note: {warning}", err=True)
        show(made, output, lambda: typer.echo(as_yaml(made), nl=False))
        return
    if warning:
        agreed(f"{warning[0].upper()}{warning[1:]}. Create it?", yes=yes)
    created = on(place, lambda cluster: cluster.client.create(BATCH_JOBS, made))
    show(created, output, lambda: typer.echo(f"BatchJob {created['metadata']['name']} is created"))


def refuse_unfinished(obj: Object) -> None:
    """Raises CommandError for what has not ended, and for what has nothing to run again; says what helps."""
    name, state = obj["metadata"]["name"], views.state_of(obj)
    if views.spec_of(obj).get("suspend") and not views.is_finished(obj):
        raise CommandError(
            f"BatchJob {name} is suspended: set spec.suspend to false, and the indexes run that have not "
            "succeeded, and no others"
        )
    if not views.is_finished(obj):
        raise CommandError(
            f"BatchJob {name} has not ended ({state}): its failed indexes run again by themselves, as often "
            "as backoffLimitPerIndex says"
        )
    if views.holds(obj, "Complete") and _missing(obj) == 0:
        raise CommandError(f"every index of BatchJob {name} has succeeded: there is nothing to run again")


def told_again(obj: Object) -> str:
    """What runs again although it had succeeded; empty where nothing does."""
    size, missing = views.size_of(obj), _missing(obj)
    if missing == size:
        return ""
    return (
        f"all {size} indexes run again, also the {size - missing} that had succeeded: "
        f"a BatchJob cannot be told to run only the other {missing}"
    )


def copy_of(obj: Object, name: str) -> Object:
    """A BatchJob of the same spec. Labels and annotations are left out: they may mean its maker."""
    spec: dict[str, Any] = {key: value for key, value in views.spec_of(obj).items() if key != "suspend"}
    metadata = {"name": name, "namespace": obj["metadata"]["namespace"]}
    return {
        "apiVersion": BATCH_JOBS.api_version,
        "kind": BATCH_JOBS.kind,
        "metadata": metadata,
        "spec": spec,
    }


def free_name(name: str, taken: Collection[str]) -> str:
    """The first of `NAME-retry-1`, `NAME-retry-2`, … that no BatchJob has."""
    number = 1
    while True:
        ending = f"-retry-{number}"
        found = name[: _NAME_LIMIT - len(ending)].rstrip("-.") + ending
        if found not in taken:
            return found
        number += 1


def _missing(obj: Object) -> int:
    return views.size_of(obj) - int(views.status_of(obj).get("succeeded") or 0)
