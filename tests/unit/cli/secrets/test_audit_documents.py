"""Where in files secrets are found, and what is passed over."""

import json
from pathlib import Path

import pytest
import yaml

from pierhead.cli.secrets.audit import baseline, files
from pierhead.cli.secrets.audit.findings import Finding
from pierhead.cli.secrets.audit.replacement import synced_secrets
from pierhead.secrets.model import RESOURCE

PW = "hunter2-hunter2"

DEPLOYMENT = f"""\
# first
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop, namespace: team}}
spec:
  template:
    spec:
      containers:
        - name: main
          args: ["--verbose", "--db-password={PW}"]
          env:
            - {{name: LOG_LEVEL, value: info}}
            - name: DB_PASSWORD
              value: {PW}
            - name: OTHER_PASSWORD
              valueFrom: {{secretKeyRef: {{name: db, key: password}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: config, namespace: team}}
data:
  plain: "yes"
  application.properties: |
    # comment
    db.password={PW}
    db.host=db
  settings.json: '{{"smtp": {{"password": "{PW}", "port": 25}}}}'
  ca.crt: |
    -----BEGIN CERTIFICATE-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1c7Z
    -----END CERTIFICATE-----
"""

SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
data: {password: aHVudGVyMg==, empty: "", templated: "{{ .Values.x }}"}
stringData:
  user: shop
  token: ${TOKEN}
"""


def scanned(tmp_path: Path, **contents: str) -> list[Finding]:
    for name, text in contents.items():
        path = tmp_path / name.replace("__", "/").replace("_yaml", ".yaml").replace("_json", ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return files.scan(tmp_path).findings


def places(found: list[Finding]) -> set[tuple[str, str, str]]:
    return {(one.where, one.key, one.verdict.rule) for one in found}


def test_values_are_found_with_their_line_their_object_and_their_field(tmp_path: Path) -> None:
    found = scanned(tmp_path, a__deploy_yaml=DEPLOYMENT)

    assert places(found) == {
        ("a/deploy.yaml:10", "db-password", "SecretName"),
        ("a/deploy.yaml:14", "DB_PASSWORD", "SecretName"),
        ("a/deploy.yaml:25", "db.password", "SecretName"),
        ("a/deploy.yaml:27", "password", "SecretName"),
    }
    assert {one.holder.label for one in found} == {"Deployment team/shop", "ConfigMap team/config"}
    assert "spec.template.spec.containers.0.env.1.value" in {one.field for one in found}
    assert PW not in repr(found)


def test_a_secret_in_a_file_is_found_whatever_it_holds(tmp_path: Path) -> None:
    found = scanned(tmp_path, secret_yaml=SECRET)

    assert {(one.key, one.verdict.rule) for one in found} == {
        ("password", "SecretName"),
        ("user", "SecretManifest"),
    }


@pytest.mark.parametrize(
    "text",
    [
        SECRET.replace("kind: Secret", "kind: SealedSecret").replace("v1\n", "bitnami.com/v1alpha1\n", 1),
        SECRET + "sops: {mac: abc}\n",
        SECRET.replace("name: db", "name: db, annotations: {pierhead.dev/audit: Ignore}"),
        SECRET.replace("name: db", "name: db, annotations: {pierhead.dev/audit: 'user, password'}"),
        SECRET + "type: helm.sh/release.v1\n",
        "password: hunter22 # pierhead:allow\n",
        "# this one is for tests: pierhead:allow\npassword: hunter22\n",
        "password: null\ntoken: true\n",
        "a: &a {password: x}\n",
    ],
    ids=["sealed", "sops", "ignored", "keys", "helm", "allowed", "allowed above", "no text", "short"],
)
def test_what_is_encrypted_or_allowed_is_passed_over(tmp_path: Path, text: str) -> None:
    assert scanned(tmp_path, a_yaml=text) == []


def test_an_allowance_is_for_its_line_only(tmp_path: Path) -> None:
    text = "password: hunter22 # pierhead:allow\ntoken: Ab12Cd34\n"

    assert places(scanned(tmp_path, a_yaml=text)) == {("a.yaml:2", "token", "SecretName")}


def test_values_files_templates_lists_and_env_files(tmp_path: Path) -> None:
    items = {"kind": "List", "apiVersion": "v1", "items": list(yaml.safe_load_all(DEPLOYMENT))[:1]}
    found = scanned(
        tmp_path,
        values_yaml=f"db:\n  auth:\n    password: {PW}\n    existingSecret: x-db\n",
        templates__a_yaml="{{- if .Values.x }}\nkey: {{ .Values.x }}\npassword: " + PW + "\n{{- end }}\n",
        list_json=json.dumps(items),
        **{".env.prod": f"# comment\nexport DB_PASSWORD='{PW}' # inline\nHOST=db\n"},
    )

    assert places(found) >= {
        ("values.yaml:3", "password", "SecretName"),
        ("templates/a.yaml:3", "password", "SecretName"),
        (".env.prod:2", "DB_PASSWORD", "SecretName"),
        ("list.json:1", "DB_PASSWORD", "SecretName"),
    }
    assert "Deployment team/shop" in {one.holder.label for one in found}
    assert len(found) == 5


def test_secret_generators_are_found_with_their_files_and_none_outside(tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text(f"PASSWORD={PW}")
    text = """\
secretGenerator:
  - name: db
    literals: ["user=shop", 'token="${TOKEN}"']
    envs: [secret.txt, ../outside.txt, missing.txt]
configMapGenerator:
  - name: config
    literals: ["level=info", "password=hunter22"]
"""
    root = tmp_path / "root"
    root.mkdir()
    (root / "secret.txt").write_text(f"PASSWORD={PW}\n")
    found = scanned(root, kustomization_yaml=text)

    assert places(found) == {
        ("kustomization.yaml:3", "user", "SecretGenerator"),
        ("kustomization.yaml:7", "password", "SecretName"),
        ("secret.txt:1", "PASSWORD", "SecretName"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "a: &x [*x, *x]\n",
        "a: [1\n",
        "a: !!python/object:os.system x\n",
        "\0",
        "- - - a",
    ],
    ids=["lists", "maps", "itself", "open", "tag", "null", "nested"],
)
def test_no_document_stops_a_scan(tmp_path: Path, text: str) -> None:
    found = scanned(tmp_path, a_yaml=text, b_yaml=f"password: {PW}\n")

    assert places(found) == {("b.yaml:1", "password", "SecretName")}


def test_aliases_are_looked_at_once(tmp_path: Path) -> None:
    levels = [f"a0: &a0 {{password: {PW}}}"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]

    assert len(scanned(tmp_path, a_yaml="\n".join(levels))) == 1


def test_what_is_not_looked_at_is_told(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("a: b\n" * 300_000)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.yaml").write_text(f"password: {PW}\n")
    (tmp_path / "link.yaml").symlink_to(tmp_path / ".git" / "a.yaml")
    found = files.scan(tmp_path)

    assert found.findings == []
    assert "large.yaml was not looked at" in found.warnings[0]


def test_every_replacement_is_valid_and_reads_what_its_namespace_may(tmp_path: Path) -> None:
    found = scanned(tmp_path, a_yaml=DEPLOYMENT, b_yaml=SECRET, **{".env": f"PASSWORD={PW}"})
    made = {obj["metadata"]["name"]: obj for obj in synced_secrets(found)}

    for obj in made.values():
        RESOURCE.parse(obj)
    assert made.keys() == {"shop-secrets", "config-secrets", "db", "env-secrets"}
    assert made["shop-secrets"]["spec"] == {
        "data": [
            {"key": key, "from": {"secret": "team/shop-secrets", "property": key}}
            for key in ("db-password", "DB_PASSWORD")
        ],
        "restart": [{"kind": "Deployment", "name": "shop"}],
    }
    assert made["db"]["spec"]["target"] == {"name": "db", "adopt": True}
    assert PW not in json.dumps(list(made.values()))


def test_a_baseline_survives_moved_lines_and_holds_no_value(tmp_path: Path) -> None:
    before = scanned(tmp_path, a_yaml=f"password: {PW}\n")
    path = tmp_path / "baseline"
    baseline.write(path, before)
    after = scanned(tmp_path, a_yaml=f"# moved\n\npassword: {PW}\ntoken: Ab12Cd34\n")

    assert [one.key for one in after if one.identity not in baseline.known(path)] == ["token"]
    assert PW not in path.read_text()
