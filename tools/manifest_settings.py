"""The operator's settings, as values of the chart and as documentation.

Invariant: names, defaults, bounds and words come from `pierhead.settings.Settings` alone.
"""  # noqa: INP001 (beside a program, not in a package)

import json
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from pierhead.settings import Settings

ELSEWHERE = {"namespace": "the release's namespace", "watch_namespaces": "`watchNamespaces`"}
"""Settings that the chart knows by themselves, and what sets them."""

BEGIN = "# The settings below are written by `make manifests`; see docs/settings.md.\n"
END = "# End of the settings.\n"
WIDTH = 108


def settings() -> Iterator[tuple[str, FieldInfo]]:
    """Each setting that is a key of the chart's `settings`."""
    return ((name, field) for name, field in Settings.model_fields.items() if name not in ELSEWHERE)


def default(field: FieldInfo) -> str:
    """The default as it is written in YAML and JSON."""
    value = field.get_default(call_default_factory=True)
    return json.dumps(str(value) if isinstance(value, PurePath) else value)


def values(text: str) -> str:
    """`values.yaml` with every setting listed, each as a comment that can be uncommented."""
    lines = []
    for name, field in settings():
        lines += [f"  # {line}".rstrip() for line in wrapped(f"-- {words(field)}")]
        lines.append(f"  # {to_camel(name)}: {default(field)}")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + "\n".join(["settings: {}", *lines, END]) + after


def schema(text: str) -> str:
    """`values.schema.json` with the settings' types and bounds."""
    document = json.loads(text)
    known = Settings.model_json_schema(by_alias=False)["properties"]
    document["properties"]["settings"] = {
        "description": "Settings of the operator; what is not given is as the operator's code has it.",
        "type": "object",
        "additionalProperties": False,
        "properties": {to_camel(name): cleaned(known[name]) for name, _ in settings()},
    }
    return json.dumps(document, indent=2) + "\n"


def cleaned(value: Any) -> Any:
    """Without what Helm's validator has no use for."""
    if isinstance(value, dict):
        return {
            key: cleaned(item) for key, item in value.items() if key not in {"title", "default", "format"}
        }
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return " ".join(value.split()) if isinstance(value, str) else value


def documentation() -> str:
    """`docs/settings.md`."""
    rows = [
        f"| {ELSEWHERE.get(name, f'`settings.{to_camel(name)}`')} | `PIERHEAD_{name.upper()}`"
        f" | `{default(field)}` | {words(field)} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "Everything the operator can be told, by its variable or by the chart's value.",
            "Lists and objects are JSON in a variable.",
            "This page is written by `make manifests` from `operator/pierhead/settings.py`.",
            "",
            "| value of the chart | variable | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def words(field: FieldInfo) -> str:
    """The description on one line."""
    return " ".join((field.description or "").split())


def wrapped(text: str) -> list[str]:
    """The text in lines that fit the file."""
    return re.findall(rf".{{1,{WIDTH - 4}}}(?:\s|$)", text)
