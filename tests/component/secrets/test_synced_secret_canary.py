"""P1 where it is hardest: every way in which a value cannot be used, and bugs that handle one.

What is looked for and where is in `support.canary_plugin`, which looks when a test ends.
"""

import json
import traceback
from typing import Any

import pytest

from pierhead.kube.resources import DEPLOYMENTS, SECRETS, SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.canary import MARK
from support.canary_plugin import Canary
from support.secrets_lab import Lab

CANARY = f"{MARK}-7f3d9b21e6"


CASES: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "whole": (CANARY, {}),
    "property": (json.dumps({"p": CANARY}), {"property": "p"}),
    "missing property": (json.dumps({"q": CANARY}), {"property": "p"}),
    "nested": (json.dumps({"p": {"q": CANARY}}), {"property": "p"}),
    "null": (json.dumps({"p": None, "q": CANARY}), {"property": "p"}),
    "no json": (CANARY, {"property": "p"}),
    "cut json": (f'{{"p": "{CANARY}', {"property": "p"}),
    "infinity": (f'{{"q": "{CANARY}", "p": Infinity}}', {"property": "p"}),
    "twice": (f'{{"p": "{CANARY}", "p": "{CANARY}"}}', {"property": "p"}),
    "surrogate": (f'{{"p": "{CANARY}\\ud800"}}', {"property": "p"}),
    "bytes": (CANARY.encode() + b"\xff", {"property": "p"}),
    "deep": ("[" * 20_000 + CANARY, {"property": "p"}),
}
EXTRACTS: dict[str, tuple[str, str]] = {
    "json": (json.dumps({"A": CANARY, "B": {"c": CANARY}}), "json"),
    "bad key": (json.dumps({"A B": CANARY}), "json"),
    "collision": (json.dumps({"K": CANARY}), "json"),
    "list": (json.dumps([CANARY]), "json"),
    "dotenv": (f"A={CANARY}\nB='{CANARY}'", "dotenv"),
    "open quote": (f"A=1\nB='{CANARY}", "dotenv"),
    "no equals": (f"A=1\n{CANARY}", "dotenv"),
    "key of a value": (f"A=-----BEGIN\n{CANARY}/+==", "dotenv"),
    "twice": (f"A={CANARY}\nA={CANARY}", "dotenv"),
}


async def test_a_value_is_in_the_secret_and_nowhere_else(lab: Lab, canary: Canary) -> None:
    lab.secret("good", CANARY)
    lab.aws.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource=lab.aws_name("denied")))
    lab.secret("denied", CANARY)
    await lab.deployment("shop")
    names = []
    restart = [{"kind": "Deployment", "name": "shop"}]
    for number, (value, source) in enumerate(CASES.values()):
        lab.secret(f"case-{number}", value)
        entry = {"key": "K", "from": {"secret": lab.aws_name(f"case-{number}"), **source}}
        names.append(f"case-{number}")
        await lab.synced_secret(names[-1], data=[entry], restart=restart, refresh={"interval": "1s"})
    for number, (value, file_format) in enumerate(EXTRACTS.values()):
        lab.secret(f"extract-{number}", value)
        extract = {"secret": lab.aws_name(f"extract-{number}"), "format": file_format}
        names.append(f"extract-{number}")
        await lab.synced_secret(names[-1], data=lab.data(("K", "good")), dataFrom=[{"extract": extract}])
    targets = {"tls": {"type": "kubernetes.io/tls"}, "token": {"adopt": True}, "theirs": {}, "denied": {}}
    for name, target in targets.items():
        if name == "token":
            # The API server is given this one, and refuses it.
            account = {"annotations": {"kubernetes.io/service-account.name": "default"}}
            token = {"metadata": {"name": name, "namespace": lab.namespace, **account}}
            kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"}
            await lab.kube.create(SECRETS, {**kind, **token})
        if name == "theirs":
            theirs = {"metadata": {"name": "theirs", "namespace": lab.namespace}, "stringData": {"K": CANARY}}
            await lab.kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **theirs})
        names.append(name)
        secret = "denied" if name == "denied" else "good"
        await lab.synced_secret(name, data=lab.data(("K", secret)), target=target)
    names += ["encoded", "found"]
    found = {"find": {"namePrefix": f"{lab.namespace}/goo"}, "decode": "Base64"}
    await lab.synced_secret("found", dataFrom=[found])
    encoded = {"secret": lab.aws_name("good"), "decode": "Base64"}
    await lab.synced_secret("encoded", data=[{"key": "K", "from": encoded}])
    await lab.operator()
    for name in names:
        await lab.until(SYNCED_SECRETS, name, lambda obj: obj.get("status"), within=30)
    for number in (0, 1):
        value, _ = list(CASES.values())[number]
        lab.secret(f"case-{number}", value)
    await lab.until(DEPLOYMENTS, "shop", lambda obj: obj["metadata"]["generation"] > 1)
    await lab.kube.merge_patch(SECRETS, "case-0", lab.namespace, {"data": {"K": None}})
    await lab.holds("case-0", K=CANARY)

    assert canary.log.getvalue()
    reasons = {(lab.now(SYNCED_SECRETS, name) or {})["status"]["conditions"][0]["reason"] for name in names}
    assert {"Synced", "NotJSON", "PropertyNotFound", "NotText", "NotBase64"} <= reasons
    assert {"TargetRefused", "MissingKey", "TargetNotOwned"} <= reasons


@pytest.mark.parametrize("name", ["_single", "_many", "_checked"])
async def test_a_bug_that_handles_a_value_shows_none(
    lab: Lab, canary: Canary, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def bug(*arguments: Any, **_: Any) -> Any:
        raise RuntimeError(repr([*map(str, arguments), CANARY]))

    monkeypatch.setattr(f"pierhead.secrets.reading.sources.{name}", bug)
    lab.secret("db", json.dumps({"A": CANARY}))
    await lab.synced_secret(
        "shop-db", data=lab.data(("K", "db")), dataFrom=[{"extract": {"secret": lab.aws_name("db")}}]
    )
    operator = await lab.operator()
    await lab.ready("shop-db", "False", reason="InternalError")
    await operator.events.first(1)
    assert "RuntimeError" in canary.log.getvalue()


async def test_errors_of_aws_keep_no_answer_in_reach(lab: Lab) -> None:
    """Neither the text of an error nor what it is chained to leads to a request or an answer."""
    await lab.operator()
    operator = lab.operators[0]
    lab.secret("db", CANARY)
    client = operator.sessions.client("secretsmanager")
    with pytest.raises(Exception, match="VersionStages") as raised:
        await client.call(
            "put_secret_value", SecretId=lab.aws_name("db"), SecretString=CANARY, VersionStages=1
        )
    with pytest.raises(Exception, match="ResourceNotFound") as missing:
        await client.call("put_secret_value", SecretId="nothing", SecretString=CANARY)

    for error in (raised.value, missing.value):
        assert error.__cause__ is None
        assert error.__context__ is None
        assert CANARY not in "".join(traceback.format_exception(error))
