"""Writes everything that is generated: CRDs, the chart's settings, their documentation, and `deploy/`.

Invariant: each file is a function of the models, the settings and the chart, so running it twice changes
nothing, and `--check` says whether what is committed is what they say. Helm renders `deploy/`; the
operator itself never needs it, which is why this is no part of it.
"""  # noqa: INP001 (a program, not a package)

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from manifest_settings import documentation, schema, values

from pierhead.crds.files import PLAIN, TEMPLATES, Dumper, files
from pierhead.crds.kinds import RESOURCES
from pierhead.model import GROUP
from pierhead_sandbox.binaries import Binaries

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "pierhead"
HEADER = "# Written by `make manifests`; do not edit.\n"
NAMESPACE = "pierhead-system"
TEAMS = ("team-a", "team-b")
"""Namespaces of the overlay that shows the operator confined to some."""

HELMS_OWN = ("app.kubernetes.io/managed-by", "helm.sh/chart", "helm.sh/resource-policy")


def main() -> int:
    """Writes, or compares; the exit code is 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    check = parser.parse_args().check
    changed = []
    # The chart's own files come first: what is rendered depends on them.
    for stage in (chart_files, rendered_files):
        for path, text in stage().items():
            if path.exists() and path.read_text() == text:
                continue
            changed.append(path)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    for path in left_over():
        changed.append(path)
        if not check:
            path.unlink()
    for path in changed:
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return int(check and bool(changed))


def chart_files() -> dict[Path, str]:
    """The CRDs, and what the settings are written into."""
    written = {ROOT / path: text for path, text in files(RESOURCES).items()}
    written[CHART / "values.yaml"] = values((CHART / "values.yaml").read_text())
    written[CHART / "values.schema.json"] = schema((CHART / "values.schema.json").read_text())
    written[ROOT / "docs" / "settings.md"] = documentation()
    return written


def rendered_files() -> dict[Path, str]:
    """`deploy/`, and the Roles of the overlay that needs one a namespace."""
    deploy = ROOT / "deploy"
    objects = list(rendered())
    definitions = [obj for obj in objects if obj["kind"] == "CustomResourceDefinition"]
    operator = [obj for obj in objects if obj["kind"] != "CustomResourceDefinition"]
    confined = rendered("--set", f"watchNamespaces={{{','.join(TEAMS)}}}")
    roles = [obj for obj in confined if obj["metadata"].get("namespace") in TEAMS]
    return {
        deploy / "crds.yaml": manifest(definitions),
        deploy / "operator.yaml": manifest(operator),
        ROOT / "overlays" / "eks-namespaced" / "roles.yaml": manifest(roles),
    }


def rendered(*arguments: str) -> Iterator[dict[str, Any]]:
    """The chart's objects, without what marks them as a Helm release's."""
    helm = str(Binaries().path("helm"))
    command = [helm, "template", "pierhead", str(CHART), "--namespace", NAMESPACE, *arguments]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    for obj in yaml.safe_load_all(text):
        if obj is not None:
            yield without_helm(obj)


def without_helm(obj: dict[str, Any]) -> dict[str, Any]:
    """The object without labels and annotations that only mean something to Helm."""
    template = obj.get("spec", {}).get("template", {})
    for metadata in (obj["metadata"], template.get("metadata", {}) if isinstance(template, dict) else {}):
        for key in ("labels", "annotations"):
            kept = {name: value for name, value in metadata.get(key, {}).items() if name not in HELMS_OWN}
            metadata.pop(key, None)
            if kept:
                metadata[key] = kept
    return obj


def manifest(objects: list[dict[str, Any]]) -> str:
    """Several objects in one file."""
    dumped: str = yaml.dump_all(objects, Dumper=Dumper, sort_keys=False, width=110, allow_unicode=True)
    return HEADER + dumped


def left_over() -> list[Path]:
    """Definitions of kinds that are gone."""
    expected = {ROOT / path for path in files(RESOURCES)}
    found = {path for folder in (PLAIN, TEMPLATES) for path in (ROOT / folder).glob(f"{GROUP}_*.yaml")}
    return sorted(found - expected)


if __name__ == "__main__":
    raise SystemExit(main())
