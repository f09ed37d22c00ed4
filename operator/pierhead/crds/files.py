"""The files the CRDs are kept in: plain ones under `crds/`, and templates of the chart.

Invariant: both hold the same definitions; the chart's copy adds only the switch, the labels and the
annotation that keeps the objects when the chart is uninstalled.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from pierhead.crds.definition import definition
from pierhead.model import GROUP, CustomResource

PLAIN = PurePosixPath("crds")
TEMPLATES = PurePosixPath("charts/pierhead/templates/crds")

_HEADER = "# Written by `make manifests` from the models; do not edit.\n"
_KEEP = """\
  labels:
    {{- include "pierhead.labels" . | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
"""


class Dumper(yaml.SafeDumper):
    """Indents lists under their key and repeats what occurs twice, so a diff shows what changed."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always: no anchors."""
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never without an indent."""
        del indentless
        super().increase_indent(flow, False)


def files(resources: tuple[CustomResource[Any], ...]) -> dict[PurePosixPath, str]:
    """Every file's text by its path in the repository.

    Raises SchemaError; ValueError when a text would be read by Helm as a template.
    """
    written = {}
    for resource in resources:
        crd = definition(resource)
        name = f"{GROUP}_{resource.plural}.yaml"
        written[PLAIN / name] = _HEADER + _text(crd)
        written[TEMPLATES / name] = _template(crd)
    return written


def write(resources: tuple[CustomResource[Any], ...], root: Path) -> list[Path]:
    """Makes the files under `root` what `files` says and no more; answers the paths that changed.

    Raises as `files` does.
    """
    expected = {root / path: text for path, text in files(resources).items()}
    changed = []
    for folder in (PLAIN, TEMPLATES):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for stale in set((root / folder).glob(f"{GROUP}_*.yaml")) - expected.keys():
            stale.unlink()
            changed.append(stale)
    for path, text in expected.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return sorted(changed)


def _text(crd: dict[str, Any]) -> str:
    return str(yaml.dump(crd, Dumper=Dumper, sort_keys=False, width=110, allow_unicode=True))


def _template(crd: dict[str, Any]) -> str:
    metadata, rest = _text(crd).split("spec:\n", 1)
    if "{{" in metadata + rest:
        raise ValueError(f"{crd['metadata']['name']}: Helm would read '{{{{' in a description or rule")
    return f"{{{{- if .Values.crds.enabled }}}}\n{_HEADER}{metadata}{_KEEP}spec:\n{rest}{{{{- end }}}}\n"
