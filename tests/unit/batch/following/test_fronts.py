"""Where jobs are in their queues costs little, and is never made up."""

import pytest

from pierhead.aws.batch import FRONT_LIMIT
from pierhead.aws.errors import from_code
from pierhead.batch.following.fronts import Fronts, Waiter
from pierhead.batch.following.jobs import Counts, Seen
from pierhead.batch.model.status import BEYOND
from pierhead.engine.resource import ObjectKey

KEY = ObjectKey("team", "job")
WAITS, RUNS = Seen("PENDING", Counts(runnable=3)), Seen("PENDING", Counts(runnable=2, running=1))


class Queues:
    def __init__(self, **fronts: list[str]) -> None:
        self.fronts = fronts
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def front_of_queue(self, name):
        self.asked.append(name)
        if self.error:
            raise self.error
        return self.fronts[name]


def jobs(*ids: str, queue="q", seen=WAITS):
    return {(KEY, job_id): Waiter(queue, seen) for job_id in ids}


async def refreshed(fronts, waiting, polls):
    return [changed for _ in range(polls) for changed in await fronts.refresh(waiting)]


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        (["x", "a", "b"], {"a": 2, "b": 3}),
        (["x:0", "a:4", "a:5", "b:0"], {"a": 2, "b": 4}),
        (["x"], {}),
        (["b", *["x"] * (FRONT_LIMIT - 1)], {"a": BEYOND, "b": 1}),
    ],
    ids=["jobs", "children", "not in a line that is known in full", "behind a hundred"],
)
async def test_a_position_is_what_batch_tells(front, expected):
    fronts = Fronts(Queues(q=front))
    changed = await refreshed(fronts, jobs("a", "b"), 4)
    assert {job_id: position for (_, job_id), position in fronts.found.items()} == expected
    assert {job_id for _, job_id in changed} == set(expected)


async def test_a_queue_is_asked_once_for_all_who_wait_for_long_and_seldom_again():
    queues = Queues(q=["a"], r=["c"])
    fronts = Fronts(queues)
    waiting = jobs("a", "b") | jobs("c", queue="r") | jobs("d", queue="s", seen=RUNS)
    await refreshed(fronts, waiting, 3)
    assert queues.asked == []
    await refreshed(fronts, waiting, 20)
    assert queues.asked == ["q", "r"]
    await refreshed(fronts, waiting, 20)
    assert queues.asked == ["q", "r", "q", "r"]


async def test_what_runs_and_what_is_not_told_has_no_position():
    queues = Queues(q=["a"])
    fronts = Fronts(queues)
    await refreshed(fronts, jobs("a"), 4)
    assert await fronts.refresh(jobs("a", seen=RUNS)) == [(KEY, "a")]
    assert fronts.found == {}
    await refreshed(fronts, jobs("a"), 25)
    assert fronts.found == {(KEY, "a"): 1}
    queues.error = from_code("AccessDeniedException", "", operation="GetJobQueueSnapshot", http_status=403)
    await refreshed(fronts, jobs("a"), 25)
    assert fronts.found == {}
