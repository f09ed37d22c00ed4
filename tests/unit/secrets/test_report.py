"""What the status says, and that it says it once."""

import json

import pytest

from pierhead.engine.conditions import READY, STALLED
from pierhead.engine.properties import Fault
from pierhead.secrets import report
from pierhead.secrets.decide import Decision, decide
from pierhead.secrets.model import SyncedSecretStatus
from pierhead.secrets.model.limits import (
    FIND_LIMIT,
    FOUND_NAME_LENGTH,
    MESSAGE_LIMIT,
    MOST_EXTRACTS,
    MOST_FOUND,
    MOST_KEYS,
    MOST_RESTARTS,
    RESTART_MESSAGE_LIMIT,
)
from pierhead.secrets.model.status import RestartStatus
from pierhead.secrets.reading.sources import Source
from pierhead.secrets.writing.form import Form
from support.secret_specs import (
    DENIED,
    GONE,
    entry,
    extract,
    live_of,
    restart_of,
    sources_of,
    spec_of,
    status_of,
)

LIVE = live_of()
GO_ON = (
    ". No other workload is restarted until it is healthy, the values or the spec change, or the annotation "
    "pierhead.dev/reconcile-at does"
)


def written(
    stored: SyncedSecretStatus, sources: tuple[Source, ...], decision: Decision
) -> SyncedSecretStatus:
    target = report.target_of("shop-db", Form(), LIVE)
    return report.written(stored, sources, decision, target=target, key_count=3, restarts=None)


def test_what_was_written_is_told_by_version() -> None:
    spec = spec_of(data=[entry("A")], dataFrom=[extract()])
    sources = sources_of(spec, shop__db="x", shop__env='{"B": 1, "C": 2}')
    decision = decide(spec, sources, live=None, stored=status_of())

    assert report.fields(written(status_of(), sources, decision)) == {
        "target": {"name": "shop-db", "type": "Opaque", "uid": "s1", "resourceVersion": "7"},
        "keyCount": 3,
        "keys": [{"key": "A", "versionId": "v1-shop/db"}],
        "extracts": [{"secret": "shop/env", "keys": 2, "versionId": "v1-shop/env"}],
        "marker": decision.marker,
    }


def test_a_secret_that_was_left_keeps_its_versions_beside_the_faults() -> None:
    spec = spec_of(data=[entry("A", "shop/a"), entry("B", "shop/b")])
    stored = status_of(
        "m", live=LIVE, keys=[{"key": "A", "versionId": "old-a"}, {"key": "B", "versionId": "old-b"}]
    )
    status = report.left(stored, sources_of(spec, shop__a="new", shop__b=DENIED))

    assert report.fields(status)["keys"] == [
        {"key": "A", "versionId": "old-a"},
        {"key": "B", "versionId": "old-b", "reason": "AccessDenied", "message": "no"},
    ]
    assert status.marker == "m"


@pytest.mark.parametrize(("policy", "version"), [("Retain", "old-b"), ("Delete", None)])
def test_an_optional_key_tells_whether_its_value_is_still_there(policy: str, version: str | None) -> None:
    spec = spec_of(data=[entry("A", "shop/a"), entry("B", "shop/b", optional=True)], onSourceDelete=policy)
    stored = status_of("m", keys=[{"key": "B", "versionId": "old-b"}])
    sources = sources_of(spec, shop__a="x", shop__b=GONE)
    status = written(stored, sources, decide(spec, sources, live=LIVE, stored=stored))

    assert status.keys is not None
    assert (status.keys[1].version_id, status.keys[1].reason) == (version, "SecretNotFound")


def test_a_deleted_secret_is_forgotten_but_for_its_marker() -> None:
    spec = spec_of(data=[entry("A")])
    stored = status_of("m", live=LIVE, keys=[{"key": "A", "versionId": "old"}], keyCount=1)
    fields = report.fields(report.deleted(stored, sources_of(spec, shop__db=GONE)))

    assert fields == {
        "marker": "m",
        "keys": [{"key": "A", "reason": "SecretNotFound", "message": "does not exist"}],
    }


def test_a_fault_is_not_ready_and_stalled() -> None:
    conditions = report.conditions(status_of(), Fault("NotJSON", "spec.data[0] (A): is not JSON"), "")

    assert [(one.type, one.status, one.reason) for one in conditions] == [
        (READY, "False", "NotJSON"),
        (STALLED, "True", "NotJSON"),
    ]


@pytest.mark.parametrize(
    ("restarts", "told"),
    [
        ([restart_of("a", message="is paused")], {"RestartPending": ("Waiting", "Deployment a is paused")}),
        (
            [restart_of("a", "RollingOut"), restart_of("b", message="waits")],
            {"RestartPending": ("Waiting", "Deployment a is rolling out; Deployment b waits")},
        ),
        (
            [restart_of("a", "RollingOut")],
            {"RestartPending": ("RollingOut", "Deployment a is rolling out")},
        ),
        (
            [restart_of("a", "Failed", message="timed out"), restart_of("b", message="waits")],
            {
                "RestartPending": ("Waiting", "Deployment b waits"),
                "RestartFailed": (
                    "RolloutFailed",
                    f"Deployment a: timed out{GO_ON}",
                ),
            },
        ),
    ],
    ids=["waits", "one-of-two", "rolls-out", "failed"],
)
def test_open_restarts_are_conditions_beside_ready(
    restarts: list[RestartStatus], told: dict[str, tuple[str, str]]
) -> None:
    status = status_of().model_copy(update={"restarts": restarts})
    conditions = report.conditions(status, None, "1 key from 1 secret")

    assert {one.type: (one.reason, one.message) for one in conditions} == {
        "Ready": ("Synced", "1 key from 1 secret"),
        **told,
    }
    assert all(one.status == "True" for one in conditions)


def test_suspension_keeps_what_was_true() -> None:
    stored = status_of(
        conditions=[
            {
                "type": "Ready",
                "status": "True",
                "reason": "Synced",
                "message": "2 keys from 1 secret",
                "lastTransitionTime": "2026-11-23T10:00:00Z",
            }
        ]
    )

    assert [(one.type, one.status) for one in report.suspended(stored)] == [
        (READY, "True"),
        (report.SUSPENDED, "True"),
    ]
    assert [(one.type, one.status) for one in report.suspended(status_of())] == [
        (READY, "Unknown"),
        (report.SUSPENDED, "True"),
    ]


@pytest.mark.parametrize("keys", [0, 50, MOST_KEYS - 4, MOST_KEYS])
def test_the_largest_status_is_below_64_kib(keys: int) -> None:
    long = Fault("PropertyNotFound", "x" * 1000, absent=True)
    spec = spec_of(
        data=[entry(f"{index:03}{'k' * 250}") for index in range(keys)],
        dataFrom=[extract("e" * 512) for _ in range(MOST_EXTRACTS)],
    )
    sources = [
        Source(f"spec.data[{index}]", "s", (), key=line.key, fault=long)
        for index, line in enumerate(spec.data or ())
    ]
    sources += [
        Source(f"spec.dataFrom[{index}]", "e" * 512, (), fault=long) for index in range(MOST_EXTRACTS - 1)
    ]
    sources.append(Source("spec.dataFrom[9]", "f" * FIND_LIMIT, (), kind="find", fault=long))
    found = [
        {
            "name": f"{index:03}{'n' * (FOUND_NAME_LENGTH - 3)}",
            "versionId": "v" * 36,
            "reason": "SecretNotFound",
        }
        for index in range(MOST_FOUND - keys)
    ]
    stored = status_of(
        "m" * 32,
        live=LIVE,
        keys=[{"key": line.key, "versionId": "v" * 64} for line in spec.data or ()],
        extracts=[
            {"secret": "e" * 512, "versionId": "v" * 64},
            {"find": "f" * FIND_LIMIT, "found": found},
        ],
    )
    restart = restart_of("n" * 63, "Failed", message="x" * RESTART_MESSAGE_LIMIT, generation=1)
    stored = stored.model_copy(update={"restarts": [restart] * MOST_RESTARTS})
    status = report.left(stored, sources)
    conditions = report.conditions(status, Fault("PropertyNotFound", "m" * 5000), "")

    assert all(len(one.message or "") == MESSAGE_LIMIT for one in status.keys or ())
    size = len(json.dumps(report.fields(status))) + sum(len(one.message) + 200 for one in conditions)
    assert size < 64 * 1024


def test_summaries_count() -> None:
    spec = spec_of(data=[entry("A"), entry("B", "shop/other")])

    assert report.summary(sources_of(spec, shop__db="x", shop__other="y"), 2) == "2 keys from 2 secrets"
    assert report.summary(sources_of(spec_of(data=[entry("A")]), shop__db="x"), 1) == "1 key from 1 secret"
