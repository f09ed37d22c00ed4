"""Looks at children are few, fair and true."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pierhead.aws.batch import Child
from pierhead.aws.errors import from_code
from pierhead.batch.following.glimpses import CALLS_PER_POLL, Glimpses
from pierhead.batch.following.jobs import Counts, Seen
from pierhead.engine.resource import ObjectKey

KEY = ObjectKey("team", "job")
CHILDREN = [Child(index, "Essential container exited", stopped=False) for index in range(3_000)]


class Arrays:
    """Children by array and status, and how often they were listed."""

    def __init__(self) -> None:
        self.children_of: dict[tuple[str, str], list[Child]] = {}
        self.listed: Counter[tuple[str, str]] = Counter()
        self.calls = 0
        self.error: Exception | None = None

    async def children(self, array_id, status, *, most=None):
        self.listed[array_id, status] += 1
        found = self.children_of.get((array_id, status), [])
        self.calls += 1 + len(found) // 1000
        if self.error:
            raise self.error
        return found[:most]

    async def describe_jobs(self, ids):
        self.calls += 1
        return {}

    def ended(self, array_id, *, succeeded=0, failed=0) -> Seen:
        """The array, once so many of its lowest children succeeded and the next so many failed."""
        self.children_of[array_id, "SUCCEEDED"] = CHILDREN[:succeeded]
        self.children_of[array_id, "FAILED"] = CHILDREN[succeeded : succeeded + failed]
        return Seen("PENDING", Counts(running=1, succeeded=succeeded, failed=failed))


async def test_children_are_listed_only_when_the_counts_moved():
    arrays = Arrays()
    glimpses = Glimpses(arrays)
    await glimpses.refresh({(KEY, "a"): arrays.ended("a")})
    assert arrays.calls == 0
    seen = arrays.ended("a", succeeded=3, failed=1)
    assert await glimpses.refresh({(KEY, "a"): seen}) == [(KEY, "a")]
    assert set(glimpses.found[KEY, "a"].succeeded) == {0, 1, 2}
    assert set(glimpses.found[KEY, "a"].failed) == {3}
    calls = arrays.calls
    for _ in range(10):
        assert await glimpses.refresh({(KEY, "a"): seen}) == []
    assert arrays.calls == calls
    # Only the list whose count moved is read.
    await glimpses.refresh({(KEY, "a"): arrays.ended("a", succeeded=4, failed=1)})
    assert arrays.calls == calls + 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 400), st.integers(2, 25))
async def test_over_time_a_poll_costs_no_more_than_its_share_and_nobody_is_left_out(count, step, polls):
    arrays = Arrays()
    glimpses = Glimpses(arrays)
    for poll in range(1, polls + 1):
        seen = {
            (KEY, f"a{number}"): arrays.ended(
                f"a{number}", succeeded=min(2_500, poll * step), failed=poll % 2
            )
            for number in range(count)
        }
        await glimpses.refresh(seen)
    # The last look may go over the share by what one array costs; later polls pay it back.
    most_of_one = 5
    assert arrays.calls <= CALLS_PER_POLL * polls + most_of_one
    looks = [arrays.listed[f"a{number}", "SUCCEEDED"] for number in range(count)]
    if step * polls < 2_500:
        assert max(looks) - min(looks) <= 1


async def test_what_waits_for_capacity_is_asked_why_after_a_while_and_seldom_again():
    arrays = Arrays()
    why = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    arrays.children_of["a", "RUNNABLE"] = [Child(0, why, stopped=False)]
    glimpses = Glimpses(arrays)
    idle = {(KEY, "a"): Seen("PENDING", Counts(runnable=5))}
    for _ in range(3):
        await glimpses.refresh(idle)
    assert arrays.calls == 0
    await glimpses.refresh(idle)
    assert glimpses.found[KEY, "a"].stuck == why
    for _ in range(19):
        await glimpses.refresh(idle)
    assert arrays.calls == 1
    await glimpses.refresh({(KEY, "a"): Seen("PENDING", Counts(runnable=4, running=1))})
    assert glimpses.found[KEY, "a"].stuck is None


async def test_an_array_that_an_event_suspects_is_asked_why_at_the_next_look():
    arrays = Arrays()
    why = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    arrays.children_of["a", "RUNNABLE"] = [Child(0, why, stopped=False)]
    glimpses = Glimpses(arrays)
    idle = {(KEY, "a"): Seen("PENDING", Counts(runnable=5))}
    await glimpses.refresh(idle)
    glimpses.suspect("a")
    await glimpses.refresh(idle)
    assert (glimpses.found[KEY, "a"].stuck, arrays.calls) == (why, 1)
    glimpses.suspect("a")
    runs = {(KEY, "a"): Seen("PENDING", Counts(runnable=4, running=1))}
    await glimpses.refresh(runs)
    assert glimpses.found[KEY, "a"].stuck is None


async def test_a_look_that_fails_is_no_trouble_and_is_made_up_for():
    arrays = Arrays()
    glimpses = Glimpses(arrays)
    seen = {(KEY, "a"): arrays.ended("a", succeeded=3)}
    for code in ("AccessDeniedException", "TooManyRequestsException", "ServerException"):
        arrays.error = from_code(code, "", operation="ListJobs", http_status=500)
        assert await glimpses.refresh(seen) == []
    arrays.error = None
    assert await glimpses.refresh(seen) == [(KEY, "a")]


async def test_two_objects_that_claim_one_array_are_kept_apart():
    arrays = Arrays()
    glimpses = Glimpses(arrays)
    other = ObjectKey("other", "job")
    await glimpses.refresh({(KEY, "a"): arrays.ended("a", succeeded=2)})
    assert (other, "a") not in glimpses.found
    glimpses.forget((other, "a"))
    assert (KEY, "a") in glimpses.found
