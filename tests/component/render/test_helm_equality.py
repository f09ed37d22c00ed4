"""What the renderer gives is what `helm template` prints and `helm install` would store."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from pierhead.render import Capabilities, Chart, Release, RendererPool, RenderRequest
from support.helm_judge import CASES, by_name, documents, helm, stored, trimmed, values_file
from support.renders import CHARTS, RELEASE


def place(name: str) -> tuple[str | Path, ...]:
    """The arguments that both subcommands take."""
    return (RELEASE.name, CHARTS / name, "--namespace", RELEASE.namespace)


@pytest.mark.parametrize("case", CASES)
async def test_text_and_hooks_are_helms_to_the_byte(
    pool: RendererPool, helm_program: Path, tmp_path: Path, case: str
) -> None:
    name, values = CASES[case]
    rendering = await pool.render(RenderRequest(chart=Chart(CHARTS / name, RELEASE, values)))
    printed = rendering.manifest.strip() + "\n"
    printed += "".join(f"---\n# Source: {hook.path}\n{hook.manifest}\n" for hook in rendering.hooks)
    given = ("--values", values_file(tmp_path, values))
    assert printed == await helm(helm_program, "template", *place(name), *given, folder=tmp_path)


@pytest.mark.parametrize("case", CASES)
async def test_the_release_is_helms_document_by_document(
    pool: RendererPool, helm_program: Path, tmp_path: Path, case: str
) -> None:
    name, values = CASES[case]
    rendering = await pool.render(RenderRequest(chart=Chart(CHARTS / name, RELEASE, values)))
    given = ("--values", values_file(tmp_path, values), "--dry-run=client", "--output", "json")
    release = json.loads(await helm(helm_program, "install", *place(name), *given, folder=tmp_path))
    assert rendering.manifest == release["manifest"]
    assert [item.object for item in rendering.objects] == documents(release["manifest"])
    hooks = release.get("hooks", [])
    assert sorted(map(stored, rendering.hooks), key=by_name) == sorted(map(trimmed, hooks), key=by_name)
    assert {hook.name: [hook.object] for hook in rendering.hooks} == {
        hook["name"]: documents(hook["manifest"]) for hook in hooks
    }
    assert rendering.notes == release["info"].get("notes", "")
    assert rendering.chart_metadata == release["chart"]["metadata"]


@pytest.mark.parametrize("name", ["hooks", "definitions", "simple"])
async def test_the_definitions_of_a_chart_are_those_helm_shows(
    pool: RendererPool, helm_program: Path, tmp_path: Path, name: str
) -> None:
    rendering = await pool.render(RenderRequest(chart=Chart(CHARTS / name, RELEASE)))
    shown = await helm(helm_program, "show", "crds", CHARTS / name, folder=tmp_path)
    found = {item.object["metadata"]["name"]: item.object for item in rendering.crds}
    assert found == {crd["metadata"]["name"]: crd for crd in documents(shown)}
    assert len(found) == len(rendering.crds)


async def test_capabilities_and_upgrade_reach_the_templates(
    pool: RendererPool, helm_program: Path, tmp_path: Path
) -> None:
    scaler = "autoscaling.example.com/v9"
    flags = ("--kube-version", "v1.31.7-eks-1234567", "--api-versions", scaler, "--is-upgrade")
    rendering = await pool.render(
        RenderRequest(
            chart=Chart(CHARTS / "simple", Release("demo", "shop", is_upgrade=True)),
            capabilities=Capabilities("v1.31.7-eks-1234567", ("v1", "apps/v1", scaler)),
        )
    )
    printed = await helm(helm_program, "template", *place("simple"), *flags, folder=tmp_path)
    assert rendering.manifest.strip() + "\n" == printed
    assert rendering.objects[-1].object["metadata"]["annotations"] == {
        "kube": "v1.31.7-eks-1234567",
        "minor": "31",
    }


@pytest.mark.parametrize("name", ["parent", "files", "definitions"])
async def test_an_archive_renders_as_its_folder_does(
    pool: RendererPool, tmp_path: Path, helm_program: Path, name: str
) -> None:
    """Packed by hand, files that the chart ignores included, and by Helm, without them."""
    folder = await pool.render(RenderRequest(chart=Chart(CHARTS / name, RELEASE)))
    by_hand = tmp_path / "by-hand.tgz"
    with tarfile.open(by_hand, "w:gz") as tar:
        tar.add(CHARTS / name, arcname=name)
    await helm(helm_program, "package", CHARTS / name, "--destination", tmp_path, folder=tmp_path)
    by_helm = tmp_path / f"{name}-0.1.0.tgz"
    assert await pool.render(RenderRequest(chart=Chart(by_helm, RELEASE))) == folder
    if name != "files":
        assert await pool.render(RenderRequest(chart=Chart(by_hand, RELEASE))) == folder


async def test_a_packed_subchart_renders_as_its_folder_does(
    pool: RendererPool, tmp_path: Path, helm_program: Path
) -> None:
    folder = await pool.render(RenderRequest(chart=Chart(CHARTS / "umbrella", RELEASE)))
    chart = Path(shutil.copytree(CHARTS / "umbrella", tmp_path / "umbrella"))
    subcharts = chart / "charts"
    for subchart in [*subcharts.iterdir()]:
        await helm(helm_program, "package", subchart, "--destination", subcharts, folder=tmp_path)
        shutil.rmtree(subchart)
    assert len([*subcharts.iterdir()]) == 3
    packed = await pool.render(RenderRequest(chart=Chart(chart, RELEASE)))
    assert packed.manifest == folder.manifest
    given = ("template", RELEASE.name, chart, "--namespace", RELEASE.namespace)
    assert packed.manifest.strip() + "\n" == await helm(helm_program, *given, folder=tmp_path)
