"""What the renderer makes of an overlay is what `kustomize build` prints, document by document."""

import asyncio
import hashlib
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.render import Overlay, RendererPool, RenderRequest
from support.renders import CHARTS, OVERLAYS, of_chart

Identity = tuple[str, str, str]

FOLDERS = (
    "plain/base",
    "plain/prod",
    "shop/base",
    "shop/names",
    "shop/patches",
    "shop/generators",
    "shop/images",
    "shop/replacements",
    "shop/components",
    "shop/everything",
)
OVER_CHARTS = [("web", "simple"), ("database", "database")]


async def kustomize_build(kustomize: Path, folder: Path) -> list[Any]:
    process = await asyncio.create_subprocess_exec(
        kustomize, "build", folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return list(yaml.safe_load_all(output))


def identity(obj: Any) -> Identity:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def by_identity(objects: list[Any]) -> dict[Identity, Any]:
    found = {identity(obj): obj for obj in objects}
    assert len(found) == len(objects)
    return found


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(f"{path} {path.stat().st_mtime_ns}\n".encode())
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


@pytest.mark.parametrize("folder", FOLDERS)
async def test_an_overlay_is_what_kustomize_builds(pool: RendererPool, kustomize: Path, folder: str) -> None:
    rendering = await pool.render(RenderRequest(overlay=Overlay(path=OVERLAYS / folder, root=OVERLAYS)))
    expected = by_identity(await kustomize_build(kustomize, OVERLAYS / folder))
    assert by_identity([item.object for item in rendering.objects]) == expected
    # The order is Helm's, of the manifest too, which is what is kept.
    assert by_identity(list(yaml.safe_load_all(rendering.manifest))) == expected
    order = [identity(document) for document in yaml.safe_load_all(rendering.manifest)]
    assert order == [identity(item.object) for item in rendering.objects]
    assert rendering.chart_metadata is None


@pytest.mark.parametrize(("folder", "chart"), OVER_CHARTS)
async def test_an_overlay_over_a_chart_is_what_kustomize_builds_of_the_charts_text(
    pool: RendererPool, kustomize: Path, tmp_path: Path, folder: str, chart: str
) -> None:
    before = digest(OVERLAYS)
    overlay = Overlay(path=OVERLAYS / folder, root=OVERLAYS)
    rendering = await pool.render(of_chart(CHARTS / chart, overlay=overlay))
    assert digest(OVERLAYS) == before, "the overlay's folder is never written to"

    plain = await pool.render(of_chart(CHARTS / chart))
    copy = shutil.copytree(OVERLAYS, tmp_path / "overlays") / folder
    (copy / "chart.yaml").write_text(plain.manifest)
    with (copy / "kustomization.yaml").open("a") as file:
        file.write("resources: [chart.yaml]\n")
    expected = by_identity(await kustomize_build(kustomize, copy))
    assert by_identity([item.object for item in rendering.objects]) == expected
    assert by_identity(list(yaml.safe_load_all(rendering.manifest))) == expected
    assert rendering.chart_metadata == plain.chart_metadata


async def test_what_an_overlay_does_not_touch_is_the_charts(pool: RendererPool) -> None:
    """A field of the overlay that changes nothing: the same objects in the same order."""
    overlay = Overlay(inline={"images": [{"name": "no-such-image", "newTag": "1"}]})
    for chart in ("corners", "kinds", "umbrella", "files"):
        plain = await pool.render(of_chart(CHARTS / chart))
        through = await pool.render(of_chart(CHARTS / chart, overlay=overlay))
        assert by_identity([item.object for item in through.objects]) == by_identity(
            [item.object for item in plain.objects]
        )
        kinds = Counter(item.object["kind"] for item in plain.objects)
        assert Counter(item.object["kind"] for item in through.objects) == kinds
