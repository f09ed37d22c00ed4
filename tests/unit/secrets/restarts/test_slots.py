"""No more rollouts than allowed, and everybody's turn comes."""

from hypothesis import given
from hypothesis import strategies as st

from pierhead.secrets.restarts.plan import WorkloadKey
from pierhead.secrets.restarts.slots import Slots


def workload(name: str, namespace: str = "a") -> WorkloadKey:
    return WorkloadKey(namespace, "Deployment", name)


class Turns:
    """Slots, a clock that is moved by hand, and whose turn was told."""

    def __init__(self, most: int, most_in_namespace: int) -> None:
        self.now = 0.0
        self.told: list[WorkloadKey] = []
        self.slots = Slots(
            most=most, most_in_namespace=most_in_namespace, clock=lambda: self.now, turn=self.told.append
        )


def test_a_slot_that_gets_free_goes_to_who_waited_longest() -> None:
    turns = Turns(1, 1)
    assert turns.slots.take(workload("first"), "10:00")
    assert not turns.slots.take(workload("late"), "10:02")
    assert not turns.slots.take(workload("early"), "10:01")
    turns.slots.release(workload("first"))

    assert turns.told == [workload("early")]
    assert not turns.slots.take(workload("new"), "10:00")
    assert turns.slots.take(workload("early"), "10:01")


def test_a_namespace_with_fewer_rollouts_goes_first() -> None:
    turns = Turns(2, 2)
    assert turns.slots.take(workload("a1"), "1")
    assert turns.slots.take(workload("b1", "b"), "1")
    assert not turns.slots.take(workload("a2"), "2")
    assert not turns.slots.take(workload("b2", "b"), "3")
    turns.slots.release(workload("b1", "b"))

    assert turns.told == [workload("b2", "b")]


def test_a_namespace_at_its_limit_holds_up_nobody_else() -> None:
    turns = Turns(10, 1)
    assert turns.slots.take(workload("a1"), "1")
    assert not turns.slots.take(workload("a2"), "1")

    assert turns.slots.take(workload("b1", "b"), "2")
    assert turns.told == []


def test_what_repairs_a_failure_goes_before_all_others() -> None:
    turns = Turns(1, 1)
    assert turns.slots.take(workload("first"), "1")
    assert not turns.slots.take(workload("second"), "1")
    assert not turns.slots.take(workload("repair"), "9", repairs=True)
    turns.slots.release(workload("first"))

    assert turns.told == [workload("repair")]


def test_who_does_not_come_loses_the_turn() -> None:
    turns = Turns(1, 1)
    assert turns.slots.take(workload("first"), "1")
    for name in ("second", "third"):
        assert not turns.slots.take(workload(name), "1")
    turns.slots.release(workload("first"))
    assert not turns.slots.take(workload("third"), "1")
    turns.now = 61

    assert turns.slots.take(workload("third"), "1")
    assert turns.told == [workload("second")]


def test_a_rollout_under_way_begins_anew_in_its_own_slot_even_beyond_the_limit() -> None:
    turns = Turns(1, 1)
    turns.slots.occupy(workload("a"))
    turns.slots.occupy(workload("b"))

    assert turns.slots.take(workload("a"), "1")
    turns.slots.release(workload("a"))
    assert not turns.slots.take(workload("c"), "1")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from("123"))))
def test_limits_hold_and_nothing_is_left_waiting_beside_a_free_slot(
    steps: list[tuple[bool, str, str]],
) -> None:
    turns = Turns(3, 2)
    running: set[WorkloadKey] = set()
    waiting: set[WorkloadKey] = set()
    for take, namespace, name in steps:
        one = workload(name, namespace)
        if take:
            (running if turns.slots.take(one, name) else waiting).add(one)
        else:
            turns.slots.release(one)
            running.discard(one)
        waiting = {other for other in waiting - running if other != one or take}
        while turns.told:
            turn = turns.told.pop()
            assert turns.slots.take(turn, turn.name)
            waiting.discard(turn)
            running.add(turn)
        spaces = [one.namespace for one in running]
        assert len(spaces) <= 3
        assert all(spaces.count(space) <= 2 for space in spaces)
        assert not [one for one in waiting if len(spaces) < 3 and spaces.count(one.namespace) < 2]
