"""Laws of the compact children, and of the clock and the timers."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pierhead_sandbox.aws.batch.children import Children
from pierhead_sandbox.aws.batch.clock import Clock
from pierhead_sandbox.aws.batch.states import STATUSES, Status
from pierhead_sandbox.aws.batch.timers import Timers

moves = st.lists(st.tuples(st.integers(min_value=0, max_value=4), st.sampled_from(STATUSES)))


@given(moves, st.one_of(st.none(), st.sampled_from(STATUSES)))
def test_counts_are_the_states(steps, everyone):
    children = Children(5, 0.0)
    for index, status in steps:
        children.move(index, status)
    if everyone is not None:
        children.move_all(everyone)
    counted = Counter(children.states)
    assert children.counts == [counted[status] for status in STATUSES]
    assert sum(children.counts) == 5


ends = st.tuples(st.one_of(st.none(), st.integers(min_value=0, max_value=255)), st.text(), st.text())


@given(st.lists(ends, min_size=1, max_size=10))
def test_every_ended_attempt_is_kept_in_order(given_ends):
    children = Children(3, 0.0)
    for number, (exit_code, reason, status_reason) in enumerate(given_ends, start=1):
        assert children.attempt_number(1) == number
        children.started[1] = number
        children.end_attempt(
            1, at=number + 0.5, exit_code=exit_code, reason=reason, status_reason=status_reason
        )
        if number < len(given_ends):
            children.next_attempt(1)
    assert len(children.attempts(1)) == len(given_ends) - 1
    children.move(1, Status.FAILED)
    attempts = children.attempts(1)
    assert [(a.exit_code, a.reason, a.status_reason) for a in attempts] == given_ends
    assert [a.number for a in attempts] == list(range(1, len(given_ends) + 1))
    assert children.attempts(0) == []


def test_a_child_that_never_started_has_no_attempt():
    children = Children(1, 0.0)
    children.move(0, Status.FAILED)
    assert children.attempts(0) == []


def test_the_clock_never_goes_back():
    now = [100.0]
    clock = Clock(lambda: now[0])
    clock.jump(150)
    clock.jump(120)
    assert clock.now() == 150
    now[0] += 5
    assert clock.now() == 155
    clock.freeze()
    now[0] += 1000
    assert clock.now() == 155
    clock.jump(160)
    clock.run()
    assert (clock.now(), clock.frozen) == (160, False)
    now[0] += 1
    assert clock.now() == 161
    clock.reset()
    assert clock.now() == now[0]


@given(st.lists(st.integers(min_value=0, max_value=9), max_size=30))
def test_timers_run_by_time_and_then_by_creation(times):
    timers, ran = Timers(), []
    for order, moment in enumerate(times):
        timers.add(moment, lambda *seen: ran.append(seen), moment, order)
    while timers.run(5, 1):
        continue
    assert ran == sorted((moment, order) for order, moment in enumerate(times) if moment <= 5)
    assert timers.next_at() == min((moment for moment in times if moment > 5), default=None)
    timers.clear()
    assert timers.next_at() is None
