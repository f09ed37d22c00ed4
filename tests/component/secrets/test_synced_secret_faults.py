"""Bad input and bad weather: a condition that names the field and the cause, and no storm."""

from typing import Any

import pytest

from pierhead.kube.resources import SECRETS, SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.secrets_lab import Lab, condition, values


@pytest.mark.parametrize(
    ("source", "value", "reason", "words"),
    [
        ({"secret": "missing"}, None, "SecretNotFound", "does not exist in us-east-1"),
        ({"secret": "db", "versionStage": "CUSTOM"}, "x", "SecretNotFound", "no version labelled CUSTOM"),
        ({"secret": "db", "versionId": "1" * 32}, "x", "SecretNotFound", "not its version 1111"),
        ({"secret": "denied"}, "x", "AccessDenied", "not authorized"),
        ({"secret": "locked"}, "x", "AccessDenied", "DecryptionFailure"),
        ({"secret": "db", "property": "password"}, "no json", "NotJSON", "line 1, column 1"),
        ({"secret": "db", "property": "password"}, '{"user": "x"}', "PropertyNotFound", "'password'"),
        ({"secret": "db", "property": "password"}, '{"password": null}', "NullValue", "is null"),
        ({"secret": "db", "property": "password"}, b"\xff\xfe", "NotText", "is binary"),
    ],
    ids=["missing", "stage", "version", "denied", "locked", "not json", "no property", "null", "binary"],
)
async def test_a_key_that_cannot_be_had_is_named_with_its_cause_and_the_secret_stays(
    lab: Lab, source: dict[str, Any], value: str | bytes | None, reason: str, words: str
) -> None:
    lab.secret("good", "pw")
    spec = {"data": lab.data(("GOOD", "good")), "refresh": {"interval": "1h"}}
    await lab.synced_secret("shop-db", **spec)
    operator = await lab.operator()
    await lab.holds("shop-db", GOOD="pw")
    await lab.ready("shop-db")
    if value is not None:
        lab.secret(source["secret"], value)
    lab.aws.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource=lab.aws_name("denied")))
    lab.aws.add_fault(Fault.decryption_failure(lab.aws_name("locked")))
    lab.aws.clear_calls()
    operator.writes.clear()
    bad = {"key": "BAD", "from": source | {"secret": lab.aws_name(source["secret"])}}
    await lab.synced_secret("shop-db", **{**spec, "data": [*spec["data"], bad]})
    obj = await lab.ready("shop-db", "False", reason=reason)

    message = condition(obj, "Ready")["message"]
    assert message.startswith("spec.data[1] (BAD): ")
    assert words in message
    assert condition(obj, "Stalled")["reason"] == reason
    assert obj["status"]["keys"][1]["reason"] == reason
    assert values(lab.now(SECRETS, "shop-db")) == {"GOOD": b"pw"}
    await lab.synced_secret("fence", data=lab.data(("GOOD", "good")))
    await lab.ready("fence")
    assert sum(lab.reads().values()) <= 4
    assert lab.writes(operator).count("PATCH syncedsecrets/status") == 2
    assert await operator.events.first(1) == [("Warning", reason)]


@pytest.mark.parametrize(
    ("file_format", "value", "reason", "words"),
    [
        ("json", "[1]", "NotAnObject", "not an object"),
        ("json", '{"A B": 1}', "BadKey", "'A B'"),
        ("json", '{"GOOD": 1}', "KeyCollision", "spec.data[0] (GOOD) as well"),
        ("json", '{"A": 1, "A": 2}', "DuplicateProperty", "'A' twice"),
        ("dotenv", "A=1\nnonsense", "NotDotenv", "line 2"),
    ],
)
async def test_a_secret_of_many_keys_that_cannot_be_used_is_named_with_its_cause(
    lab: Lab, file_format: str, value: str, reason: str, words: str
) -> None:
    lab.secret("good", "pw")
    lab.secret("env", value)
    await lab.synced_secret(
        "shop-db",
        data=lab.data(("GOOD", "good")),
        dataFrom=[{"extract": {"secret": lab.aws_name("env"), "format": file_format}}],
    )
    await lab.operator()
    obj = await lab.ready("shop-db", "False", reason=reason)

    message = condition(obj, "Ready")["message"]
    assert message.startswith(f"spec.dataFrom[0] ({lab.aws_name('env')}): ")
    assert words in message
    assert lab.now(SECRETS, "shop-db") is None


async def test_more_than_a_secret_holds_is_refused_before_the_api_server_is_asked(lab: Lab) -> None:
    for number in range(17):
        lab.secret(f"s{number}", "x" * 65_536)
    await lab.synced_secret("shop-db", data=lab.data(*((f"K{number}", f"s{number}") for number in range(17))))
    operator = await lab.operator()
    obj = await lab.ready("shop-db", "False", reason="TooLarge")

    message = condition(obj, "Ready")["message"]
    assert message.startswith("spec.data[0] (K0): the Secret would have 1114112 bytes; 1048576 is the most")
    assert lab.writes(operator) == ["PATCH syncedsecrets/status"]


async def test_what_was_wrong_is_found_right_without_a_change_of_the_object(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pierhead.secrets.refresh.FIRST_RETRY_SECONDS", 1.0)
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")))
    operator = await lab.operator()
    await lab.ready("shop-db", "False", reason="SecretNotFound")
    lab.secret("db", "pw")
    await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")

    assert await operator.events.first(2) == [("Warning", "SecretNotFound"), ("Normal", "Synced")]


@pytest.mark.parametrize(
    ("spec", "field", "power"),
    [
        ({"data": [{"key": "A", "from": {"secret": "other/db"}}]}, "spec.data[0].from.secret", "secret"),
        ({"dataFrom": [{"extract": {"secret": "other/db"}}]}, "spec.dataFrom[0].extract.secret", "secret"),
        (
            {
                "aws": {"roleArn": "arn:aws:iam::111122223333:role/admin"},
                "data": [{"key": "A", "from": {"secret": "x"}}],
            },
            "spec.aws.roleArn",
            "role",
        ),
        (
            {"aws": {"region": "eu-west-1"}, "data": [{"key": "A", "from": {"secret": "x"}}]},
            "spec.aws.region",
            "region",
        ),
    ],
)
async def test_what_the_policy_forbids_is_refused_without_a_call(
    lab: Lab, spec: dict[str, Any], field: str, power: str
) -> None:
    await lab.synced_secret("shop-db", **spec)
    operator = await lab.operator()
    obj = await lab.ready("shop-db", "False", reason="PolicyDenied")
    message = condition(obj, "Ready")["message"]

    assert message.startswith(f"{field}: namespace {lab.namespace} may not use the {power} ")
    assert "PIERHEAD_AWS_POLICY" in message
    assert lab.aws.count("secretsmanager") == 0
    assert lab.aws.count("sts") == 0
    assert lab.writes(operator) == ["PATCH syncedsecrets/status"]


async def test_a_rule_of_the_administrator_allows_what_it_names(lab: Lab) -> None:
    lab.boto.create_secret(Name="shared/ca", SecretString="pem")
    rule = {"namespaces": ["test-*"], "powers": ["secret"], "values": ["shared/*"]}
    await lab.synced_secret("shop-db", data=[{"key": "CA", "from": {"secret": "shared/ca"}}])
    await lab.operator(aws_policy=(rule,))
    await lab.holds("shop-db", CA="pem")


async def test_one_of_twenty_that_is_denied_costs_the_others_nothing(lab: Lab) -> None:
    for number in range(20):
        lab.secret(f"s{number}", "x")
        await lab.synced_secret(f"s{number}", data=lab.data(("K", f"s{number}")))
    lab.aws.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource=lab.aws_name("s7")))
    await lab.operator()
    for number in range(20):
        await lab.ready(f"s{number}", "False" if number == 7 else "True")


async def test_where_the_batch_verb_is_denied_secrets_are_read_one_by_one(lab: Lab) -> None:
    lab.aws.add_fault(Fault.deny("secretsmanager", "BatchGetSecretValue"))
    for number in range(6):
        lab.secret(f"s{number}", "x")
        await lab.synced_secret(f"s{number}", data=lab.data(("K", f"s{number}")))
    await lab.operator()
    for number in range(6):
        await lab.ready(f"s{number}")

    assert lab.reads()["GetSecretValue"] == 6
    assert lab.reads()["BatchGetSecretValue"] <= 3  # those under way when the first is denied


async def test_a_namespaces_role_is_assumed_once_for_all_its_objects(lab: Lab) -> None:
    role = f"arn:aws:iam::123456789012:role/{lab.namespace}-reader"
    for number in range(10):
        lab.secret(f"s{number}", "x")
        await lab.synced_secret(
            f"s{number}", data=lab.data(("K", f"s{number}")), aws={"roleArn": role, "externalId": "shop"}
        )
    await lab.operator()
    for number in range(10):
        await lab.ready(f"s{number}")

    assert lab.aws.count("sts", "AssumeRole") == 1
    readers = {call.access_key for call in lab.aws.call_log() if call.operation.endswith("GetSecretValue")}
    assert len(readers) == 1
    assert readers.isdisjoint({lab.sandbox.environment["AWS_ACCESS_KEY_ID"]})


async def test_a_role_that_cannot_be_assumed_is_asked_for_once(lab: Lab) -> None:
    lab.aws.add_fault(Fault.deny("sts", "AssumeRole"))
    role = f"arn:aws:iam::123456789012:role/{lab.namespace}-reader"
    for number in range(10):
        await lab.synced_secret(f"s{number}", data=lab.data(("K", f"s{number}")), aws={"roleArn": role})
    await lab.operator()
    for number in range(10):
        obj = await lab.ready(f"s{number}", "False", reason="RoleNotAssumable")

    assert "trust policy" in condition(obj, "Ready")["message"]
    assert lab.aws.count("sts", "AssumeRole") == 1
    assert lab.reads() == {}


@pytest.mark.parametrize(
    "fault",
    [
        Fault.throttle("secretsmanager", times=1),
        Fault.server_error("secretsmanager", times=4),
        Fault.drop("secretsmanager", times=4),
    ],
    ids=["throttled", "broken", "dropped"],
)
async def test_what_passes_is_outlived(lab: Lab, fault: Fault) -> None:
    lab.secret("db", "pw")
    lab.aws.add_fault(fault)
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")))
    operator = await lab.operator()
    await lab.holds("shop-db", A="pw", within=30)
    obj = await lab.ready("shop-db")

    assert condition(obj, "Reconciling") is None
    assert [event for event in operator.events.told if event[0] == "Warning"] == []


async def test_a_batch_that_is_partly_answered_is_completed(lab: Lab) -> None:
    lab.aws.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource=lab.aws_name("b")))
    for name in ("a", "b", "c"):
        lab.secret(name, name)
    await lab.synced_secret("shop-db", data=lab.data(("A", "a"), ("B", "b"), ("C", "c")))
    await lab.operator()
    obj = await lab.ready("shop-db", "False", reason="AccessDenied")
    assert [one.get("reason") for one in obj["status"]["keys"]] == [None, "AccessDenied", None]
    assert lab.now(SECRETS, "shop-db") is None
    lab.aws.remove_fault()
    await lab.synced_secret(
        "shop-db",
        annotations={"pierhead.dev/reconcile-at": "1"},
        data=lab.data(("A", "a"), ("B", "b"), ("C", "c")),
    )
    await lab.holds("shop-db", A="a", B="b", C="c")
    await lab.until(SYNCED_SECRETS, "shop-db", lambda obj: "reason" not in obj["status"]["keys"][1])
