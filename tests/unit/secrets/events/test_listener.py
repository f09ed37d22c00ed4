"""Where messages come from, what becomes of them, and when silence means something."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pierhead.aws.queues import Message
from pierhead.engine.resource import ObjectKey
from pierhead.secrets.events.health import PROBES, QUEUE_SECONDS, Health
from pierhead.secrets.events.index import Index, watched
from pierhead.secrets.events.listener import WARM_SECONDS, Listener, Scope
from pierhead.secrets.events.metrics import EventMetrics
from pierhead.secrets.events.pending import Pending
from support.secret_events import ACCOUNT, REGION, event
from support.secret_specs import entry, spec_of

KEY = ObjectKey("shop", "one")


class Ears:
    """A listener, and what became of the messages it was given."""

    def __init__(self, *, age=WARM_SECONDS):
        self.now = 0.0
        self.deleted: list[str] = []
        self.left: list[str] = []
        self.registry = CollectorRegistry()
        self.health = Health(probe_seconds=100, clock=lambda: self.now)
        self.pending = Pending(clock=lambda: self.now, call_later=lambda _delay, _call: None)
        self.index = Index()
        self.index.put(KEY, watched(spec_of(data=[entry("A", "shop/db")]), region=REGION))
        self.listener = Listener(
            index=self.index,
            pending=self.pending,
            scope=Scope(frozenset({REGION}), frozenset({ACCOUNT}), REGION),
            health=self.health,
            metrics=EventMetrics(self.registry),
            delete=lambda message: self.deleted.append(message.id),
            leave=lambda message: self.left.append(message.id),
            clock=lambda: self.now,
            now=lambda: 10.0,
        )
        self.now = age

    def hear(self, *bodies):
        for number, body in enumerate(bodies):
            text = body if isinstance(body, str) else json.dumps(body)
            self.listener.take(Message(str(number), 5.0, "receipt"), text)

    def count(self, end):
        return self.registry.get_sample_value("pierhead_secret_events_total", {"end": end})


NAME = "shop/db"
FOREIGN = f"arn:aws:secretsmanager:{REGION}:999999999999:secret:shop/db"


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (event(NAME, "v", account="999999999999", resources=[]), "ignored"),
        (event(NAME, "v", region="eu-west-1", resources=[]), "ignored"),
        (event(NAME, "v", account="", resources=[FOREIGN]), "ignored"),
        (event(NAME, "v", source="aws.s3"), "ignored"),
        ([], "ignored"),
        (event("shop/other", "v"), "irrelevant"),
        (event(NAME, "v", source="dev.pierhead"), "probe"),
    ],
)  # fmt: skip
def test_what_leads_to_no_look_is_deleted_at_once(body, end):
    ears = Ears()
    ears.hear(body)
    assert (ears.deleted, ears.count(end)) == (["0"], 1)


def test_what_is_no_json_is_left():
    ears = Ears()
    ears.hear("hunter2")
    assert (ears.deleted, ears.left, ears.count("malformed")) == ([], ["0"], 1)


def test_a_message_is_deleted_when_its_look_is_over_and_its_twin_then_at_once():
    ears = Ears()
    told = event(NAME, "v2")
    ears.hear(told)
    assert ears.deleted == []
    ears.pending.begin(KEY)
    ears.pending.end(KEY, {(NAME, "AWSCURRENT"): "v2"}, news=True)
    assert ears.deleted == ["0"]
    assert ears.registry.get_sample_value("pierhead_secret_events_age_seconds_sum") == 5.0
    ears.hear(told)
    assert (ears.deleted, ears.count("duplicate")) == (["0", "0"], 1)


def test_what_nobody_seems_to_name_comes_back_while_objects_are_still_being_read():
    ears = Ears(age=WARM_SECONDS - 1)
    ears.hear(event("shop/other", "v"))
    assert (ears.deleted, ears.left) == ([], ["0"])


def test_events_that_arrive_are_healthy_until_two_probes_are_missed():
    ears = Ears()
    assert not ears.health.good(ears.now)
    ears.hear(event(NAME, "v", source="dev.pierhead"))
    assert ears.health.good(ears.now)
    ears.now += 100 * PROBES - 1
    assert ears.health.good(ears.now)
    assert not ears.health.good(ears.now - QUEUE_SECONDS)
    ears.now += 1
    assert not ears.health.good(ears.now)


def test_silence_is_infinite_before_the_first_event():
    assert Ears().health.silence == math.inf


def test_foreign_events_prove_nothing():
    ears = Ears()
    ears.hear(event(NAME, "v", source="aws.s3"), event(NAME, "v", account="999999999999", resources=[]))
    assert not ears.health.good(ears.now)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_text_breaks_it(text):
    ears = Ears()
    ears.hear(text)
    assert len(ears.deleted) + len(ears.left) == 1
