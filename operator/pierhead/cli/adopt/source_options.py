"""Where a chart is, from the command line.

Invariant: exactly one place is given, and what the release knows of its chart fills in the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pierhead.cli.adopt.translation import version_of, without_nothing
from pierhead.cli.failures import CommandError, ExitCode


@dataclass(frozen=True, slots=True)
class Chart:
    """Which chart of a source."""

    name: str | None = None
    version: str | None = None
    branch: str | None = None
    tag: str | None = None
    secret: str | None = None


def source_of(
    given: Mapping[str, str | None], file: Path | None, chart: Chart, *, known: Mapping[str, Any]
) -> dict[str, Any]:
    """`spec.source`; `known` is the release's own `chart.metadata`.

    Raises CommandError for no source, and for several.
    """
    chosen = {kind: address for kind, address in given.items() if address}
    if len(chosen) + (file is not None) != 1:
        raise CommandError(
            "Helm does not store where a chart came from: give one of --source-oci, "
            "--source-helm-repository, --source-git and --source-file",
            ExitCode.USAGE,
        )
    if file is not None:
        found = yaml.safe_load(file.read_text())
        if not isinstance(found, dict):
            raise CommandError(f"{file} is not the YAML of a spec.source")
        return found
    kind, address = next(iter(chosen.items()))
    version = version_of(chart.version or str(known.get("version", "")))
    secret = {"name": chart.secret} if chart.secret else None
    made: dict[str, Any] = {"url": address.rstrip("/"), "secret": secret}
    if kind == "git":
        made["ref"] = without_nothing({"branch": chart.branch, "tag": chart.tag}) or None
    elif kind == "oci":
        made |= {"tag": version["version"]} if "version" in version else version
    else:
        made |= {"chart": chart.name or str(known.get("name", "")), **version}
    return {kind: without_nothing(made)}
