"""Hints wait for looks: the first at once, the next ever more seldom, and a message for the last of them."""

import pytest

from pierhead.engine.resource import ObjectKey
from pierhead.secrets.events.hint import Hint
from pierhead.secrets.events.pending import LOOKS, Errand, Pending, answered

ONE, TWO = ObjectKey("shop", "one"), ObjectKey("shop", "two")
NAMES = frozenset({"shop/db"})
PLACE = ("shop/db", "AWSCURRENT")


def hint(version_id="v2", label="AWSCURRENT", **more):
    return Hint("secretsmanager", NAMES, "eu-west-1", label=label, version_id=version_id, **more)


class World:
    """A clock that a test moves, and what was woken when."""

    def __init__(self):
        self.now = 1000.0
        self.timers = []
        self.woken = []
        self.ended = []
        self.pending = Pending(clock=lambda: self.now, call_later=self.call_later)
        self.pending.start(lambda key, since: self.woken.append((key, since)))

    def call_later(self, delay, call):
        timer = Timer(self.now + delay, call)
        self.timers.append(timer)
        return timer

    def add(self, told=None, *keys):
        errand = Errand(lambda served: self.ended.append(set(served)))
        for key in keys or (ONE,):
            self.pending.add(key, told or hint(), errand)

    def look(self, version_id="v2", *, key=ONE, news=False):
        found = self.pending.begin(key)
        self.pending.end(key, {PLACE: version_id}, news=news)
        return found

    def until_woken(self):
        """Moves the clock to the next wake-up; how long that took."""
        began = self.now
        timer = min((one for one in self.timers if one.call), key=lambda one: one.at)
        self.now, call, timer.call = timer.at, timer.call, None
        call()
        return self.now - began


class Timer:
    def __init__(self, at, call):
        self.at = at
        self.call = call

    def cancel(self):
        self.call = None


@pytest.fixture
def world():
    return World()


def test_the_first_hint_is_looked_into_at_once_and_its_message_ends_with_the_look(world):
    world.add()
    assert world.woken == [(ONE, 1000.0)]
    assert world.look(news=True).hints == (hint(),)
    assert world.ended == [{"synced"}]
    assert world.pending.begin(ONE).hints == ()


def test_followers_within_two_seconds_share_one_look(world):
    world.add()
    world.look(news=True)
    for number in range(5):
        world.now += 0.1
        world.add(hint(f"w{number}"))
    assert len(world.woken) == 1
    assert world.until_woken() == pytest.approx(1.5, abs=0.26)
    assert len(world.woken) == 2
    assert len(world.pending.begin(ONE).hints) == 5


def test_a_message_waits_for_every_object_it_concerns(world):
    world.add(hint(), ONE, TWO)
    world.look(key=ONE)
    assert world.ended == []
    world.look(key=TWO)
    assert world.ended == [{"synced"}]


def test_what_comes_during_a_look_is_not_answered_by_it(world):
    world.add()
    world.pending.begin(ONE)
    world.add(hint("v3"))
    world.pending.end(ONE, {PLACE: "v2"}, news=True)
    assert world.ended == [{"synced"}]
    world.until_woken()
    assert world.pending.begin(ONE).hints == (hint("v3"),)


def test_a_look_that_was_cut_short_leaves_its_hints_to_the_next(world):
    world.add()
    world.pending.begin(ONE)
    assert world.look().hints == (hint(),)
    assert world.ended == [{"synced"}]


def test_a_version_that_does_not_show_is_asked_for_five_times(world):
    world.add()
    pauses = []
    for _ in range(LOOKS - 1):
        assert world.look("v1").hints
        assert world.ended == []
        pauses.append(round(world.until_woken()))
    world.look("v1")
    assert pauses == [1, 2, 4, 8]
    assert world.ended == [{"unseen"}]


def test_a_retry_wants_what_is_answered_from_then_on(world):
    world.add()
    world.look("v1")
    world.until_woken()
    assert world.woken[-1][1] == world.now
    assert world.pending.begin(ONE).since == world.now


def test_a_flood_buys_two_looks_a_minute(world):
    world.add(hint("forged"))
    looks = 0
    while world.now < 1600:
        world.look("v1")
        looks += 1
        for number in range(50):
            world.add(hint(f"forged{looks}-{number}"))
        world.until_woken()
    assert looks <= 5 + 600 / 30 + 1


def test_quiet_ends_the_slowness(world):
    world.add(hint("forged"))
    for _ in range(LOOKS - 1):
        world.look("v1")
        world.until_woken()
    world.look("v1")
    world.now += 61
    world.add(hint("another"))
    assert world.woken[-1] == (ONE, world.now)
    world.look("v1")
    assert world.until_woken() == pytest.approx(1, abs=0.26)


def test_an_object_that_goes_lets_its_messages_go(world):
    world.add(hint(), ONE, TWO)
    world.pending.drop(ONE)
    world.pending.drop(TWO)
    assert world.ended == [{"dropped"}]


def test_what_is_stopped_ends_no_message(world):
    world.add()
    world.pending.stop()
    world.pending.drop(ONE)
    assert world.ended == []


@pytest.mark.parametrize(
    ("told", "read", "served"),
    [
        (hint(), {PLACE: "v2"}, "synced"),
        (hint(), {PLACE: "v1"}, None),
        (hint(), {PLACE: None}, None),
        (hint(), {}, "looked"),
        (hint(), {("shop/db", "blue"): "v2"}, "looked"),
        (hint(None), {PLACE: "v1"}, "looked"),
        (hint(topic="Existence"), {PLACE: "v1"}, "looked"),
        (hint(label=None), {PLACE: "v1"}, "looked"),
    ],
)
def test_how_a_look_ends_a_hint(told, read, served):
    assert answered(told, read) == served
