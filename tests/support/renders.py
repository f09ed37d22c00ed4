"""Charts and folders made on the spot, and what reads them back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pierhead.render import Chart, Overlay, Release, RenderRequest

CHARTS = Path(__file__).parents[1] / "data" / "charts"
OVERLAYS = Path(__file__).parents[1] / "data" / "overlays"

RELEASE = Release("demo", "shop")

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes the files below the folder, and returns the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def write_chart(folder: Path, files: Mapping[str, str]) -> Path:
    """A chart named `bad` of these files; one named without a folder is a template."""
    chart = {"Chart.yaml": "apiVersion: v2\nname: bad\nversion: 0.1.0\n"}
    for name, content in files.items():
        known = "/" in name or name in {"Chart.yaml", "values.yaml", "values.schema.json"}
        chart[name if known else f"templates/{name}"] = content
    return write_tree(folder / "bad", chart)


def of_chart(path: Path, *, overlay: Overlay | None = None, **chart: Any) -> RenderRequest:
    """A request for a chart, as the release `demo` in `shop`."""
    chart.setdefault("release", RELEASE)
    return RenderRequest(chart=Chart(path, **chart), overlay=overlay)


def of_template(folder: Path, template: str) -> RenderRequest:
    """A request for a chart with this one template."""
    return of_chart(write_chart(folder, {"x.yaml": template}))


def identities(documents: Any) -> list[tuple[str, str]]:
    """Kind and name of each object, in order."""
    return [(item.object["kind"], item.object["metadata"]["name"]) for item in documents]
