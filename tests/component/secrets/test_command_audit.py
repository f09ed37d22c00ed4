"""`pierhead secrets audit` as a process, in a folder and in a cluster."""

from pathlib import Path

import pytest

from pierhead.kube.client import Client
from pierhead.kube.resources import CONFIG_MAPS, SECRETS
from pierhead.secrets.model import RESOURCE
from support.command_line import CommandLine
from support.secrets_lab import Lab

PW = "hunter2-hunter2"


@pytest.fixture
def pierhead(lab: Lab, tmp_path: Path) -> CommandLine:
    return CommandLine(lab.sandbox.environment, lab.namespace, tmp_path, group="secrets")


async def test_a_folder_is_looked_at_without_a_cluster(pierhead: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(f"db:\n  password: {PW}\n")
    found = await pierhead("audit", str(tmp_path), cluster=False)
    assert found.code == 0
    assert found.output.splitlines()[1].split()[:3] == ["values.yaml:2", "password", "***"]
    failed = await pierhead("audit", str(tmp_path), "--fail", cluster=False)
    assert failed.code == 1
    assert "1 values look like secrets" in failed.errors
    (made,) = (await pierhead("audit", str(tmp_path), "-o", "yaml")).documents
    RESOURCE.parse(made)

    path = tmp_path / "known"
    await pierhead("audit", str(tmp_path), "--write-baseline", str(path), cluster=False)
    again = await pierhead("audit", str(tmp_path), "--baseline", str(path), "--fail", cluster=False)
    assert (again.code, again.output) == (0, "")
    wrong = await pierhead("audit", str(tmp_path), "--cluster")
    assert wrong.code == 2
    for done in (found, failed, again):
        assert PW not in done.output + done.errors


async def test_config_maps_and_workloads_are_looked_at_and_secrets_are_not(
    lab: Lab, kube: Client, pierhead: CommandLine
) -> None:
    metadata = {"namespace": lab.namespace}
    data = {"app.properties": f"db.password={PW}\nhost=db", "level": "info"}
    await kube.create(CONFIG_MAPS, {"metadata": {"name": "config", **metadata}, "data": data})
    await kube.create(SECRETS, {"metadata": {"name": "db", **metadata}, "stringData": {"password": PW}})
    env = [{"name": "API_TOKEN", "value": "Ab12Cd34Ef"}, {"name": "HOST", "value": "db"}]
    template = {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{"name": "main", "image": "example.com/main", "env": env}]},
    }
    await lab.deployment("shop", template=template)
    data = (await pierhead("audit", "--cluster", "-o", "json")).json

    assert {(one["kind"], one["name"], one["key"]) for one in data["findings"]} == {
        ("ConfigMap", "config", "db.password"),
        ("Deployment", "shop", "API_TOKEN"),
    }
    assert {obj["metadata"]["namespace"] for obj in data["syncedSecrets"]} == {lab.namespace}
    for obj in data["syncedSecrets"]:
        RESOURCE.parse(obj)
