"""What `status` and `why` say of a SyncedSecret."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pierhead.cli.secrets import views
from pierhead.cli.secrets.advice import ADVICE
from pierhead.cli.secrets.reasons import Around, explain

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def synced(
    ready: str | None = "True", *, since: str = "2026-11-23T11:00:00Z", reason: str = "Synced", **fields: Any
) -> dict[str, Any]:
    spec = fields.pop("spec", {})
    conditions = fields.pop("conditions", [])
    if ready is not None:
        entry = {
            "type": "Ready",
            "status": ready,
            "reason": reason,
            "message": "why",
            "lastTransitionTime": since,
        }
        conditions = [entry, *conditions]
    status = {"observedGeneration": 1, "conditions": conditions, **fields}
    metadata = {"name": "shop-db", "namespace": "shop", "uid": "u1", "generation": 1}
    return {"kind": "SyncedSecret", "metadata": metadata, "spec": spec, "status": status}


CADENCE = views.Cadence("1h", "12h")
TARGET = {"target": {"name": "shop-db"}}


@pytest.mark.parametrize(
    ("obj", "read", "following"),
    [
        (synced(**TARGET), "<12h", "event, <12h"),
        (synced(spec={"refresh": {"interval": "24h"}}, **TARGET), "<1d", "event, <1d"),
        (synced(spec={"refresh": {"mode": "Poll"}}, **TARGET), "<1h", "<1h"),
        (synced(spec={"refresh": {"mode": "Poll", "interval": "90s"}}, **TARGET), "<90s", "<90s"),
        (synced(spec={"refresh": {"mode": "Once"}}, **TARGET), "", "when asked"),
        (synced(spec={"suspend": True}, **TARGET), "", "suspended"),
        (synced("False", since="2026-11-23T08:30:00Z", **TARGET), ">3h", "retry <1h"),
        (synced("False", since="2026-11-20T12:00:00Z", **TARGET), ">3d", "retry <1h"),
        (synced("False", since="2026-11-23T11:59:00Z", **TARGET), ">60s", "retry <1h"),
        (synced("False"), "never", "retry <1h"),
        (synced("False", since="soon", **TARGET), "", "retry <1h"),
        (synced("Unknown", **TARGET), "", "retry <1h"),
        (synced(observedGeneration=0, **TARGET), "", "event, <12h"),
        ({"metadata": {"name": "a", "namespace": "b"}, "spec": {}}, "", "retry <1h"),
    ],
)
def test_the_last_and_the_next_read_are_told_as_far_as_they_are_known(
    obj: dict[str, Any], read: str, following: str
) -> None:
    entry = views.summary(obj, cadence=CADENCE, now=NOW)

    assert (views.read_cell(entry), views.next_cell(entry)) == (read, following)


def test_a_line_of_status_has_what_scripts_rely_on() -> None:
    keys = [{"key": "A", "versionId": "11111111-2222"}, {"key": "B", "versionId": "11111111-2222"}]
    entry = views.summary(synced(keys=keys, keyCount=2, **TARGET), cadence=CADENCE, now=NOW)

    assert entry == {
        "namespace": "shop",
        "name": "shop-db",
        "ready": "True",
        "reason": "Synced",
        "message": "why",
        "secret": "shop-db",
        "keys": 2,
        "versions": ["11111111-2222"],
        "mode": "Events",
        "intervalSeconds": 43200.0,
        "retrySeconds": 3600.0,
        "lastRead": {"within": 43200.0},
        "stale": False,
        "suspended": False,
        "restarts": 0,
        "current": True,
    }
    assert views.versions_cell(entry) == "11111111"
    assert views.versions_cell({"versions": ["a", "b"]}) == "2"


def told(obj: dict[str, Any], secret: Any = None, event: Any = None) -> dict[str, tuple[str, str, str]]:
    around = Around(secret=secret, event=event, cadence=CADENCE, now=NOW)
    return {one.about: (one.state, one.text, one.advice) for one in explain(obj, around)}


def secret_of(**owner: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop-db", "ownerReferences": [owner] if owner else []}}


def test_what_is_well_is_told_in_a_few_lines() -> None:
    found = told(synced(keys=[{"key": "A", "versionId": "v"}], **TARGET), secret_of(uid="u1"))

    assert {about: state for about, (state, _, _) in found.items()} == dict.fromkeys(
        ["Ready", "Keys", "Secret", "Reads"], "good"
    )


def test_every_failing_line_is_told_with_what_to_do() -> None:
    keys = [
        {"key": "A", "versionId": "v", "reason": "AccessDenied", "message": "no"},
        {"key": "B", "reason": "NullValue", "message": "is null"},
        {"key": "C", "versionId": "v"},
    ]
    gone = {"name": "shop/old", "versionId": "w", "reason": "SecretNotFound"}
    extracts = [
        {"secret": "shop/env", "reason": "NewReason", "message": "odd"},
        {"find": "namePrefix shop/", "found": [gone, {"name": "shop/new", "versionId": "x"}]},
    ]
    found = told(synced("False", reason="AccessDenied", keys=keys, extracts=extracts, **TARGET))

    assert found["Ready"][2] == ADVICE["AccessDenied"]
    assert found["key A"] == (
        "bad",
        "AccessDenied: no; the Secret keeps its last value",
        ADVICE["AccessDenied"],
    )
    assert found["key B"] == ("bad", "NullValue: is null", ADVICE["NullValue"])
    assert found["secret shop/env"] == ("bad", "NewReason: odd", "")
    assert found["found shop/old"][0] == "note"
    assert found["Keys"][1] == "2 of 5 lines of the spec are read"


@pytest.mark.parametrize(
    ("secret", "state", "words"),
    [
        (
            secret_of(uid="u2", kind="ExternalSecret", name="old", controller=True),
            "bad",
            "belongs to ExternalSecret old",
        ),
        (secret_of(), "bad", "belongs to nobody"),
        (None, "bad", "is gone"),
        ("you may not", "note", "not looked at: you may not"),
    ],
)
def test_whose_the_secret_is(secret: Any, state: str, words: str) -> None:
    found = told(synced(**TARGET), secret)["Secret"]

    assert found[0] == state
    assert words in found[1]


def test_what_is_not_looked_at_suspended_stale_or_waiting_is_told() -> None:
    assert (
        "not looked at it yet" in told({"metadata": {"name": "a", "namespace": "b"}, "spec": {}})["Ready"][1]
    )
    stale = {"type": "Stale", "status": "True", "reason": "ReadsFail", "message": "for more than 3h"}
    event = {"eventTime": "2026-11-23T11:00:00Z", "reason": "AccessDenied", "message": "no"}
    pending = [{"kind": "Deployment", "name": "shop", "message": "is paused"}]
    obj = synced("False", conditions=[stale], observedGeneration=0, spec={"suspend": True}, restarts=pending)
    found = told(obj, event=event)

    assert found["Age"] == ("bad", "for more than 3h", "")
    assert found["Event"][1] == "60m ago, AccessDenied: no"
    assert found["Restart"][1] == "Deployment shop is paused"
    assert {"Suspended", "Outdated"} <= found.keys()


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ("2026-11-23T18:00:00Z", ("good", "of a registry ends at 2026-11-23T18:00:00Z, renewed at soon", "")),
        ("2026-11-23T11:00:00Z", ("bad", "of a registry ended at 2026-11-23T11:00:00Z", "")),
        ("2026-11-23T11:00:00", None),
        ("never", None),
        (None, None),
    ],
)
def test_when_a_registrys_password_ends_is_told(ends: str | None, expected: Any) -> None:
    assert told(synced(expiresAt=ends, renewAt="soon", **TARGET)).get("Password") == expected


def test_a_reason_of_a_newer_operator_is_told_without_advice() -> None:
    assert told(synced("False", reason="NewReason", **TARGET))["Ready"] == ("bad", "NewReason: why", "")
