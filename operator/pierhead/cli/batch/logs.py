"""`logs`: the last lines of one index.

Invariant: it reads and never writes; lines go to standard output as they were written, and nothing else does.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from pierhead.aws.batchsurvey import LOG_GROUP, Attempt, described
from pierhead.aws.errors import NotFound
from pierhead.aws.logs import LogLine, tail
from pierhead.aws.session import AwsClient
from pierhead.cli import options
from pierhead.cli.aws import sessions_in
from pierhead.cli.batch import jobs
from pierhead.cli.batch.options import NameArgument
from pierhead.cli.batch.views import size_of, status_of
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.place import Place
from pierhead.engine.resource import Object
from pierhead.kube.resources import BATCH_JOBS


def logs(
    name: NameArgument,
    place: Place,
    index: Annotated[
        int | None, typer.Option("--index", "-i", min=0, help="The index; not needed where there is one.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", min=1, max=100_000, help="How many lines, at most.")] = 50,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", min=1, help="Attempt of its last round, from 1; the last by default."),
    ] = None,
    region: options.RegionOption = None,
) -> None:
    """Print the last lines that an index has logged, from CloudWatch Logs, with your own AWS credentials."""

    async def read(cluster: Cluster) -> list[LogLine]:
        obj = await cluster.one(BATCH_JOBS, name)
        number = _checked(obj, index)
        async with sessions_in(jobs.region(obj, region)) as sessions:
            found = await _attempt(sessions.client("batch"), obj, number, attempt)
            if found.log_stream is None:
                raise CommandError(
                    f"Batch names no log stream of index {number}: it has not started, its log driver is "
                    "not awslogs, or it runs on EKS, where logs are what the cluster does with them"
                )
            try:
                return await tail(sessions.client("logs"), found.log_group, found.log_stream, lines)
            except NotFound:
                raise CommandError(
                    f"there is no log stream {found.log_stream} in {found.log_group}: nothing was logged, "
                    "or the group's retention has ended"
                ) from None

    found = on(place, read)
    for line in found:
        typer.echo(line.text)
    if not found:
        typer.echo("nothing was logged", err=True)


def chosen(attempts: Sequence[Attempt], index: int, number: int | None) -> Attempt:
    """The attempt that is meant. Raises CommandError where there is none."""
    if not attempts:
        raise CommandError(f"index {index} has not started yet")
    if number is None:
        return attempts[-1]
    if number > len(attempts):
        raise CommandError(
            f"index {index} has had no attempt {number} in its last round: {len(attempts)} in all"
        )
    return attempts[number - 1]


def _checked(obj: Object, index: int | None) -> int:
    """The index that is meant. Raises CommandError where there is no such, or none is."""
    name, size = obj["metadata"]["name"], size_of(obj)
    if index is None and size > 1:
        raise CommandError(f"which of the {size} indexes? give --index", ExitCode.USAGE)
    if (index or 0) >= size:
        raise CommandError(f"BatchJob {name} has no index {index}: they are 0 to {size - 1}")
    return index or 0


async def _attempt(client: AwsClient, obj: Object, index: int, number: int | None) -> Attempt:
    """The attempt that is meant: what the status tells of it needs no call."""
    told = failure_of(obj, index) if number is None else None
    # An index that failed in an earlier round may have run again since.
    if told is not None and told.get("round") == status_of(obj).get("round"):
        return Attempt(told.get("logGroup") or LOG_GROUP, told["logStream"], None, None)
    job_id = jobs.job_id_of(await jobs.jobs_of(client, obj), index)
    found = await described(client, [job_id]) if job_id is not None else []
    if found and found[0].nodes:
        raise CommandError(
            f"index {index} runs on {found[0].nodes} nodes, each with a log of its own: those of jobs "
            f"{found[0].id}#0 and on, as `aws batch describe-jobs` names them"
        )
    if found:
        return chosen(found[0].attempts, index, number)
    if told is not None:
        return Attempt(told.get("logGroup") or LOG_GROUP, told["logStream"], None, None)
    raise CommandError(
        f"Batch knows no job with index {index} of BatchJob {obj['metadata']['name']}: it was not submitted "
        "yet, or ended so long ago that Batch has forgotten it (about a week)"
    )


def failure_of(obj: Object, index: int) -> dict[str, Any] | None:
    """What the status tells of a failed index whose log it names."""
    failures: list[dict[str, Any]] = status_of(obj).get("failures") or []
    return next((entry for entry in failures if entry.get("index") == index and entry.get("logStream")), None)
