"""P7 as a table: whatever AWS answers, the last good Secret stays and the condition says what is wrong.

Each fault meets three objects at once: one that is new, one that is to be refreshed, and one whose Secret has
to go when its source is gone. Then it passes, and all three are as they should be.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pierhead.kube.resources import SECRETS, SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.secrets_lab import Lab, condition, values

GOOD, BAD = "good", "bad"
"""The sources: faults of a single one strike the second."""

OLD, NEW = {"A": b"good 1", "B": b"bad 1"}, {"A": b"good 2", "B": b"bad 2"}
Do = Callable[[Lab], Any]


@dataclass(frozen=True)
class Row:
    """A fault, and what it makes of the objects."""

    strike: Do
    reason: str
    words: str = ""
    passes: bool = False
    """Whether it is known to pass, so that nobody is asked to do anything."""

    gone: bool = False
    """Whether it proves that the source does not exist."""

    reads: dict[str, bytes] | None = None
    """What can be read all the same; None for nothing."""

    heal: Do = field(default=lambda lab: lab.aws.remove_fault())


def fault(made: Callable[[Lab], Fault]) -> Do:
    return lambda lab: lab.aws.add_fault(made(lab))


def service_faults(service: str, operation: str) -> dict[str, Row]:
    """What strikes all calls."""
    return {
        "throttled": Row(fault(lambda _: Fault.throttle(service)), "Throttled", passes=True),
        "5xx": Row(fault(lambda _: Fault.server_error(service)), "AwsUnavailable", operation, passes=True),
        "timeout": Row(fault(lambda _: Fault.timeout(service)), "AwsUnavailable", operation, passes=True),
        "stale read": Row(fault(lambda _: Fault.stale(service, operation)), "Synced", reads=OLD),
    }


SECRET_ROWS = {
    **service_faults("secretsmanager", "*GetSecretValue"),
    "not found": Row(
        lambda lab: lab.boto.delete_secret(SecretId=lab.aws_name(BAD), ForceDeleteWithoutRecovery=True),
        "SecretNotFound",
        "does not exist",
        gone=True,
        heal=lambda lab: lab.secret(BAD, "bad 2"),
    ),
    "marked for deletion": Row(
        lambda lab: lab.boto.delete_secret(SecretId=lab.aws_name(BAD)),
        "MarkedForDeletion",
        "marked for deletion",
        gone=True,
        heal=lambda lab: lab.boto.restore_secret(SecretId=lab.aws_name(BAD)),
    ),
    "denied": Row(
        fault(lambda lab: Fault.deny("secretsmanager", "GetSecretValue", resource=lab.aws_name(BAD))),
        "AccessDenied",
        "not authorized",
    ),
    "denied altogether": Row(fault(lambda _: Fault.deny("secretsmanager")), "AccessDenied", "not authorized"),
    "decryption failure": Row(
        fault(lambda lab: Fault.decryption_failure(lab.aws_name(BAD))), "AccessDenied", "DecryptionFailure"
    ),
    "empty page": Row(fault(lambda _: Fault.empty_page("secretsmanager", "*")), "Synced", reads=NEW),
    "partial batch": Row(
        fault(
            lambda lab: Fault(
                service="secretsmanager",
                operation="GetSecretValue",
                resource=lab.aws_name(BAD),
                code="InternalServiceError",
            )
        ),
        "AwsUnavailable",
        "InternalServiceError",
        passes=True,
    ),
}
PARAMETER_ROWS = {
    **service_faults("ssm", "GetParameters"),
    "not found": Row(
        lambda lab: lab.ssm.delete_parameter(Name=lab.parameter_name(BAD)),
        "ParameterNotFound",
        "does not exist",
        gone=True,
        heal=lambda lab: lab.parameter(BAD, "bad 2", "SecureString"),
    ),
    "denied": Row(
        fault(lambda lab: Fault.deny("ssm", "GetParameters", resource=lab.parameter_name(BAD))),
        "AccessDenied",
        "not authorized",
    ),
    "decryption failure": Row(
        fault(
            lambda lab: Fault(
                service="ssm",
                operation="GetParameters",
                resource=lab.parameter_name(BAD),
                status=400,
                code="InvalidKeyId",
                message="The key is disabled",
            )
        ),
        "BadRequest",
        "InvalidKeyId",
    ),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that fail do so at once."""
    monkeypatch.setattr("pierhead.aws.identity.READ_SECONDS", 0.5)
    monkeypatch.setattr("pierhead.aws.identity.ATTEMPTS", 1)
    monkeypatch.setattr("pierhead.aws.errors.THROTTLE_SECONDS", 0.2)


@pytest.mark.parametrize("name", SECRET_ROWS)
async def test_whatever_secrets_manager_answers_the_last_good_secret_stays(lab: Lab, name: str) -> None:
    def put(source: str, value: str) -> None:
        lab.secret(source, value)

    await matrix(lab, SECRET_ROWS[name], "secret", put)


@pytest.mark.parametrize("name", PARAMETER_ROWS)
async def test_whatever_parameter_store_answers_the_last_good_secret_stays(lab: Lab, name: str) -> None:
    def put(source: str, value: str) -> None:
        lab.parameter(source, value, "SecureString")

    await matrix(lab, PARAMETER_ROWS[name], "parameter", put)


async def matrix(lab: Lab, row: Row, kind: str, put: Callable[[str, str], None]) -> None:
    path = lab.aws_name if kind == "secret" else lab.parameter_name

    def source(key: str, name: str) -> dict[str, Any]:
        return {"key": key, "from": {kind: path(name)}}

    both = {"data": [source("A", GOOD), source("B", BAD)]}
    only = {"data": [source("B", BAD)], "onSourceDelete": "Delete"}
    for name in (GOOD, BAD):
        put(name, f"{name} 1")
    await lab.synced_secret("refreshed", **both)
    await lab.synced_secret("doomed", **only)
    operator = await lab.operator()
    before = {name: (await lab.ready(name))["status"] for name in ("refreshed", "doomed")}
    for name in (GOOD, BAD):
        put(name, f"{name} 2")
    row.strike(lab)
    operator.writes.clear()
    asked = {"pierhead.dev/reconcile-at": "struck"}
    await lab.synced_secret("created", annotations=asked, **both)
    await lab.synced_secret("refreshed", annotations=asked, **both)
    await lab.synced_secret("doomed", annotations=asked, **only)

    for name in ("created", "refreshed", "doomed"):
        found = await told(lab, name, row, gone=row.gone and name == "doomed")
        if row.reads is None:
            there = before.get(name) if not (row.gone and name == "doomed") else None
            assert versions(found["status"]) == (versions(there) if there else [])
    secrets = {name: lab.now(SECRETS, name) for name in ("created", "refreshed", "doomed")}
    held = {name: values(secret) if secret else None for name, secret in secrets.items()}
    if row.reads is None:
        assert held == {"created": None, "refreshed": OLD, "doomed": None if row.gone else {"B": OLD["B"]}}
        assert (
            secrets["refreshed"]["metadata"]["resourceVersion"]
            == before["refreshed"]["target"]["resourceVersion"]
        )
        written = {write for write in lab.writes(operator) if "status" not in write}
        assert written == ({"DELETE secrets"} if row.gone else set())
    else:
        assert held == {"created": row.reads, "refreshed": row.reads, "doomed": {"B": row.reads["B"]}}

    row.heal(lab)
    asked = {"pierhead.dev/reconcile-at": "healed"}
    for name, spec in (("created", both), ("refreshed", both), ("doomed", only)):
        await lab.synced_secret(name, annotations=asked, **spec)
    for name in ("created", "refreshed"):
        await lab.holds(name, **NEW)
    await lab.holds("doomed", B=NEW["B"])
    for name in ("created", "refreshed", "doomed"):
        obj = await lab.ready(name, reason="Synced")
        assert [condition(obj, each) for each in ("Stalled", "Reconciling")] == [None, None]


async def told(lab: Lab, name: str, row: Row, *, gone: bool) -> dict[str, Any]:
    """The object once its status is about the fault, which it tells truly."""
    reason = "SourceDeleted" if gone else row.reason
    if row.reads is not None:
        return await lab.until(
            SYNCED_SECRETS,
            name,
            lambda obj: obj if obj.get("status", {}).get("reconcileAt") == "struck" else None,
        )
    obj = await lab.ready(name, "False", reason=reason)
    message = condition(obj, "Ready")["message"]
    if not gone:
        assert row.words.strip("*") in message
    if not row.passes:
        assert gone or re.search(r"spec\.data\[[01]\] \([AB]\): ", message)
    assert condition(obj, "Reconciling" if row.passes else "Stalled")["reason"] == reason
    assert condition(obj, "Stalled" if row.passes else "Reconciling") is None
    return obj


def versions(status: dict[str, Any]) -> list[str]:
    """Which versions the status says are in the Secret."""
    return [one["versionId"] for one in status.get("keys") or () if "versionId" in one]
