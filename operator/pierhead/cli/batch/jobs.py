"""A BatchJob's jobs in Batch, found by their names and proven by their tags.

Invariant: a job counts as the BatchJob's only where its tag has the BatchJob's uid. Which job ran an index is
read from the variables that the job itself was told it by.
"""

from collections.abc import Iterable, Mapping

from pierhead.aws.batchsurvey import SurveyedJob, described, named
from pierhead.aws.session import AwsClient
from pierhead.batch.ledgers.intervals import parse
from pierhead.batch.submitting.contract import INDEX_MAP, INDEX_OFFSET
from pierhead.batch.submitting.definition import UID_TAG
from pierhead.batch.submitting.names import JobNames
from pierhead.cli.aws import region_of
from pierhead.cli.batch.views import spec_of
from pierhead.engine.resource import Object


def region(obj: Object, given: str | None) -> str:
    """The region of a BatchJob. Raises CommandError where none is told anywhere."""
    return region_of(given or (spec_of(obj).get("aws") or {}).get("region"))


async def jobs_of(client: AwsClient, obj: Object) -> list[SurveyedJob]:
    """All jobs of a BatchJob that Batch still knows, newest first; arrays without their children."""
    metadata = obj["metadata"]
    names = JobNames.of(metadata["namespace"], metadata["name"], metadata["uid"])
    ids = await named(client, str(spec_of(obj)["queue"]), f"{names.base}-r")
    found = await described(client, ids, (INDEX_MAP, INDEX_OFFSET))
    ours = [job for job in found if job.tags.get(UID_TAG) == metadata["uid"]]
    return sorted(ours, key=lambda job: (job.created_at, job.id), reverse=True)


def job_id_of(jobs: Iterable[SurveyedJob], index: int) -> str | None:
    """Id of the job, or of the array's child, that ran an index first among these."""
    for job in jobs:
        place = place_of(index, job.array_size, job.variables)
        if place is not None:
            return job.id if job.array_size is None else f"{job.id}:{place}"
    return None


def place_of(index: int, array_size: int | None, variables: Mapping[str, str]) -> int | None:
    """At which place a job of this size has an index, by the index contract; None where it has it not."""
    size = array_size or 1
    if INDEX_MAP in variables:
        before = 0
        for first, last in parse(variables[INDEX_MAP], index + 1):
            if first <= index <= last:
                return before + index - first if before + index - first < size else None
            before += last - first + 1
        return None
    place = index - int(variables.get(INDEX_OFFSET) or 0)
    return place if 0 <= place < size else None
