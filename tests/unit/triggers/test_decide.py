"""Every branch of what an EventTrigger does next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.triggers.cron import TOO_MANY, Due
from pierhead.triggers.decide import REMEMBERED, Child, Decision, Facts, decide, replaced

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NEXT = NOW + timedelta(minutes=30)
DUE = Due(NOW - timedelta(minutes=1), NEXT, 1)
NOT_DUE = Due(None, NEXT)


def child(
    name: str, *, ended: float | None = None, succeeded: bool = True, age: float = 3600, **fields
) -> Child:
    """`age` and `ended` in seconds ago."""
    return Child(
        name=name,
        uid=f"uid-{name}",
        key=name,
        created=NOW - timedelta(seconds=age),
        ended=None if ended is None else NOW - timedelta(seconds=ended),
        succeeded=ended is not None and succeeded,
        **fields,
    )


RUNNING = child("running")
OLD = 3000.0


def facts(**fields) -> Facts:
    return Facts(**{"now": NOW, "scheduled_key": "at-noon", "last_success": NOW, **fields})


SCHEDULES = {
    "nothing is due": ({"due": NOT_DUE}, "Hold"),
    "a time that is due is started": ({"due": DUE}, "Start"),
    "what has been started for it is not started again": (
        {"due": DUE, "children": (child("at-noon"),)},
        "Done",
    ),
    "nor after it has ended": ({"due": DUE, "children": (child("at-noon", ended=5),)}, "Done"),
    "nothing is started while it is suspended": ({"due": DUE, "suspend": True}, "Hold"),
    "Allow starts beside what runs": ({"due": DUE, "children": (RUNNING,)}, "Start"),
    "Forbid waits for what runs": ({"due": DUE, "children": (RUNNING,), "policy": "Forbid"}, "Hold"),
    "Forbid starts after what has ended": (
        {"due": DUE, "children": (child("a", ended=5),), "policy": "Forbid"},
        "Start",
    ),
    "Replace starts": ({"due": DUE, "children": (RUNNING,), "policy": "Replace"}, "Start"),
}


@pytest.mark.parametrize("case", SCHEDULES)
def test_what_becomes_of_a_time_of_the_schedule(case):
    given_facts, expected = SCHEDULES[case]
    assert decide(facts(**given_facts)).scheduled == expected


EVENTS = {
    "each is started": ({"waiting": ("a", "b")}, ("Start", "Start")),
    "one that was started is done with": (
        {"waiting": ("a", "b"), "children": (child("a"),)},
        ("Done", "Start"),
    ),
    "two that are the same start one thing": ({"waiting": ("a", "b", "a")}, ("Start", "Start", "Done")),
    "all wait while it is suspended": ({"waiting": ("a", "b"), "suspend": True}, ("Hold", "Hold")),
    "what was started is done with although it is suspended": (
        {"waiting": ("a",), "suspend": True, "children": (child("a"),)},
        ("Done",),
    ),
    "Forbid starts one": ({"waiting": ("a", "b"), "policy": "Forbid"}, ("Start", "Hold")),
    "Forbid starts none beside what runs": (
        {"waiting": ("a", "b"), "policy": "Forbid", "children": (RUNNING,)},
        ("Hold", "Hold"),
    ),
    "Forbid does not count what is being deleted": (
        {"waiting": ("a",), "policy": "Forbid", "children": (child("b", deleting=True),)},
        ("Start",),
    ),
    "Replace starts the newest": ({"waiting": ("a", "b"), "policy": "Replace"}, ("Done", "Start")),
    "Replace never goes back to an older one": (
        {"waiting": ("a",), "overtaken": frozenset("a"), "policy": "Replace", "children": (RUNNING,)},
        ("Done",),
    ),
    "Allow starts an older one too": ({"waiting": ("a",), "overtaken": frozenset("a")}, ("Start",)),
}


@pytest.mark.parametrize("case", EVENTS)
def test_what_becomes_of_waiting_events(case):
    given_facts, expected = EVENTS[case]
    assert decide(facts(**given_facts)).events == expected


def test_what_is_replaced_goes_once_what_replaces_it_is_there():
    old, ended = child("old", age=60), child("ended", age=90, ended=5)
    new = child("new", age=30, replaces=True)
    assert replaced((new, old, ended), "Replace") == (old,)
    assert replaced((old, new, child("later", age=10)), "Replace") == (old,)
    assert replaced((old, ended, RUNNING), "Replace") == ()
    assert replaced((old, new), "Allow") == ()


def test_of_one_second_the_event_that_was_sent_later_is_the_newer():
    a = child("a", sent=NOW, replaces=True)
    b = child("b", sent=NOW - timedelta(milliseconds=1), replaces=True)
    assert replaced((a, b), "Replace") == (b,)


def test_the_oldest_history_goes():
    children = tuple(child(str(age), ended=OLD, age=age) for age in (3100, 3400, 3200, 3300))
    failed = tuple(child(f"f{age}", ended=OLD, age=age, succeeded=False) for age in (3100, 3200))
    decision = decide(facts(children=(*children, *failed, RUNNING)))
    assert [one.name for one in decision.trimmed] == ["3400", "f3200"]


def test_what_a_time_started_is_kept_until_the_status_tells_of_it():
    """Were it deleted first, and the operator died then, the next one would start it again."""
    ended = child("at-noon", ended=50)
    decision = decide(facts(children=(ended,), due=DUE, keep_successful=0))
    assert (decision.scheduled, decision.trimmed, decision.wake_at) == ("Done", (), NOW)
    decision = decide(facts(children=(ended,), due=NOT_DUE, keep_successful=0))
    assert decision.trimmed == (ended,)


def test_a_success_is_kept_until_the_status_tells_of_it():
    ended = child("a", ended=OLD - 0.5)
    for told in (None, ended.ended - timedelta(seconds=1)):
        decision = decide(facts(children=(ended,), keep_successful=0, last_success=told))
        assert (decision.trimmed, decision.wake_at) == ((), NOW)
    whole = ended.ended.replace(microsecond=0)
    decision = decide(facts(children=(ended,), keep_successful=0, last_success=whole))
    assert decision.trimmed == (ended,)


def test_no_history_can_be_asked_for():
    decision = decide(facts(children=(child("a", ended=OLD), RUNNING), keep_successful=0))
    assert [one.name for one in decision.trimmed] == ["a"]


def test_what_an_event_started_is_kept_while_the_event_may_come_again():
    recent = child("a", ended=100)
    decision = decide(facts(children=(recent,), keep_successful=0))
    assert decision.trimmed == ()
    assert decision.wake_at == NOW - timedelta(seconds=100) + REMEMBERED
    assert decide(facts(children=(recent,), keep_successful=0, due=NOT_DUE)).trimmed == (recent,)


def test_an_end_is_told_before_it_is_history():
    ended = child("a", ended=OLD)
    decision = decide(facts(children=(ended,), keep_successful=0, announces=True))
    assert (decision.announced, decision.trimmed) == ((ended,), ())
    told = child("a", ended=OLD, announced=True)
    decision = decide(facts(children=(told,), keep_successful=0, announces=True))
    assert (decision.announced, decision.trimmed) == ((), (told,))


def test_it_is_due_again_at_the_next_time():
    assert decide(facts(due=NOT_DUE)) == Decision(wake_at=NEXT)
    assert decide(facts(due=NOT_DUE, suspend=True)) == Decision()


def test_times_that_were_missed_are_told():
    assert "only the latest" in decide(facts(due=Due(NOW, NEXT, TOO_MANY + 1))).warning
    held = decide(facts(due=DUE, policy="Forbid", children=(RUNNING,))).warning
    assert held == "2026-01-01T11:59:00Z waits or passes, because what was started before runs"
    assert decide(facts(due=DUE)).warning == ""


children_of = st.lists(
    st.builds(
        child,
        st.sampled_from("abcdef"),
        ended=st.none() | st.floats(0, 2000),
        succeeded=st.booleans(),
        announced=st.booleans(),
        deleting=st.booleans(),
    ),
    unique_by=lambda one: one.name,
)


@given(
    children_of,
    st.lists(st.sampled_from("abcdefgh")),
    st.sampled_from(["Allow", "Forbid", "Replace"]),
    st.booleans(),
    st.integers(0, 2),
)
def test_nothing_is_started_twice_and_nothing_that_runs_is_history(children, waiting, policy, suspend, keep):
    decision = decide(
        facts(
            children=tuple(children),
            waiting=tuple(waiting),
            policy=policy,
            suspend=suspend,
            keep_successful=keep,
            announces=True,
        )
    )
    started = [key for key, verdict in zip(waiting, decision.events, strict=True) if verdict == "Start"]
    assert len(started) == len(set(started))
    assert not {one.key for one in children} & set(started)
    assert not any(one.active or not one.announced for one in decision.trimmed)
    if policy == "Forbid" and any(one.active for one in children):
        assert started == []
    if policy != "Allow":
        assert len(started) <= 1
    if suspend:
        assert started == []
