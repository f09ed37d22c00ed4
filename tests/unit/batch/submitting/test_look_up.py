"""Jobs are looked up by their names, whatever is known of their shards."""

from pierhead.aws.batch import ListedJob
from pierhead.batch.submitting.names import JobNames
from pierhead.batch.submitting.submission import look_up
from support.batch_facts import shard

NAMES = JobNames("team-job")


class Batch:
    """A queue with two jobs of one name, newest first, and somebody else's."""

    async def jobs_named(self, _queue, _pattern):
        names = ((2, NAMES.job(0, 0)), (1, NAMES.job(0, 0)), (3, "team-job-r0-s07"))
        return [ListedJob(f"job-{number}", name, number) for number, name in names]


async def test_a_shard_that_lost_its_host_is_looked_up_too():
    first = shard(tries=2).model_copy(update={"interrupted": [1, 2]})
    second = shard("Intent", number=1)
    found = await look_up(Batch(), "queue", NAMES, (first, second))
    assert [(one, [job.id for job in jobs]) for one, jobs in found] == [
        (first, ["job-1", "job-2"]),
        (second, []),
    ]
