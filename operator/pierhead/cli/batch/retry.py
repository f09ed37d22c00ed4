"""`retry`: the failed indexes of a BatchJob again, or all of its work as a new BatchJob.

Invariants: a request is made of the very version of the BatchJob that was judged, so two commands at once
are one retry; whatever might run again although it has run is said, and waits for a yes.
"""

from collections.abc import Collection
from typing import Annotated, Any

import typer

from pierhead.batch.model.spec import CONTROLLER
from pierhead.cli import options
from pierhead.cli.asking import agreed
from pierhead.cli.batch import views
from pierhead.cli.batch.options import NameArgument
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.failures import CommandError
from pierhead.cli.output import as_yaml, show
from pierhead.cli.place import Place
from pierhead.cli.progress import awaited, request
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import Object
from pierhead.kube.resources import BATCH_JOBS
from pierhead.model import RETRY_AT, seconds

_NAME_LIMIT = 253


def retry(
    name: NameArgument,
    place: Place,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="ALL indexes, as a new BatchJob of the same spec, which is printed, instead."
        ),
    ] = False,
    create: Annotated[bool, typer.Option("--create", help="With --again: create the new BatchJob.")] = False,
    new_name: Annotated[
        str | None, typer.Option("--name", help="With --again: its name; NAME-retry-N by default.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before something runs again that has run.")
    ] = False,
    wait: options.WaitOption = True,
    timeout: options.TimeoutOption = "1m",
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Run the indexes of a Failed BatchJob that have not succeeded, and no others, as a new round."""
    if again:
        _again(place, name, new_name, create=create, yes=yes, output=output)
        return
    if create or new_name is not None:
        raise CommandError("--create and --name are of --again, which makes a new BatchJob")
    obj = on(place, lambda cluster: cluster.one(BATCH_JOBS, name))
    refuse_what_cannot(obj)
    lost = int(views.status_of(obj).get("lost") or 0)
    if lost:
        agreed(
            f"Batch forgot jobs of {lost} indexes before their results were read; some may have succeeded,"
            " and run again. Go on?",
            yes=yes,
        )
    asked = request()
    found = on(place, lambda cluster: _asked(cluster, obj, asked, seconds(timeout) if wait else None))
    show(found, output, lambda: typer.echo(f"BatchJob {name} {came_of(found, asked, _missing(obj))}"))


async def _asked(cluster: Cluster, obj: Object, asked: str, limit: float | None) -> Object:
    """The BatchJob once the request is answered; with no limit as soon as it is made."""
    metadata = obj["metadata"]
    patch = {"metadata": {"annotations": {RETRY_AT: asked}, "resourceVersion": metadata["resourceVersion"]}}
    try:
        made = await cluster.client.merge_patch(BATCH_JOBS, metadata["name"], cluster.namespace, patch)
    except Conflict:
        raise CommandError(
            f"BatchJob {metadata['name']} was changed at the same moment: look at it, and ask again"
        ) from None
    if limit is None:
        return made

    def answered(found: Object) -> bool:
        return _answer(found).get("request") == asked

    return await awaited(cluster, metadata["name"], answered, seconds=limit, resource=BATCH_JOBS)


def came_of(obj: Object, asked: str, missing: int) -> str:
    """What a request, made with so many indexes missing, has led to, in words.

    Raises CommandError for a refusal.
    """
    answer = _answer(obj)
    if answer.get("request") != asked:
        return "was asked to retry"
    if answer.get("refused"):
        raise CommandError(f"BatchJob {obj['metadata']['name']} does not retry: {answer['refused']}")
    indexes = "1 index" if missing == 1 else f"{missing} indexes"
    return f"runs {indexes} again, as round {views.status_of(obj).get('round')}"


def _answer(obj: Object) -> dict[str, Any]:
    found: dict[str, Any] = views.status_of(obj).get("retry") or {}
    return found


def refuse_what_cannot(obj: Object) -> None:
    """Raises CommandError for a BatchJob that is not Failed; says what helps."""
    refuse_unfinished(obj)
    if views.holds(obj, "Complete"):
        raise CommandError(
            f"BatchJob {obj['metadata']['name']} is Complete: nothing has failed;"
            " --again makes a new one that runs every index"
        )


def _again(
    place: Place, name: str, new_name: str | None, *, create: bool, yes: bool, output: options.Output
) -> None:
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
    """Raises CommandError for what has not ended, or is another's; says what helps."""
    name, state = obj["metadata"]["name"], views.state_of(obj)
    manager = views.spec_of(obj).get("managedBy")
    if manager not in {None, CONTROLLER}:
        raise CommandError(f"BatchJob {name} is managed by {manager}, which has to run it again")
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


def told_again(obj: Object) -> str:
    """What runs again in a new BatchJob although it had succeeded; empty where nothing does."""
    size, missing = views.size_of(obj), _missing(obj)
    if missing == size:
        return ""
    others = f"; without --again only the other {missing}" if views.holds(obj, "Failed") else ""
    return f"all {size} indexes run again, also the {size - missing} that had succeeded{others}"


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
