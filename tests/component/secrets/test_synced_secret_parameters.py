"""Parameter Store: all types and selectors arrive, follow, and fail with words."""

from typing import Any

import pytest

from pierhead.kube.resources import SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.secrets_lab import REGION, Lab, condition


def parameters(lab: Lab, **keys: Any) -> list[dict[str, Any]]:
    """Entries of `spec.data` from parameters: a name, or a name and what is beside it."""
    given = {key: (source, {}) if isinstance(source, str) else source for key, source in keys.items()}
    return [
        {"key": key, "from": {"parameter": lab.parameter_name(name), **more}}
        for key, (name, more) in given.items()
    ]


async def test_every_type_arrives_with_one_call(lab: Lab) -> None:
    lab.parameter("flags", "first")
    lab.parameter("flags", '{"ratio": 1.10}')
    lab.ssm.label_parameter_version(Name=lab.parameter_name("flags"), ParameterVersion=1, Labels=["live"])
    lab.parameter("hosts", "a,b,c", "StringList")
    lab.parameter("password", "cHc=", "SecureString")
    lab.parameter("env", "A=1\nB=2\n")
    data = parameters(
        lab,
        FLAGS="flags",
        RATIO=("flags", {"property": "ratio"}),
        FIRST="flags:1",
        LIVE="flags:live",
        HOSTS="hosts",
        HOST=("hosts", {"property": "1"}),
        PASSWORD=("password", {"decode": "Base64"}),
    )
    arn = f"arn:aws:ssm:{REGION}:123456789012:parameter{lab.parameter_name('flags')}"
    await lab.synced_secret(
        "shop",
        data=[*data, {"key": "ARN", "from": {"parameter": arn, "property": "ratio"}}],
        dataFrom=[{"extract": {"parameter": lab.parameter_name("env"), "format": "dotenv"}}],
    )
    await lab.operator()
    obj = await lab.ready("shop")
    await lab.holds(
        "shop",
        FLAGS='{"ratio": 1.10}',
        RATIO="1.10",
        ARN="1.10",
        FIRST="first",
        LIVE="first",
        HOSTS="a,b,c",
        HOST="b",
        PASSWORD="pw",
        A="1",
        B="2",
    )

    keys = {entry["key"]: entry for entry in obj["status"]["keys"]}
    assert [keys[key]["version"] for key in ("FLAGS", "FIRST", "LIVE")] == [2, 1, 1]
    assert obj["status"]["extracts"][0]["parameter"] == lab.parameter_name("env")
    assert lab.aws.count("ssm", "GetParameters") == 1
    assert lab.aws.count("secretsmanager") == 0


async def test_a_new_version_arrives_also_where_the_parameter_was_made_anew(lab: Lab) -> None:
    lab.parameter("flags", "one")
    await lab.synced_secret("shop", data=parameters(lab, FLAGS="flags"), refresh={"interval": "1s"})
    await lab.operator()
    await lab.holds("shop", FLAGS="one")
    lab.parameter("flags", "two")
    await lab.holds("shop", FLAGS="two")
    lab.ssm.delete_parameter(Name=lab.parameter_name("flags"))
    await lab.ready("shop", "False", reason="ParameterNotFound")
    assert lab.parameter("flags", "three") == 1
    await lab.holds("shop", FLAGS="three")
    obj = await lab.until(
        SYNCED_SECRETS, "shop", lambda obj: obj if obj["status"]["keys"][0].get("version") == 1 else None
    )

    assert obj["status"]["keys"][0]["versionId"].startswith("1@")


@pytest.mark.parametrize(
    ("source", "value", "kind", "reason", "words"),
    [
        ("missing", None, "String", "ParameterNotFound", "does not exist in us-east-1"),
        ("flags:9", "x", "String", "ParameterNotFound", "no such version or label"),
        (("hosts", {"property": "name"}), "hunter2,b", "StringList", "WrongKind", "is a StringList"),
        (("hosts", {"property": "7"}), "hunter2,b", "StringList", "PropertyNotFound", "without an element 7"),
        (("flags", {"decode": "Base64"}), "hunter2", "String", "NotBase64", "is not Base64"),
    ],
    ids=["missing", "version", "list", "element", "base64"],
)
async def test_a_parameter_that_cannot_be_used_is_named_with_its_cause(
    lab: Lab, source: Any, value: str | None, kind: str, reason: str, words: str
) -> None:
    if value is not None:
        name = source if isinstance(source, str) else source[0]
        lab.parameter(name.partition(":")[0], value, kind)
    await lab.synced_secret("shop", data=parameters(lab, BAD=source))
    await lab.operator()
    obj = await lab.ready("shop", "False", reason=reason)

    message = condition(obj, "Ready")["message"]
    assert message.startswith("spec.data[0] (BAD): ")
    assert words in message
    assert "hunter2" not in str(obj["status"])


async def test_a_parameter_that_is_denied_costs_its_neighbours_nothing(lab: Lab) -> None:
    for name in ("a", "b"):
        lab.parameter(name, name)
        await lab.synced_secret(name, data=parameters(lab, K=name))
    lab.aws.add_fault(Fault.deny("ssm", "GetParameters", resource=lab.parameter_name("b")))
    await lab.operator()
    await lab.holds("a", K="a")
    obj = await lab.ready("b", "False", reason="AccessDenied")

    assert condition(obj, "Ready")["message"].startswith("spec.data[0] (K): GetParameters: AccessDenied")


async def test_a_parameter_of_another_namespace_is_refused_without_a_call(lab: Lab) -> None:
    await lab.synced_secret("shop", data=[{"key": "A", "from": {"parameter": "/other/db:1"}}])
    await lab.operator()
    obj = await lab.ready("shop", "False", reason="PolicyDenied")

    message = condition(obj, "Ready")["message"]
    assert message.startswith("spec.data[0].from.parameter: ")
    assert lab.aws.count("ssm") == 0


async def test_a_secret_goes_when_its_parameter_is_proven_gone(lab: Lab) -> None:
    lab.parameter("flags", '{"a": 1}')
    spec = {
        "data": parameters(lab, A=("flags", {"property": "a"})),
        "refresh": {"interval": "1s"},
        "onSourceDelete": "Delete",
    }
    await lab.synced_secret("shop", **spec)
    await lab.operator()
    await lab.holds("shop", A="1")
    lab.parameter("flags", "{}")
    await lab.ready("shop", "False", reason="PropertyNotFound")
    await lab.holds("shop", A="1")
    lab.ssm.delete_parameter(Name=lab.parameter_name("flags"))
    await lab.ready("shop", "False", reason="SourceDeleted")
