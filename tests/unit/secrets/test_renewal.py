"""Passwords of registries: written anew in time and only then, and never a reason to restart."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from pierhead.aws.policy import Policy, PolicyDenied
from pierhead.engine.properties import Fault
from pierhead.engine.refreshes import Refreshes
from pierhead.engine.resource import ObjectKey
from pierhead.secrets import report
from pierhead.secrets.decide import Decision, decide, is_due
from pierhead.secrets.freshness import Freshness, Limits
from pierhead.secrets.memory import Memory
from pierhead.secrets.model import SyncedSecretStatus
from pierhead.secrets.reading.allowed import check
from pierhead.secrets.reading.due import Due
from pierhead.secrets.reading.references import Reference, Renewal, Version
from pierhead.secrets.reading.sources import Source, collect
from pierhead.secrets.refresh import patience_seconds, renewal_seconds
from pierhead.secrets.writing.form import Form
from support.secret_specs import live_of, resource_of, spec_of, status_of
from support.virtual_time import now as moment
from support.virtual_time import virtual_time

START = datetime(2026, 11, 23, tzinfo=UTC)
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
KEY = ".dockerconfigjson"
SPEC = spec_of(data=[{"key": KEY, "from": {"ecr": {}}}])


def sources_at(asked: datetime) -> tuple[Source, ...]:
    """What a password of twelve hours is that was asked for at that time."""
    renewal = Renewal(asked + timedelta(hours=8), asked + timedelta(hours=12))
    version = Version(HOST, f"password of {asked}", renewal=renewal)
    return collect(SPEC, {Reference("", kind="ecr"): version})


def decided(stored: SyncedSecretStatus, asked: datetime, now: datetime) -> Decision:
    renew = is_due(stored, now)
    return decide(SPEC, sources_at(asked), live=live_of(), stored=stored, renew=renew)


def written(stored: SyncedSecretStatus, asked: datetime, now: datetime) -> SyncedSecretStatus:
    target = report.target_of("shop-db", Form(), live_of())
    decision = decided(stored, asked, now)
    return report.written(stored, sources_at(asked), decision, target=target, key_count=1, restarts=None)


def test_a_password_is_written_when_it_is_due_and_no_poll_before_or_after_changes_the_status() -> None:
    first = written(status_of(), START, START)
    assert (first.renew_at, first.expires_at) == ("2026-11-23T08:00:00Z", "2026-11-23T12:00:00Z")
    assert [key.version_id for key in first.keys or ()] == [HOST]

    # A process that starts anew has another password, and leaves the one that is good.
    for hours in (1, 7):
        again = START + timedelta(hours=hours)
        assert decided(first, again, again).action == "Keep"
        assert written(first, again, again) == first

    due = START + timedelta(hours=8)
    decision = decided(first, due, due)
    assert (decision.action, decision.restart, decision.marker) == ("Write", False, first.marker)
    second = written(first, due, due)
    assert (second.renew_at, second.expires_at) == ("2026-11-23T16:00:00Z", "2026-11-23T20:00:00Z")
    assert second.marker == first.marker
    assert second.keys == first.keys


def test_a_secret_without_passwords_has_no_renewal() -> None:
    plain = spec_of(data=[{"key": "A", "from": {"secret": "shop/db"}}])
    sources = collect(plain, {Reference("shop/db"): Version("v1", "x")})
    stored = written(status_of(), START, START)
    decision = decide(plain, sources, live=live_of(), stored=stored, renew=True)
    target = report.target_of("shop-db", Form(), live_of())

    after = report.written(stored, sources, decision, target=target, key_count=1, restarts=None)
    assert decision.action == "Write"
    assert (after.renew_at, after.expires_at) == (None, None)
    settled = after.model_copy(update={"marker": decision.marker})
    assert decide(plain, sources, live=live_of(), stored=settled, renew=True).action == "Keep"


def test_another_registry_is_another_version() -> None:
    moved = [replace(source, version_id=HOST.replace("1234", "4321")) for source in sources_at(START)]
    stored = written(status_of(), START, START)

    assert decide(SPEC, moved, live=live_of(), stored=stored).restart


@pytest.mark.parametrize(
    ("interval", "hours", "expected"),
    [
        (3600.0, 0, None),
        (None, 0, 8 * 3600 / 0.9),
        (86400.0, 0, 8 * 3600 / 0.9),
        (None, 7.5, 1800 / 0.9),
        (3600.0, 7.5, 1800 / 0.9),
        (None, 9, 1 / 0.9),
    ],
)
def test_the_next_look_is_never_before_a_renewal_and_hardly_after(
    interval: float | None, hours: float, expected: float | None
) -> None:
    stored = written(status_of(), START, START)

    assert renewal_seconds(stored, START + timedelta(hours=hours), interval) == expected
    assert renewal_seconds(status_of(), START, interval) is None


@pytest.mark.parametrize(("interval", "seconds"), [(60, 60), (86400, 1800)])
def test_a_renewal_that_fails_is_tried_often_enough(interval: float, seconds: float) -> None:
    assert patience_seconds(written(status_of(), START, START), interval) == seconds
    assert patience_seconds(status_of(), interval) == interval


@pytest.mark.parametrize("mode", ["Poll", "Once"])
@virtual_time
async def test_an_object_is_due_by_its_renewal_in_either_mode_also_in_another_process(mode: str) -> None:
    def now() -> datetime:
        return START + timedelta(seconds=moment() - began)

    began = moment()
    spec = spec_of(data=[{"key": KEY, "from": {"ecr": {}}}], refresh={"mode": mode, "interval": "168h"})
    ready = {"type": "Ready", "status": "True", "reason": "Synced", "message": "1 key"}
    fields = written(status_of(), START, START).model_dump(by_alias=True, exclude_none=True)
    stored = status_of(**{
        **fields,
        "observedGeneration": 1,
        "conditions": [{**ready, "lastTransitionTime": "2026-11-23T10:00:00Z"}],
    })  # fmt: skip
    resource, woken = resource_of(), asyncio.Event()
    for process in ("first", "second"):
        refreshes = Refreshes[ObjectKey](
            clock=moment, random=Random(0), call_later=asyncio.get_running_loop().call_later
        )
        refreshes.start(lambda _key: woken.set())
        freshness = Freshness(Limits(), clock=moment)
        memory = Memory(refreshes, Due(clock=moment), freshness, poll_seconds=1e6, clock=moment, now=now)
        if process == "first" or mode == "Poll":
            memory.end(resource, spec, stored)
        else:
            assert memory.settled(resource, spec, stored, lambda _resource, _status: True) is not None
    await woken.wait()

    assert timedelta(hours=8) <= now() - START <= timedelta(hours=9.1)
    assert memory.settled(resource, spec, stored, lambda _resource, _status: True) is None


@pytest.mark.parametrize("text", ["", "soon", "2026-99-99T00:00:00Z", "2026-11-23T08:00:00"])
def test_what_somebody_else_wrote_into_the_status_is_no_moment(text: str) -> None:
    stored = written(status_of(), START, START).model_copy(update={"renew_at": text, "expires_at": text})

    assert decided(stored, START, START).action == "Write"
    assert renewal_seconds(stored, START, None) is None
    assert patience_seconds(stored, 60) == 60


def test_a_password_needs_the_power_over_all_repositories_and_the_region() -> None:
    rule = {"namespaces": ["shop"], "powers": ["repository"], "values": ["*"]}
    spec = spec_of(data=[{"key": KEY, "from": {"ecr": {"registryId": "123456789012"}}}])
    elsewhere = spec_of(data=[{"key": KEY, "from": {"ecr": {"region": "eu-west-1"}}}])

    check(spec, "shop", Policy([rule], region="us-east-1"))
    for refused, namespace, rules, field in (
        (spec, "shop", [], "spec.data[0].from.ecr"),
        (spec, "other", [rule], "spec.data[0].from.ecr"),
        (spec, "shop", [{**rule, "values": ["shop/*"]}], "spec.data[0].from.ecr"),
        (elsewhere, "shop", [rule], "spec.data[0].from.ecr.region"),
    ):
        with pytest.raises(PolicyDenied) as raised:
            check(refused, namespace, Policy(rules, region="us-east-1"))
        assert raised.value.field == field


def test_a_password_that_may_not_be_had_leaves_the_one_there_is() -> None:
    denied = collect(SPEC, {Reference("", kind="ecr"): Fault("AccessDenied", "no")})
    stored = written(status_of(), START, START)
    decision = decide(SPEC, denied, live=live_of(), stored=stored, renew=True)

    assert (decision.action, decision.fault) == (
        "Leave",
        Fault("AccessDenied", f"spec.data[0] ({KEY}): no"),
    )
    assert report.left(stored, denied).expires_at == stored.expires_at
