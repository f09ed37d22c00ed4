"""Secrets and parameters that are found: exactly those, within the policy, and none lost to a late list."""

from typing import Any

import pytest

from pierhead.kube.resources import SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.secrets_lab import Lab, condition

AT = "spec.dataFrom[0]"


def line(lab: Lab, **find: Any) -> dict[str, Any]:
    """A find of what the namespace has, named by what follows its prefix."""
    return {
        "find": find or {"namePrefix": f"{lab.namespace}/"},
        "rewrite": [{"pattern": f"^{lab.namespace}/", "replace": ""}],
    }


def tag(lab: Lab, name: str, **tags: str) -> None:
    lab.boto.tag_resource(
        SecretId=lab.aws_name(name), Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
    )


def found(obj: dict[str, Any]) -> dict[str, Any]:
    """What the first line found, by name below the namespace's."""
    return {one["name"].rpartition("/")[2]: one for one in obj["status"]["extracts"][0].get("found", ())}


async def test_what_begins_with_the_prefix_arrives_and_so_does_what_comes_later(lab: Lab) -> None:
    version = lab.secret("a", "1")
    lab.secret("b", b"\xff")
    await lab.synced_secret("shop", dataFrom=[line(lab)], refresh={"interval": "1s"})
    operator = await lab.operator()
    obj = await lab.ready("shop")
    await lab.holds("shop", a="1", b=b"\xff")

    extract = obj["status"]["extracts"][0]
    assert (extract["find"], extract["keys"]) == (f"namePrefix {lab.namespace}/", 2)
    assert found(obj)["a"] == {"name": lab.aws_name("a"), "versionId": version}
    assert condition(obj, "Ready")["message"] == "2 keys from 2 secrets"
    operator.writes.clear()
    before = lab.aws.count("secretsmanager", "ListSecrets")
    await lab.polled(2)
    assert lab.aws.count("secretsmanager", "ListSecrets") > before
    assert operator.writes == []
    lab.secret("c", "3")
    await lab.holds("shop", a="1", b=b"\xff", c="3")


async def test_tags_are_exact_and_what_the_policy_does_not_allow_is_not_even_read(lab: Lab) -> None:
    for name in ("exact", "longer", "other"):
        lab.secret(name, name)
    # AWS lists it, as it begins with the namespace's name.
    lab.boto.create_secret(
        Name=f"{lab.namespace}x/foreign", SecretString="no", Tags=[{"Key": "env", "Value": "prod"}]
    )
    tag(lab, "exact", env="prod")
    tag(lab, "longer", environment="production", env="production")
    await lab.synced_secret("shop", dataFrom=[line(lab, tags={"env": "prod"}, nameRegexp="/[a-z]+$")])
    await lab.operator()
    await lab.holds("shop", exact="exact")

    read = [call for call in lab.aws.call_log() if call.operation.endswith("GetSecretValue")]
    assert [call.resources[0] for call in read] == [lab.aws_name("exact")]


async def test_parameters_below_a_path_arrive_with_the_list(lab: Lab) -> None:
    lab.parameter("prod/db/password", "pw", "SecureString")
    lab.parameter("prod/port", "1.10")
    lab.parameter("production", "no")
    await lab.synced_secret(
        "shop",
        dataFrom=[
            {
                "find": {"path": lab.parameter_name("prod")},
                "rewrite": [{"pattern": "/", "replace": "."}],
            }
        ],
        refresh={"interval": "1s"},
    )
    await lab.operator()
    await lab.holds("shop", **{"db.password": "pw", "port": "1.10"})
    obj = await lab.ready("shop")

    assert condition(obj, "Ready")["message"] == "2 keys from 2 parameters"
    assert lab.aws.count("ssm", "GetParameters") == 0
    lab.parameter("prod/port", "2")
    await lab.holds("shop", **{"db.password": "pw", "port": "2"})
    lab.ssm.delete_parameter(Name=lab.parameter_name("prod/port"))
    await lab.until(
        SYNCED_SECRETS, "shop", lambda obj: found(obj)["port"].get("reason") == "ParameterNotFound"
    )
    await lab.holds("shop", **{"db.password": "pw", "port": "2"})


async def test_a_secret_that_a_late_list_lacks_is_looked_at_and_stays(lab: Lab) -> None:
    lab.secret("a", "1")
    lab.secret("b", "2")
    await lab.synced_secret("shop", dataFrom=[line(lab)], refresh={"interval": "1s"}, onSourceDelete="Delete")
    operator = await lab.operator()
    await lab.holds("shop", a="1", b="2")
    await lab.ready("shop")
    operator.writes.clear()
    # Secrets that have no earlier version are not in a stale list.
    lab.aws.add_fault(Fault.stale("secretsmanager", "ListSecrets"))
    await lab.polled(4)
    assert operator.writes == []
    lab.aws.add_fault(Fault.deny("secretsmanager", "DescribeSecret", resource=lab.aws_name("b")))
    obj = await lab.until(SYNCED_SECRETS, "shop", lambda obj: obj if found(obj)["b"].get("reason") else None)
    assert found(obj)["b"]["reason"] == "Unproven"
    assert "reason" not in found(obj)["a"]
    await lab.holds("shop", a="1", b="2")
    lab.aws.remove_fault()
    await lab.until(SYNCED_SECRETS, "shop", lambda obj: "reason" not in found(obj)["b"])


@pytest.mark.parametrize(("policy", "kept"), [("Retain", {"a": "1", "b": "2"}), ("Delete", {"a": "1"})])
async def test_a_secret_that_is_proven_gone_goes_only_where_that_is_asked(
    lab: Lab, policy: str, kept: dict[str, str]
) -> None:
    lab.secret("a", "1")
    lab.secret("b", "2")
    await lab.synced_secret("shop", dataFrom=[line(lab)], refresh={"interval": "1s"}, onSourceDelete=policy)
    await lab.operator()
    await lab.holds("shop", a="1", b="2")
    await lab.ready("shop")
    lab.boto.delete_secret(SecretId=lab.aws_name("b"))
    reason = "SecretNotFound" if policy == "Retain" else None
    await lab.until(
        SYNCED_SECRETS,
        "shop",
        lambda obj: "b" not in found(obj) if reason is None else found(obj)["b"].get("reason") == reason,
    )
    await lab.holds("shop", **kept)
    await lab.polled(2)
    await lab.holds("shop", **kept)


async def test_the_secret_goes_when_all_that_was_found_is_proven_gone(lab: Lab) -> None:
    lab.secret("a", "1")
    await lab.synced_secret("shop", dataFrom=[line(lab)], refresh={"interval": "1s"}, onSourceDelete="Delete")
    await lab.operator()
    await lab.holds("shop", a="1")
    await lab.ready("shop")
    lab.boto.delete_secret(SecretId=lab.aws_name("a"))
    await lab.ready("shop", "False", reason="SourceDeleted")
    lab.boto.restore_secret(SecretId=lab.aws_name("a"))
    await lab.holds("shop", a="1")


async def test_a_tag_that_is_taken_away_takes_the_key_away(lab: Lab) -> None:
    for name in ("a", "b"):
        lab.secret(name, name)
        tag(lab, name, env="prod")
    await lab.synced_secret("shop", dataFrom=[line(lab, tags={"env": "prod"})], refresh={"interval": "1s"})
    await lab.operator()
    await lab.holds("shop", a="a", b="b")
    lab.boto.untag_resource(SecretId=lab.aws_name("b"), TagKeys=["env"])
    await lab.holds("shop", a="a")


@pytest.mark.parametrize(
    ("case", "more", "reason", "words"),
    [
        (
            "denied list",
            {},
            "AccessDenied",
            'find needs secretsmanager:ListSecrets, which IAM gives on Resource "*"',
        ),
        ("denied one", {}, "AccessDenied", "/b': "),
        ("nothing", {"find": {"nameRegexp": "nothing$"}}, "NothingFound", "finds no secret"),
        ("too much", {}, "TooMuchFound", "finds 2; 1 in all are the most"),
        ("no key", {"rewrite": []}, "BadKey", "/a' cannot be a key"),
        (
            "one key",
            {"rewrite": [{"pattern": ".*", "replace": "K"}]},
            "KeyCollision",
            "both become the key 'K'",
        ),
        (
            "bad group",
            {"rewrite": [{"pattern": "a", "replace": "$3"}]},
            "BadPattern",
            "rewrite[0]: replace names",
        ),
        ("base64", {"decode": "Base64"}, "NotBase64", "/a': is not Base64"),
    ],
)
async def test_a_find_that_cannot_be_used_says_why_and_leaves_the_secret(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, case: str, more: dict[str, Any], reason: str, words: str
) -> None:
    lab.secret("a", "hunter2")
    lab.secret("b", "hunter2")
    await lab.synced_secret("shop", dataFrom=[line(lab)])
    await lab.operator()
    await lab.holds("shop", a="hunter2", b="hunter2")
    await lab.ready("shop")
    if case == "denied list":
        lab.aws.add_fault(Fault.deny("secretsmanager", "ListSecrets"))
    if case == "denied one":
        lab.aws.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource=lab.aws_name("b")))
    if case == "too much":
        monkeypatch.setattr("pierhead.secrets.reading.criteria.MOST_FOUND", 1)
    await lab.synced_secret("shop", dataFrom=[{**line(lab), **more}], refresh={"interval": "1h"})
    obj = await lab.ready("shop", "False", reason=reason)

    message = condition(obj, "Ready")["message"]
    assert message.startswith(f"{AT} (name")
    assert words in message
    assert "hunter2" not in str(obj["status"])
    await lab.holds("shop", a="hunter2", b="hunter2")


@pytest.mark.parametrize(
    ("find", "field"),
    [
        ({"namePrefix": "other/"}, "namePrefix"),
        ({"namePrefix": "test"}, "namePrefix"),
        ({"path": "/other"}, "path"),
    ],
)
async def test_a_find_outside_of_the_policy_is_refused_without_a_call(
    lab: Lab, find: dict[str, Any], field: str
) -> None:
    await lab.synced_secret("shop", dataFrom=[{"find": find}])
    await lab.operator()
    obj = await lab.ready("shop", "False", reason="PolicyDenied")

    assert condition(obj, "Ready")["message"].startswith(f"{AT}.find.{field}: ")
    assert lab.aws.count("secretsmanager") == lab.aws.count("ssm") == 0


async def test_an_empty_page_is_not_the_end_and_equal_finds_share_a_list(lab: Lab) -> None:
    lab.secret("a", "1")
    lab.aws.add_fault(Fault.empty_page("secretsmanager", "ListSecrets", times=1))
    for number in range(5):
        await lab.synced_secret(f"s{number}", dataFrom=[line(lab)])
    await lab.operator()
    for number in range(5):
        await lab.holds(f"s{number}", a="1")
