"""`orphans`: jobs in Batch that have outlived their BatchJob.

Invariant: only a job with pierhead's tags is looked at, and only one whose BatchJob's uid the cluster does
not have is told. Batch is asked before the cluster: what it shows had its BatchJob by then. Nothing is
terminated that may belong to another cluster.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from pierhead.aws.batch import BatchClients
from pierhead.aws.batchsurvey import SurveyedJob, described, open_in, queues
from pierhead.aws.session import AwsSessions
from pierhead.batch.following.jobs import STOP_MARK
from pierhead.batch.submitting.definition import CLUSTER_TAG, NAME_TAG, NAMESPACE_TAG, UID_TAG
from pierhead.cli import options
from pierhead.cli.asking import agreed
from pierhead.cli.aws import region_of, sessions_in
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.failures import CommandError
from pierhead.cli.output import age, cell, print_table, show
from pierhead.cli.place import Place
from pierhead.kube.resources import BATCH_JOBS

_WHY = f"{STOP_MARK} its BatchJob is gone (pierhead batch orphans)"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A job without its BatchJob."""

    queue: str
    job: SurveyedJob
    cluster: str | None
    """The name that its operator was given for its cluster."""

    ours: bool
    """Whether it is certain that the BatchJob would have to be in this cluster."""

    def data(self) -> dict[str, Any]:
        """It as `-o json` prints it."""
        tags = self.job.tags
        created = datetime.fromtimestamp(self.job.created_at / 1000, UTC)
        return {
            "queue": self.queue,
            "jobName": self.job.name,
            "jobId": self.job.id,
            "status": self.job.status,
            "size": self.job.array_size or 1,
            "created": created.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "namespace": tags[NAMESPACE_TAG],
            "name": tags[NAME_TAG],
            "uid": tags[UID_TAG],
            "cluster": self.cluster,
            "ours": self.ours,
        }


def orphans_of(
    queue: str, jobs: Iterable[SurveyedJob], uids: Collection[str], *, cluster: str | None, alone: bool
) -> list[Orphan]:
    """The jobs of a queue that are pierhead's and whose BatchJob is not among these.

    Without `cluster` all clusters' jobs are told. `alone` says that no other cluster uses the queue, so that
    jobs that name no cluster are this one's.
    """
    found = []
    for job in jobs:
        if not {NAMESPACE_TAG, NAME_TAG, UID_TAG} <= job.tags.keys() or job.tags[UID_TAG] in uids:
            continue
        named = job.tags.get(CLUSTER_TAG)
        if named is not None and cluster is not None and named != cluster:
            continue
        ours = alone if named is None else named == cluster
        found.append(Orphan(queue, job, named, ours))
    return found


def orphans(
    queue: Annotated[
        list[str] | None,
        typer.Option("--queue", help="Job queue to look into, more than once if need be; all by default."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="The operator's setting clusterName in this cluster.")
    ] = None,
    alone: Annotated[
        bool,
        typer.Option("--only-cluster", help="No other cluster's pierhead submits to these queues."),
    ] = False,
    terminate: Annotated[bool, typer.Option("--terminate", help="Terminate them, after asking.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Terminate without asking.")] = False,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
    region: options.RegionOption = None,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Find jobs in AWS Batch that pierhead submitted and whose BatchJob is gone from this cluster."""
    where = region_of(region)
    place = Place(kubeconfig=kubeconfig, context=context)

    async def look(kube: Cluster) -> list[Orphan]:
        async with sessions_in(where) as sessions:
            return await _found(sessions, kube, queue, cluster=cluster, alone=alone)

    found = on(place, look)
    show([one.data() for one in found], output, lambda: _print(found))
    ours = [one for one in found if one.ours]
    if len(ours) < len(found):
        typer.echo(
            f"{len(found) - len(ours)} may be another cluster's: say which this one is with --cluster NAME, "
            "or that there is no other with --only-cluster",
            err=True,
        )
    if not terminate or not found:
        return
    if not ours:
        raise CommandError("nothing was terminated: of no job is it certain that it is this cluster's")
    agreed(f"Terminate {len(ours)} jobs?", yes=yes)
    on(place, lambda _kube: _terminate(where, ours))
    typer.echo(f"{len(ours)} jobs were told to stop", err=True)


async def _found(
    sessions: AwsSessions, kube: Cluster, given: list[str] | None, *, cluster: str | None, alone: bool
) -> list[Orphan]:
    client = sessions.client("batch")
    names = list(dict.fromkeys(given)) if given else await queues(client)
    jobs = {name: await described(client, await open_in(client, name)) for name in names}
    pages = kube.client.pages(BATCH_JOBS, metadata_only=True)
    uids = {item["metadata"]["uid"] async for page in pages for item in page.items}
    return [
        orphan
        for name, of_queue in jobs.items()
        for orphan in orphans_of(name, of_queue, uids, cluster=cluster, alone=alone)
    ]


async def _terminate(region: str, found: Iterable[Orphan]) -> None:
    async with sessions_in(region) as sessions:
        client = BatchClients(sessions, region=region).get()
        for orphan in found:
            await client.terminate_job(orphan.job.id, _WHY)


def _print(found: list[Orphan]) -> None:
    if not found:
        typer.echo("no orphans found", err=True)
        return
    now = datetime.now(UTC)
    rows = []
    for one in found:
        data = one.data()
        rows.append(
            [
                data["queue"],
                f"{data['namespace']}/{data['name']}",
                data["status"],
                cell(data["size"]),
                age(data["created"], now),
                data["cluster"] or "?",
                "yes" if data["ours"] else "not certain",
                data["jobId"],
            ]
        )
    print_table(["QUEUE", "BATCHJOB", "STATUS", "SIZE", "AGE", "CLUSTER", "OURS", "JOB"], rows)
