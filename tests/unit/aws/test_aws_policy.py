"""What a namespace may use of AWS, and what a refusal says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.aws.policy import Policy, PolicyDenied, Power

DEFAULT = Policy((), region="eu-west-1")


def allowed(policy: Policy, namespace: str, power: Power, value: str) -> bool:
    try:
        policy.check(namespace, power, value)
    except PolicyDenied:
        return False
    return True


@pytest.mark.parametrize(
    ("power", "value", "verdict"),
    [
        ("secret", "shop", True),
        ("secret", "shop/db", True),
        ("secret", "shop-db", True),
        ("secret", "shopping/db", False),
        ("secret", "other/shop/db", False),
        ("secret", "", False),
        ("secret", "SHOP/db", False),
        ("secret", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/db-AbCdEf", True),
        ("secret", "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:shop/db-AbCdEf", True),
        ("secret", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:other/db-AbCdEf", False),
        ("secret", "arn:aws:ssm:eu-west-1:111122223333:parameter/shop/db", False),
        ("secret", "arn:aws:secretsmanager:shop/db", False),
        ("parameter", "/shop/db", True),
        ("parameter", "shop/db", True),
        ("parameter", "//shop/db", False),
        ("parameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/shop/db", True),
        ("role", "arn:aws:iam::111122223333:role/shop-reader", True),
        ("role", "arn:aws:iam::111122223333:role/shop/reader", True),
        ("role", "arn:aws:iam::111122223333:role/admin", False),
        ("role", "arn:aws:iam::111122223333:role/x/shop-reader", False),
        ("role", "arn:aws:iam::111122223333:user/shop-reader", False),
        ("queue", "shop-thumbnails", True),
        ("queue", "arn:aws:batch:eu-west-1:111122223333:job-queue/shop-thumbnails", True),
        ("queue", "arn:aws:batch:eu-west-1:111122223333:job-queue/main", False),
        ("jobDefinition", "shop-resize:3", True),
        ("jobRole", "arn:aws:iam::111122223333:role/shop-job", True),
        ("bucket", "shop-data", True),
        ("bucket", "arn:aws:s3:::shop-data", True),
        ("bucket", "data", False),
        ("region", "eu-west-1", True),
        ("region", "us-east-1", False),
        ("region", "shop", False),
    ],
)
def test_by_default_a_namespace_may_use_what_carries_its_name(
    power: Power, value: str, verdict: bool
) -> None:
    assert allowed(DEFAULT, "shop", power, value) is verdict


ROLE = "arn:aws:iam::111122223333:role/"
QUEUES = {"namespaces": ["team-*"], "powers": ["queue"], "values": ["*"]}
FOLDERS = {"namespaces": ["*"], "powers": ["secret"], "values": ["apps/{namespace}/*"]}
SHARED = {"namespaces": ["a"], "powers": ["role"], "values": [f"{ROLE}shared"]}
ALL = {"namespaces": ["*"], "powers": ["*"], "values": ["*"]}


@pytest.mark.parametrize(
    ("rule", "namespace", "power", "value", "verdict"),
    [
        (QUEUES, "team-a", "queue", "main", True),
        (QUEUES, "other", "queue", "main", False),
        (QUEUES, "team-a", "role", f"{ROLE}x", False),
        (ALL, "a", "region", "us-east-1", True),
        (ALL, "a", "secret", f"{ROLE}no-secret", False),
        (FOLDERS, "a", "secret", "apps/a/db", True),
        (FOLDERS, "a", "secret", "apps/b/db", False),
        (SHARED, "a", "role", f"{ROLE}shared", True),
        (SHARED, "a", "role", "arn:aws:iam::999922223333:role/shared", False),
    ],
)
def test_a_rule_allows_what_it_names_and_no_more(
    rule: dict[str, object], namespace: str, power: Power, value: str, verdict: bool
) -> None:
    assert allowed(Policy([rule], region="eu-west-1"), namespace, power, value) is verdict


NAMES = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?\Z")


@given(NAMES, st.text(min_size=1, max_size=20))
def test_nothing_without_the_namespaces_name_in_front_is_allowed(namespace: str, value: str) -> None:
    if allowed(DEFAULT, namespace, "secret", value) and not value.startswith("arn:"):
        assert value == namespace or value.startswith((f"{namespace}/", f"{namespace}-"))


@given(NAMES, st.text(min_size=1, max_size=30).filter(lambda text: not text.startswith("arn:")))
def test_the_rule_a_refusal_proposes_allows_just_that(namespace: str, value: str) -> None:
    with pytest.raises(PolicyDenied) as refused:
        Policy((), region="eu-west-1").check(f"x{namespace}", "secret", f"!{value}", field="spec.data[0]")
    message = refused.value.message
    rule = json.loads(message[message.index("PIERHEAD_AWS_POLICY: ") + 21 :])

    assert refused.value.field == "spec.data[0]"
    assert rule["namespaces"] == [f"x{namespace}"]
    if not set(value) & set("[*?{"):
        assert allowed(Policy([rule], region="eu-west-1"), f"x{namespace}", "secret", f"!{value}")


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"namespaces": ["a"], "powers": ["secrets"], "values": ["*"]},
        {"namespaces": [], "powers": ["secret"], "values": ["*"]},
        {"namespaces": ["a"], "powers": ["secret"], "values": ["*"], "effect": "Deny"},
    ],
)
def test_a_rule_that_is_malformed_keeps_the_operator_from_starting(rule: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="PolicyRule"):
        Policy([rule], region="eu-west-1")


RULES = Policy(
    [
        {"namespaces": ["shop"], "powers": ["secret"], "values": ["common/{namespace}/*", "ca", "x/*/y"]},
        {"namespaces": ["shop"], "powers": ["parameter"], "values": ["/common/*"]},
        {"namespaces": ["arns"], "powers": ["*"], "values": ["arn:aws:secretsmanager:*:*:secret:common/*"]},
        {"namespaces": ["all"], "powers": ["*"], "values": ["*"]},
    ],
    region="eu-west-1",
)


@pytest.mark.parametrize(
    ("namespace", "power", "beginning", "verdict"),
    [
        ("shop", "secret", "shop/", True),
        ("shop", "secret", "shop-db", True),
        ("shop", "secret", "shop", False),
        ("shop", "secret", "common/shop/", True),
        ("shop", "secret", "common/shop/a", True),
        ("shop", "secret", "common/shop", False),
        ("shop", "secret", "ca", False),
        ("shop", "secret", "x/1/y", False),
        ("shop", "parameter", "/shop/", True),
        ("shop", "parameter", "/shopping/", False),
        ("shop", "parameter", "/common/", True),
        ("shop", "parameter", "/", False),
        ("all", "parameter", "/", True),
        ("all", "secret", "anything", True),
    ],
)
def test_a_beginning_is_allowed_when_all_that_begins_so_is(
    namespace: str, power: Power, beginning: str, verdict: bool
) -> None:
    if verdict:
        RULES.check_beginning(namespace, power, beginning)
        return
    with pytest.raises(PolicyDenied) as caught:
        RULES.check_beginning(namespace, power, beginning, field="spec.x")
    rule = json.dumps({"namespaces": [namespace], "powers": [power], "values": [f"{beginning}*"]})
    assert caught.value.field == "spec.x"
    assert rule in caught.value.message


@given(st.text("shopcmn/-x1y", max_size=12), st.text("shop/-x1y", max_size=4))
def test_what_begins_as_allowed_is_allowed(beginning: str, rest: str) -> None:
    try:
        RULES.check_beginning("shop", "secret", beginning)
    except PolicyDenied:
        return
    assert RULES.allows("shop", "secret", beginning + rest)


@pytest.mark.parametrize(
    ("namespace", "beginnings"),
    [
        ("shop", ("ca", "common/shop/", "shop", "x/")),
        ("arns", ("", "arns")),
        ("all", ("", "all")),
        ("other", ("other",)),
    ],
)
def test_beginnings_are_those_of_every_allowed_name(namespace: str, beginnings: tuple[str, ...]) -> None:
    assert RULES.beginnings(namespace, "secret") == beginnings
