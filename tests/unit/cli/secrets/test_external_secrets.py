"""An ExternalSecret and the SyncedSecret that equals it."""

import copy
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pierhead.cli.failures import CommandError
from pierhead.cli.main import app
from pierhead.cli.secrets.migration.external_secrets import Made, translated
from pierhead.secrets.model import RESOURCE

STORE = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "SecretStore",
    "metadata": {"name": "aws", "namespace": "shop"},
    "spec": {
        "provider": {
            "aws": {
                "service": "SecretsManager",
                "region": "eu-west-1",
                "role": "arn:aws:iam::111122223333:role/shop",
                "externalID": "abc",
                "prefix": "shop/",
            }
        }
    },
}

EXTERNAL = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": {"name": "shop-db", "namespace": "shop"},
    "spec": {
        "refreshInterval": "10m",
        "secretStoreRef": {"name": "aws", "kind": "SecretStore"},
        "target": {
            "name": "db",
            "creationPolicy": "Owner",
            "deletionPolicy": "Delete",
            "template": {
                "type": "Opaque",
                "engineVersion": "v2",
                "mergePolicy": "Merge",
                "metadata": {"labels": {"a": "b"}},
                "data": {"dsn": "postgres://{{ .user }}:{{.password | toString}}@db/shop"},
            },
        },
        "data": [
            {"secretKey": "user", "remoteRef": {"key": "db", "property": "user.name"}},
            {"secretKey": "password", "remoteRef": {"key": "db", "version": "uuid/" + "1" * 36}},
            {
                "secretKey": "old",
                "remoteRef": {"key": "db", "version": "AWSPREVIOUS", "decodingStrategy": "Base64"},
            },
        ],
        "dataFrom": [
            {"extract": {"key": "env"}, "rewrite": [{"regexp": {"source": "^x_(.*)$", "target": "$1"}}]}
        ],
    },
}


def made_of(external: dict[str, Any] = EXTERNAL, *stores: dict[str, Any]) -> Made:
    (made,) = translated([external, *(stores or (STORE,))])
    return made


def changed(path: str, value: Any, obj: dict[str, Any] = EXTERNAL) -> dict[str, Any]:
    found = copy.deepcopy(obj)
    place: Any = found["spec"]
    *parents, last = path.split(".")
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
    place[int(last) if isinstance(place, list) else last] = value
    return found


def test_what_has_an_equal_is_taken_and_nothing_else_is_said() -> None:
    made = made_of()
    RESOURCE.parse(made.synced_secret)

    assert made.warnings == []
    assert made.synced_secret["metadata"] == {"name": "shop-db", "namespace": "shop"}
    assert made.synced_secret["spec"] == {
        "aws": {"region": "eu-west-1", "roleArn": "arn:aws:iam::111122223333:role/shop", "externalId": "abc"},
        "data": [
            {"key": "user", "from": {"secret": "shop/db", "property": "user.name"}},
            {"key": "password", "from": {"secret": "shop/db", "versionId": "1" * 36}},
            {"key": "old", "from": {"secret": "shop/db", "versionStage": "AWSPREVIOUS", "decode": "Base64"}},
        ],
        "dataFrom": [
            {"extract": {"secret": "shop/env"}, "rewrite": [{"pattern": "^x_(.*)$", "replace": "$1"}]}
        ],
        "target": {"name": "db", "adopt": True, "type": "Opaque", "labels": {"a": "b"}},
        "onSourceDelete": "Delete",
        "template": {"data": {"dsn": "postgres://{{ user }}:{{ password }}@db/shop"}, "mergePolicy": "Merge"},
        "refresh": {"interval": "10m"},
    }


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("somethingNew", {"a": 1}, "spec.somethingNew has no equal in a SyncedSecret"),
        ("target.creationPolicy", "Merge", "writes a Secret of its own"),
        ("target.creationPolicy", "Orphan", "Orphan has no equal"),
        ("target.deletionPolicy", "Merge", "Merge has no equal"),
        ("target.template.templateFrom", [{"configMap": {}}], "write the templates into spec.template"),
        ("target.template.data", {"a": "{{ .user | upper }}"}, "template.data[a] does more than name values"),
        ("target.template.somethingNew", 1, "spec.target.template.somethingNew has no equal"),
        ("data.0.remoteRef.property", "users.#.name", "only dots and numbers"),
        ("data.0.remoteRef.metadataPolicy", "Fetch", "tags are not read"),
        ("data.0.remoteRef.somethingNew", "x", "remoteRef.somethingNew has no equal"),
        ("data.0.remoteRef.decodingStrategy", "Rot13", "decodingStrategy Rot13 has no equal"),
        ("data.0.sourceRef", {"storeRef": {"name": "x"}}, "all keys are read as spec.aws says"),
        (
            "dataFrom.0",
            {"find": {"path": "a", "conversionStrategy": "Unicode"}},
            "conversionStrategy: has no",
        ),
        ("dataFrom.0", {"find": {"name": {"regexp": "^a"}}}, "the store's prefix included"),
        ("dataFrom.0", {"find": {"path": "a", "somethingNew": 1}}, "find.somethingNew has no equal"),
        ("dataFrom.0.sourceRef", {"generatorRef": {"name": "x"}}, "for ECR see"),
        ("dataFrom.0.rewrite", [{"transform": {"template": "x"}}], "rewrite by patterns"),
        ("secretStoreRef", {"name": "other"}, "SecretStore other is not among the files"),
        ("secretStoreRef", None, "names no store"),
    ],
)
def test_what_has_no_equal_is_told(path: str, value: Any, words: str) -> None:
    assert words in " | ".join(made_of(changed(path, value)).warnings)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("provider.aws.additionalRoles", ["x"], "one role is assumed"),
        ("provider.aws.sessionTags", [{"key": "a"}], "tagged with the namespace"),
        ("provider.aws.auth", {"secretRef": {"accessKeyIDSecretRef": {}}}, "no static keys"),
        ("provider.aws.somethingNew", 1, "aws.somethingNew has no equal"),
        ("provider.somethingNew", 1, "spec.provider.somethingNew has no equal"),
        ("conditions", [{"namespaces": ["shop"]}], "is the operator's to decide"),
    ],
)
def test_what_of_a_store_has_no_equal_is_told(path: str, value: Any, words: str) -> None:
    assert words in " | ".join(made_of(EXTERNAL, changed(path, value, STORE)).warnings)


@pytest.mark.parametrize(
    ("fields", "refresh"),
    [
        ({"refreshInterval": "0"}, {"mode": "Once"}),
        ({"refreshInterval": "0s"}, {"mode": "Once"}),
        ({"refreshPolicy": "CreatedOnce"}, {"mode": "Once"}),
        ({"refreshPolicy": "OnChange"}, {"mode": "Once"}),
        ({"refreshPolicy": "Periodic", "refreshInterval": "1h0m0s"}, {"interval": "1h0m0s"}),
        ({"refreshInterval": None}, None),
    ],
)
def test_when_values_are_read_again(fields: dict[str, Any], refresh: dict[str, Any] | None) -> None:
    external = {**EXTERNAL, "spec": EXTERNAL["spec"] | fields}

    assert made_of(external).synced_secret["spec"].get("refresh") == refresh


def test_what_is_found_is_found_and_named_as_before() -> None:
    find = {"path": "team/", "tags": {"team": "shop"}, "decodingStrategy": "Auto"}
    rewrite = [{"regexp": {"source": "^shop/team/", "target": ""}}]
    made = made_of(changed("dataFrom.0", {"find": find, "rewrite": rewrite}))
    RESOURCE.parse(made.synced_secret)

    assert made.warnings == []
    assert made.synced_secret["spec"]["dataFrom"] == [
        {
            "find": {"namePrefix": "shop/team/", "tags": {"team": "shop"}},
            "decode": "Auto",
            "rewrite": [
                {"pattern": "^shop/team/", "replace": ""},
                {"pattern": "[^-._a-zA-Z0-9]", "replace": "_"},
            ],
        }
    ]


def test_an_account_and_parameters_of_a_cluster_store() -> None:
    aws = {"service": "ParameterStore", "region": "eu-west-1", "externalID": "x"}
    aws["auth"] = {"jwt": {"serviceAccountRef": {"name": "reader", "namespace": "eso"}}}
    store = STORE | {
        "kind": "ClusterSecretStore",
        "metadata": {"name": "aws"},
        "spec": {"provider": {"aws": aws}},
    }
    external = changed("secretStoreRef", {"name": "aws", "kind": "ClusterSecretStore"})
    external["spec"]["data"] = [{"secretKey": "a", "remoteRef": {"key": "/shop/a", "version": "3"}}]
    made = made_of(external, store)
    RESOURCE.parse(made.synced_secret)

    assert made.synced_secret["spec"]["aws"] == {"region": "eu-west-1", "serviceAccountName": "reader"}
    assert made.synced_secret["spec"]["data"] == [{"key": "a", "from": {"parameter": "/shop/a:3"}}]
    assert "has to be in the SyncedSecret's own namespace" in " ".join(made.warnings)


@pytest.mark.parametrize(
    "objects", [[], [STORE], [EXTERNAL, STORE | {"spec": {"provider": {"vault": {"server": "x"}}}}]]
)
def test_what_cannot_be_translated_is_refused(objects: list[dict[str, Any]]) -> None:
    with pytest.raises(CommandError, match=r"no ExternalSecret|not of AWS"):
        translated(objects)


def test_a_list_as_kubectl_prints_it_is_translated() -> None:
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [EXTERNAL, STORE]})
    done = CliRunner().invoke(app, ["secrets", "adopt", "--from-external-secrets", "-"], input=text)

    assert done.exit_code == 0
    (made,) = yaml.safe_load_all(done.stdout)
    assert made["kind"] == "SyncedSecret"
    assert "--cascade=orphan" in done.stderr
    done = CliRunner().invoke(
        app, ["secrets", "adopt", "--from-external-secrets", "-", "-o", "json"], input=text
    )
    assert done.exit_code == 0
    assert '"steps"' in done.stdout
