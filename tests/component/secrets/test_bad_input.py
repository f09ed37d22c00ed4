"""Everything that a person can get wrong, as a table: the condition names place and cause, and not the value.

All of it is wrong at the same time in one namespace, beside an object where nothing is: nobody is held up.
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from pierhead.kube.errors import ApiError
from pierhead.kube.resources import SECRETS, SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.canary import MARK
from support.secrets_lab import Lab, condition

VALUE = f"{MARK}-of-a-person"
ROLE = "arn:aws:iam::123456789012:role/NAMESPACE-reader"


@dataclass(frozen=True)
class Bad:
    """What is wrong, and how it is told."""

    reason: str
    where: str
    """How the message begins."""

    cause: str
    """What else it says."""

    value: str | bytes = VALUE
    """Of the secret SOURCE."""

    spec: dict[str, Any] = field(default_factory=dict)
    """Beside `data: [{key: K, from: {secret: SOURCE}}]`, or in place of it."""


def single(**source: Any) -> dict[str, Any]:
    return {"data": [{"key": "K", "from": {"secret": "SOURCE", **source}}]}


def many(**source: Any) -> dict[str, Any]:
    return {"data": None, "dataFrom": [{"extract": {"secret": "SOURCE", **source}}]}


def template(text: str) -> dict[str, Any]:
    return {"template": {"data": {"made": text}}}


DATA, FROM, MADE = "spec.data[0] (K): ", "spec.dataFrom[0] (SOURCE): ", "spec.template.data[made]: "

BAD = {
    "invalid json": Bad("NotJSON", DATA, "line 1", f'{{"a": {VALUE}', single(property="a")),
    "invalid json of many": Bad("NotJSON", FROM, "line 2", f'{{"a":\n {VALUE}', many()),
    "not an object": Bad("NotAnObject", FROM, "not an object", json.dumps([VALUE]), many()),
    "invalid base64": Bad("NotBase64", DATA, "decode", f"!{VALUE}", single(decode="Base64")),
    "invalid base64url": Bad("NotBase64", DATA, "decode", f"!{VALUE}", single(decode="Base64URL")),
    "invalid dotenv": Bad("NotDotenv", FROM, "line 2", f"A=1\n{VALUE}", many(format="dotenv")),
    "open quote in dotenv": Bad("NotDotenv", FROM, "line 1", f"A='{VALUE}", many(format="dotenv")),
    "missing property": Bad(
        "PropertyNotFound", DATA, "'b.c'", json.dumps({"b": {"a": VALUE}}), single(property="b.c")
    ),
    "null property": Bad("NullValue", DATA, "'a'", json.dumps({"a": None, "b": VALUE}), single(property="a")),
    "duplicate property": Bad("DuplicateProperty", FROM, "'A'", f'{{"A": "{VALUE}", "A": "x"}}', many()),
    "duplicate variable": Bad("DuplicateProperty", FROM, "'A'", f"A={VALUE}\nA=x", many(format="dotenv")),
    "duplicate key": Bad(
        "KeyCollision",
        FROM,
        "'K'",
        json.dumps({"K": VALUE}),
        {"data": [{"key": "K", "from": {"secret": "SOURCE"}}], "dataFrom": many()["dataFrom"]},
    ),
    "illegal key": Bad("BadKey", FROM, "'A B'", json.dumps({"A B": VALUE}), many()),
    "illegal key in letters": Bad("BadKey", FROM, "'ключ'", json.dumps({"ключ": VALUE}), many()),
    "long key": Bad("BadKey", FROM, "253", json.dumps({"A" * 254: VALUE}), many()),
    "binary of many": Bad("NotText", FROM, "binary", VALUE.encode() + b"\xff", many()),
    "type without its key": Bad(
        "MissingKey", "spec.target.type", "tls.crt", spec={"target": {"type": "kubernetes.io/tls"}}
    ),
    "type of another form": Bad(
        "NotJSON",
        "spec.target.type",
        ".dockerconfigjson",
        spec={
            "data": [{"key": ".dockerconfigjson", "from": {"secret": "SOURCE"}}],
            "target": {"type": "kubernetes.io/dockerconfigjson"},
        },
    ),
    "template that is none": Bad("TemplateInvalid", MADE, "line 1", spec=template("{{ K")),
    "template with attributes": Bad(
        "TemplateInvalid", MADE, "line 1", spec=template("{{ K.__class__.__mro__ }}")
    ),
    "template without its key": Bad("UndefinedKey", MADE, "NONE", spec=template("{{ NONE }}")),
    "template that does not fit": Bad("NotJSON", MADE, "fromjson", spec=template("{{ K | fromjson }}")),
    "template that prints a property": Bad(
        "TemplateInvalid", MADE, "get", spec=template('{{ {"a": K} | get(K) }}')
    ),
    "template that prints a key": Bad("TemplateInvalid", MADE, "key", spec=template("{{ K | key }}")),
    "template that prints an encoding": Bad(
        "TemplateInvalid", MADE, "toutf8", spec=template("{{ K | toutf8(K) }}")
    ),
    "template that prints a part": Bad("TemplateInvalid", MADE, "pem", spec=template("{{ K | pem(K) }}")),
    "template that prints a number": Bad(
        "TemplateFailed", MADE, "indent", spec=template("{{ K | indent(K) }}")
    ),
    "template that prints a file": Bad(
        "NotPKCS12", MADE, "pkcs12", spec=template('{{ K | pkcs12("key", K) }}')
    ),
    "role that cannot be assumed": Bad(
        "RoleNotAssumable", "", "trust policy", spec={"aws": {"roleArn": ROLE}}
    ),
    "region outside the list": Bad(
        "PolicyDenied", "spec.aws.region: ", "'eu-west-1'", spec={"aws": {"region": "eu-west-1"}}
    ),
    "role of another": Bad(
        "PolicyDenied",
        "spec.aws.roleArn: ",
        "role/admin",
        spec={"aws": {"roleArn": "arn:aws:iam::123456789012:role/admin"}},
    ),
    "secret of another": Bad(
        "PolicyDenied",
        "spec.data[0].from.secret: ",
        "'other/db'",
        spec={"data": [{"key": "K", "from": {"secret": "other/db"}}]},
    ),
    "target of somebody": Bad("TargetNotOwned", "", "adopt", spec={"target": {"name": "theirs"}}),
    "target of a controller": Bad(
        "TargetNotOwned", "", "Deployment shop", spec={"target": {"name": "controlled", "adopt": True}}
    ),
}


async def test_everything_that_is_wrong_is_named_with_its_place_and_cause(lab: Lab) -> None:
    lab.aws.add_fault(Fault.deny("sts", "AssumeRole"))
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True}
    deployment = await lab.deployment("shop")
    owner |= {"name": "shop", "uid": deployment["metadata"]["uid"]}
    for name, owners in (("theirs", []), ("controlled", [owner])):
        metadata = {"name": name, "namespace": lab.namespace, "ownerReferences": owners}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"K": "theirs"}}
        await lab.kube.create(SECRETS, secret)
    names = {title: title.replace(" ", "-") for title in BAD}
    for title, bad in BAD.items():
        lab.secret(names[title], bad.value, mark=False)
        spec = {**single(), **bad.spec}
        await lab.synced_secret(names[title], **_filled(spec, lab, names[title]))
    lab.secret("fine", VALUE)
    await lab.synced_secret("fine", data=lab.data(("K", "fine")))
    await lab.operator()

    await lab.ready("fine")
    wrong: dict[str, Any] = {}
    for title, bad in BAD.items():
        obj = await lab.ready(names[title], "False")
        ready, stalled = condition(obj, "Ready"), condition(obj, "Stalled")
        where = bad.where.replace("SOURCE", lab.aws_name(names[title]))
        message = ready["message"]
        if (
            (ready["reason"], (stalled or {}).get("reason")) != (bad.reason, bad.reason)
            or not message.startswith(where)
            or bad.cause not in message
            or VALUE in json.dumps(obj)
            or base64.b64encode(VALUE.encode()).decode() in json.dumps(obj)
        ):
            wrong[title] = (ready["reason"], message)
        name = bad.spec.get("target", {}).get("name", names[title])
        held = lab.now(SECRETS, name)
        if held is not None and held["data"] != {"K": base64.b64encode(b"theirs").decode()}:
            wrong[title] = f"the Secret {name} was written"
    assert wrong == {}, json.dumps(wrong, indent=1)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"target": {"type": "kubernetes.io/service-account-token"}},
            "spec.target: Invalid value: type must not",
        ),
        ({"target": {"type": "bootstrap.kubernetes.io/token"}}, "spec.target: Invalid value: type must not"),
        ({"data": [{"key": "A B", "from": {"secret": "x"}}]}, "spec.data[0].key"),
        ({"data": [{"key": "..", "from": {"secret": "x"}}]}, "key must not be . and not begin with .."),
        (
            {"data": [{"key": "A", "from": {"secret": "x"}}] * 2},
            '.spec.data: duplicate entries for key [key="A"]',
        ),
        ({"data": [{"key": "A", "from": {}}]}, "spec.data[0].from"),
        ({"data": None}, "data"),
        ({"aws": {"region": "moon"}}, "spec.aws.region"),
        ({"aws": {"externalId": "shop"}}, "externalId needs a roleArn"),
    ],
    ids=["sa-token", "bootstrap", "key", "dots", "twice", "no source", "nothing", "region", "external id"],
)
async def test_what_the_api_server_can_tell_is_refused_with_the_field(
    lab: Lab, spec: dict[str, Any], words: str
) -> None:
    good = {"data": [{"key": "A", "from": {"secret": lab.aws_name("db")}}]}
    chosen = {key: value for key, value in {**good, **spec}.items() if value is not None}
    with pytest.raises(ApiError) as raised:
        await lab.synced_secret("shop-db", **chosen)
    assert words in str(raised.value)
    assert lab.now(SYNCED_SECRETS, "shop-db") is None


def _filled(spec: dict[str, Any], lab: Lab, source: str) -> dict[str, Any]:
    text = json.dumps({key: value for key, value in spec.items() if value is not None})
    filled = text.replace("SOURCE", lab.aws_name(source)).replace("NAMESPACE", lab.namespace)
    result: dict[str, Any] = json.loads(filled)
    return result
