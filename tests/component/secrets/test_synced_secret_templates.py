"""Templates: what they are for, on the API server; what is told when they fail; when they restart."""

import json
from io import StringIO

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from dotenv import dotenv_values

from pierhead.kube.resources import DEPLOYMENTS, SECRETS
from support.secret_templates import pem_parts, pkcs12_of
from support.secrets_lab import Lab, Object, condition, values

PASSWORD = "p@ss:w/o? 'rd"
CANARY = "cAnArY-7f3d9b21e6"


async def made(lab: Lab, name: str) -> tuple[str, dict[str, bytes]]:
    """The Secret's type and values, asked of the API server."""
    await lab.ready(name)
    found = await lab.kube.get(SECRETS, name, lab.namespace)
    return found["type"], values(found)


async def test_a_password_becomes_a_pull_secret_a_connection_string_and_files(lab: Lab) -> None:
    document = '{"host": "db", "port": 5432, "ratio": 1.10, "password": ' + json.dumps(PASSWORD) + "}"
    lab.secret("db", document)
    data = lab.data(("PASSWORD", "db", "password"), ("DB", "db"))
    hub = 'PASSWORD | dockerconfigjson("hub.example.com", "me") | fromjson'
    await lab.synced_secret(
        "pull",
        data=data,
        target={"type": "kubernetes.io/dockerconfigjson"},
        template={
            "data": {
                ".dockerconfigjson": f"{{{{ {hub} | merge({hub.replace('hub.', 'two.')}) | tojson }}}}",
            }
        },
    )
    await lab.synced_secret(
        "files",
        data=data,
        template={
            "data": {
                "DSN": "postgres://me:{{ PASSWORD | urlencode }}@{{ DB | fromjson | get('host') }}:5432/shop",
                ".env": 'MODE=on\n{{ "PASS*" | keys | dotenv }}',
                "db.yaml": "{{ {'db': DB | fromjson} | toyaml }}",
                "db.json": '{"password": {{ PASSWORD | tojson }}}',
            }
        },
    )
    await lab.synced_secret("merged", data=data, template={"data": {"A": "a"}, "mergePolicy": "Merge"})
    await lab.operator()

    kind, pull = await made(lab, "pull")
    assert kind == "kubernetes.io/dockerconfigjson"
    logins = json.loads(pull[".dockerconfigjson"])["auths"]
    assert {host: login["password"] for host, login in logins.items()} == {
        "hub.example.com": PASSWORD,
        "two.example.com": PASSWORD,
    }
    kind, files = await made(lab, "files")
    assert kind == "Opaque"
    assert files["DSN"] == b"postgres://me:p%40ss%3Aw%2Fo%3F%20%27rd@db:5432/shop"
    env = dotenv_values(stream=StringIO(files[".env"].decode()), interpolate=False)
    assert env == {"MODE": "on", "PASSWORD": PASSWORD}
    assert yaml.safe_load(files["db.yaml"])["db"]["password"] == PASSWORD
    assert b"ratio: 1.10\n" in files["db.yaml"]
    assert json.loads(files["db.json"]) == {"password": PASSWORD}
    assert (await made(lab, "merged"))[1].keys() == {"A", "PASSWORD", "DB"}


async def test_pem_and_pkcs12_become_tls_secrets(lab: Lab) -> None:
    parts = pem_parts()
    lab.secret("bundle", parts["chain"] + parts["key"])
    lab.secret("store", pkcs12_of("changeit"))
    lab.secret("password", "changeit", mark=False)
    tls = {"target": {"type": "kubernetes.io/tls"}}
    await lab.synced_secret(
        "pem",
        data=lab.data(("BUNDLE", "bundle")),
        template={
            "data": {"tls.key": '{{ BUNDLE | pem("key") }}', "tls.crt": '{{ BUNDLE | pem("chain") }}'},
        },
        **tls,
    )
    await lab.synced_secret(
        "pkcs12",
        data=lab.data(("STORE", "store"), ("PASSWORD", "password")),
        template={
            "data": {
                "tls.key": '{{ STORE | pkcs12("key", PASSWORD) }}',
                "tls.crt": '{{ STORE | pkcs12("chain", PASSWORD) }}',
                "ca.crt": '{{ STORE | pkcs12("ca", PASSWORD) }}',
                "store.p12": "{{ STORE }}",
            }
        },
        **tls,
    )
    await lab.operator()

    for name in ("pem", "pkcs12"):
        kind, found = await made(lab, name)
        assert kind == "kubernetes.io/tls"
        certificates = load_pem_x509_certificates(found["tls.crt"])
        key = load_pem_private_key(found["tls.key"], None)
        assert len(certificates) == 2
        assert certificates[0].public_key() == key.public_key()
    assert found["ca.crt"].decode() == parts["ca"]
    assert found["store.p12"] == lab.boto.get_secret_value(SecretId=lab.aws_name("store"))["SecretBinary"]


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("{{ A.__class__ }}", "TemplateInvalid", "line 1: not in the language: access by"),
        ("{{ NONE }}", "UndefinedKey", "line 1: the key 'NONE' is not there"),
        ("{{ A | fromjson }}", "NotJSON", "filter fromjson: is not JSON"),
        ("{{ A | fromjson | get('x') | error(A) }}", "TemplateInvalid", "there is no filter 'error'"),
        (
            "{{ A | pkcs12('key', A) }}",
            "NotPKCS12",
            "filter pkcs12: is not PKCS#12, or the password is wrong",
        ),
        ("{% for a in BIG | split(',') %}{{ BIG }}{% endfor %}", "TooLarge", "makes more than 1048576 bytes"),
    ],
)
async def test_a_template_that_fails_is_named_with_its_cause_and_the_secret_stays(
    lab: Lab, text: str, reason: str, words: str
) -> None:
    lab.secret("db", CANARY)
    lab.secret("big", "a," * 9_000)
    data = lab.data(("A", "db"), ("BIG", "big"))
    good = {"GOOD": "{{ A }}"}
    await lab.synced_secret("shop-db", data=data, template={"data": good})
    operator = await lab.operator()
    await lab.holds("shop-db", GOOD=CANARY)
    await lab.ready("shop-db")
    lab.aws.clear_calls()

    await lab.synced_secret("shop-db", data=data, template={"data": {**good, "bad.key": text}})
    obj = await lab.ready("shop-db", "False", reason=reason)

    message = condition(obj, "Ready")["message"]
    assert message.startswith("spec.template.data[bad.key]: ")
    assert words in message
    assert condition(obj, "Stalled")["reason"] == reason
    assert values(lab.now(SECRETS, "shop-db")) == {"GOOD": CANARY.encode()}
    if reason == "TemplateInvalid":
        assert lab.reads() == {}
    assert CANARY not in json.dumps(obj)
    await operator.events.first(1)
    assert CANARY not in repr(operator.events.told)


async def test_a_key_whose_source_goes_is_not_replaced_by_its_default(lab: Lab) -> None:
    lab.secret("db", "one")
    lab.secret("extra", "more")
    spec = {
        "data": [*lab.data(("A", "db")), *lab.data(("X", "extra"), ("Y", "never"), optional=True)],
        "template": {"data": {"B": "{{ A }}{{ X | default('-') }}{{ Y | default('-') }}"}},
        "refresh": {"interval": "1s"},
    }
    await lab.synced_secret("shop-db", **spec)
    await lab.operator()
    await lab.holds("shop-db", B="onemore-")
    await lab.ready("shop-db")

    lab.boto.delete_secret(SecretId=lab.aws_name("extra"), ForceDeleteWithoutRecovery=True)
    await lab.polled(2)
    lab.secret("db", "two")
    obj = await lab.ready("shop-db", "False", reason="SourceGone")
    assert "the key 'X' was there" in condition(obj, "Ready")["message"]
    assert values(lab.now(SECRETS, "shop-db")) == {"B": b"onemore-"}

    await lab.synced_secret("shop-db", **spec, onSourceDelete="Delete")
    await lab.holds("shop-db", B="two--")


async def test_a_changed_template_restarts_once_and_a_poll_changes_nothing(lab: Lab) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop")

    async def synced(text: str) -> Object:
        return await lab.synced_secret(
            "shop-db",
            data=lab.data(("A", "db")),
            template={"data": {"B": text}},
            restart=[{"kind": "Deployment", "name": "shop"}],
            refresh={"interval": "1s"},
        )

    await synced("{{ A }}")
    operator = await lab.operator()
    await lab.holds("shop-db", B="one")
    await lab.ready("shop-db")
    operator.writes.clear()
    await lab.polled(2)
    assert lab.writes(operator) == []

    await synced("<{{ A }}>")
    await lab.holds("shop-db", B="<one>")
    await lab.until(DEPLOYMENTS, "shop", lambda obj: obj["metadata"]["generation"] == 2)
    lab.secret("db", "two")
    await lab.holds("shop-db", B="<two>")
    await lab.until(DEPLOYMENTS, "shop", lambda obj: obj["metadata"]["generation"] == 3)
    await lab.polled(2)
    assert lab.writes(operator).count("PATCH deployments") == 2
    assert lab.writes(operator).count("PATCH secrets") == 2


async def test_drift_is_undone_with_what_the_template_makes(lab: Lab) -> None:
    lab.secret("db", "one")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")), template={"data": {"B": "<{{ A }}>"}})
    await lab.operator()
    await lab.holds("shop-db", B="<one>")
    await lab.ready("shop-db")

    await lab.kube.merge_patch(SECRETS, "shop-db", lab.namespace, {"data": {"B": None, "A": "eA=="}})
    await lab.holds("shop-db", B="<one>")
