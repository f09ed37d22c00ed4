"""What the renderer gives is what `helm template` prints."""

import asyncio
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.render import Capabilities, Chart, Release, RendererPool, RenderRequest
from support.renders import CHARTS, RELEASE

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "defaults": ("simple", {}),
    "values": (
        "simple",
        {
            "replicas": 5,
            "ingress": {"enabled": False},
            "config": {"color": None, "code": "0123", "flag": "yes"},
        },
    ),
    "large numbers": ("simple", {"maxUploadBytes": 10**15, "config": {"size": 12345678, "ratio": 1.5}}),
    "subcharts": ("parent", {}),
    "condition off": ("parent", {"cache": {"enabled": False}}),
    "tag off": ("parent", {"tags": {"messaging": False}}),
    "alias with its own values": ("parent", {"sessions": {"size": 9}, "global": {"team": "other"}}),
    "hooks": ("hooks", {"image": "registry.example.com/tool:2"}),
    "files and tpl": ("dynamic", {"greeting": "{{ .Release.Service }} {{ .Chart.Name }}"}),
    "schema": ("schema", {"replicas": 3, "color": "red"}),
}


async def helm_template(helm: Path, chart: Path, values: dict[str, Any], folder: Path, *flags: str) -> str:
    values_file = folder / "values.yaml"
    values_file.write_text(json.dumps(values))
    process = await asyncio.create_subprocess_exec(
        helm,
        *("template", RELEASE.name, chart, "--namespace", RELEASE.namespace, "--values", values_file, *flags),
        stdout=asyncio.subprocess.PIPE,
        env={"HOME": str(folder)},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


@pytest.mark.parametrize("case", CASES)
async def test_text_and_hooks_are_helms_to_the_byte(
    pool: RendererPool, helm: Path, tmp_path: Path, case: str
) -> None:
    name, values = CASES[case]
    chart = CHARTS / name
    rendering = await pool.render(RenderRequest(chart=Chart(chart, RELEASE, values)))
    printed = rendering.manifest.strip() + "\n"
    printed += "".join(f"---\n# Source: {hook.path}\n{hook.manifest}\n" for hook in rendering.hooks)
    assert printed == await helm_template(helm, chart, values, tmp_path)


@pytest.mark.parametrize("case", CASES)
async def test_objects_are_helms_document_by_document(
    pool: RendererPool, helm: Path, tmp_path: Path, case: str
) -> None:
    name, values = CASES[case]
    chart = CHARTS / name
    rendering = await pool.render(RenderRequest(chart=Chart(chart, RELEASE, values)))
    expected: list[Any] = []
    printed = await helm_template(helm, chart, values, tmp_path, "--no-hooks")
    for document in yaml.safe_load_all(printed):
        if document and document["kind"] == "RoleList":
            role = {"apiVersion": document["apiVersion"], "kind": "Role"}
            expected += [role | item for item in document["items"]]
        elif document:
            expected.append(document)
    assert [item.object for item in rendering.objects] == expected


async def test_capabilities_and_upgrade_reach_the_templates(
    pool: RendererPool, helm: Path, tmp_path: Path
) -> None:
    chart, scaler = CHARTS / "simple", "autoscaling.example.com/v9"
    flags = ("--kube-version", "v1.31.7-eks-1234567", "--api-versions", scaler, "--is-upgrade")
    rendering = await pool.render(
        RenderRequest(
            chart=Chart(chart, Release("demo", "shop", is_upgrade=True)),
            capabilities=Capabilities("v1.31.7-eks-1234567", ("v1", "apps/v1", scaler)),
        )
    )
    assert rendering.manifest.strip() + "\n" == await helm_template(helm, chart, {}, tmp_path, *flags)
    assert rendering.objects[-1].object["metadata"]["annotations"] == {
        "kube": "v1.31.7-eks-1234567",
        "minor": "31",
    }


async def test_an_archive_renders_as_its_folder_does(pool: RendererPool, tmp_path: Path) -> None:
    archive = tmp_path / "parent-0.1.0.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(CHARTS / "parent", arcname="parent")
    packed = await pool.render(RenderRequest(chart=Chart(archive, RELEASE)))
    assert packed == await pool.render(RenderRequest(chart=Chart(CHARTS / "parent", RELEASE)))
