"""`pierhead secrets status`, `why` and `refresh` as processes, against a running operator."""

from pathlib import Path

import pytest

from pierhead_sandbox.aws.protocol import Fault
from support.command_line import CommandLine
from support.secrets_lab import Lab


@pytest.fixture
def pierhead(lab: Lab, tmp_path: Path) -> CommandLine:
    return CommandLine(lab.sandbox.environment, lab.namespace, tmp_path, group="secrets")


async def test_a_read_that_is_asked_for_is_awaited_and_what_came_of_it_is_told(
    lab: Lab, pierhead: CommandLine
) -> None:
    lab.secret("db", "old value")
    for name in ("one", "two"):
        await lab.synced_secret(name, data=lab.data(("PW", "db")))
        await lab.synced_secret("denied", data=[{"key": "A", "from": {"secret": "other/db"}}])
    await lab.operator()
    await lab.holds("one", PW="old value")
    await lab.holds("two", PW="old value")
    version = lab.secret("db", "new value")
    done = await pierhead("refresh", "one", "two")
    assert done.code == 0, done.errors
    assert done.output.splitlines() == [
        f"SyncedSecret {name}: Synced: 1 key from 1 secret" for name in ("one", "two")
    ]
    await lab.holds("one", 1, PW="new value")

    lines = {line["name"]: line for line in (await pierhead("status", "-o", "json")).json}
    assert lines["one"]["versions"] == lines["two"]["versions"] == [version]
    assert (lines["denied"]["ready"], lines["denied"]["reason"]) == ("False", "PolicyDenied")
    table = (await pierhead("status")).output
    assert table.splitlines()[0].split()[:4] == ["NAME", "READY", "SECRET", "KEYS"]
    assert "\t" not in table

    cost = (await pierhead("cost", "one", "--events-interval", "0s", "-o", "json")).json
    assert [(one["callsPerMonth"], one["callsPerMonthAlone"]) for one in cost["objects"]] == [(360, 720)]
    refused = await pierhead("refresh", "denied")
    assert refused.code == 4
    assert "PolicyDenied" in refused.errors
    told = await pierhead("why", "denied")
    assert "PIERHEAD_AWS_POLICY" in told.output
    assert "ask an administrator" in told.output
    assert "new value" not in table + told.output


async def test_why_names_the_key_the_cause_and_what_to_do(lab: Lab, pierhead: CommandLine) -> None:
    lab.secret("db", "x")
    lab.aws.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource=lab.aws_name("db")))
    await lab.synced_secret("shop-db", data=lab.data(("PW", "db")))
    operator = await lab.operator()
    await lab.ready("shop-db", "False", reason="AccessDenied")
    await operator.events.first(1)
    findings = {one["about"]: one for one in (await pierhead("why", "shop-db", "-o", "json")).json}

    assert findings["key PW"]["state"] == "bad"
    assert "kms:Decrypt" in findings["key PW"]["do"]
    assert findings["Secret"]["text"] == "not written yet"
    missing = await pierhead("why", "none")
    assert (missing.code, missing.errors) == (
        1,
        f"error: there is no SyncedSecret none in namespace {lab.namespace}\n",
    )
