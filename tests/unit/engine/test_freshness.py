"""A deaf watch and lists that fail are noticed; a quiet cluster is not taken for either."""

from pierhead.engine.freshness import Freshness


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fresh() -> tuple[Freshness, Clock]:
    clock = Clock()
    return Freshness(resync_seconds=1200.0, clock=clock), clock


def test_a_quiet_cluster_is_healthy() -> None:
    freshness, clock = fresh()
    for _ in range(10):
        clock.now += 1400.0
        freshness.relisted(set())
        assert freshness.problem() is None


def test_a_change_that_only_the_list_had_is_waited_for_and_then_a_problem() -> None:
    freshness, clock = fresh()
    freshness.listed_first("u1", "10")
    clock.now += 170.0
    assert freshness.problem() is None
    clock.now += 20.0
    assert "watch" in (freshness.problem() or "")


def test_the_same_or_a_newer_version_from_the_watch_settles_it() -> None:
    freshness, clock = fresh()
    freshness.listed_first("u1", "10")
    freshness.listed_first("u2", "9")
    freshness.delivered("u1", "9")
    clock.now += 200.0
    assert freshness.problem() is not None
    freshness.delivered("u1", "11")
    freshness.delivered("u2", "9")
    assert freshness.problem() is None


def test_an_object_that_is_gone_needs_no_delivery() -> None:
    freshness, clock = fresh()
    freshness.listed_first("u1", "10")
    clock.now += 200.0
    freshness.relisted(set())
    assert freshness.problem() is None


def test_lists_that_fail_for_long_are_a_problem() -> None:
    freshness, clock = fresh()
    clock.now += 4400.0
    assert freshness.problem() is None
    clock.now += 200.0
    assert "no complete list" in (freshness.problem() or "")
