"""Charts to render and Helm's own command, which says what they render to."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pierhead.render.protocol import Hook

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
    "subcharts of subcharts": ("umbrella", {}),
    "everything on": (
        "umbrella",
        {
            "tags": {"web": True, "optional": True},
            "store": {"mirror": {"enabled": True}, "exports": {"tuning": {"cache": 5}}},
            "global": {"stage": "live", "team": {"mail": None}},
            "admin": {"probes": {"readiness": {"path": "/"}}, "labels": None},
        },
    ),
    "condition before tag": ("umbrella", {"tags": {"web": True}, "front": {"enabled": False}}),
    "hooks": ("hooks", {"image": "registry.example.com/tool:2"}),
    "hooks of every event": ("lifecycle", {"weight": -1}),
    "files and tpl": ("dynamic", {"greeting": "{{ .Release.Service }} {{ .Chart.Name }}"}),
    "files": ("files", {}),
    "schema": ("schema", {"replicas": 3, "color": "red"}),
    "schemas of two": ("typed", {"mode": "green", "owner": "me", "limits": {"memory": "1Gi"}}),
    "definitions": ("definitions", {"teeth": 0}),
    "own definition off": ("definitions", {"own": False}),
    "kinds": ("kinds", {}),
    "corners": ("corners", {}),
    "corners changed": (
        "corners",
        {
            "enabled": True,
            "missing": {"deep": 1},
            "nothing": ["x"],
            "selector": {"on": "yes", "n": "1"},
            "nested": {"b": None, "c": 1.0},
            "nameOverride": "DE",
            "text": "\n  two\n",
        },
    ),
    "library and lookup": ("database", {}),
    "tpl in values": (
        "database",
        {
            "architecture": "standalone",
            "auth": {"database": '{{ include "database.name" . | replace "-" "_" }}'},
            "image": {"digest": "sha256:12"},
            "primary": {"persistence": {"enabled": False}, "tolerations": [{"operator": "Exists"}]},
            "commonLabels": {"team": '{{ tpl "{{ .Chart.Name }}" . }}'},
            "extraDeploy": None,
        },
    ),
    "chart of version 1": ("legacy", {}),
    "requirement off": ("legacy", {"part": {"enabled": False}, "nameOverride": "other"}),
    "cluster": ("cluster", {}),
}
"""By what they show: a chart of `tests/data/charts`, and values."""

NEEDS_ITS_KINDS = frozenset({"hooks", "definitions"})
"""Charts that a cluster cannot try before their kinds are there."""


class HelmFailure(AssertionError):
    """What Helm's command said."""


async def helm(
    program: Path, *arguments: str | Path, folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """What the command prints; its own files are in `folder`. Raises HelmFailure."""
    homes = {f"HELM_{name}_HOME": str(folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env={**(environment or {}), **homes, "HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode != 0:
        raise HelmFailure(errors.decode())
    return output.decode()


def values_file(folder: Path, values: Mapping[str, Any]) -> Path:
    """A file of these values."""
    path = folder / "values.yaml"
    path.write_text(json.dumps(values))
    return path


def documents(text: str) -> list[Any]:
    """The objects in a text as an API server gets them: lists opened, empty documents left out."""
    found: list[Any] = []
    for document in yaml.safe_load_all(text):
        if document and document["kind"].endswith("List") and "items" in document:
            kind = document["kind"].removesuffix("List")
            typed = {"apiVersion": document["apiVersion"], "kind": kind} if kind else {}
            found += [typed | item for item in document["items"]]
        elif document:
            found.append(document)
    return found


def stored(hook: Hook) -> dict[str, Any]:
    """A hook as Helm has it in a release, where what is empty is left out."""
    fields = {
        "name": hook.name,
        "kind": hook.kind,
        "path": hook.path,
        "manifest": hook.manifest,
        "events": list(hook.events),
        "weight": hook.weight,
        "delete_policies": list(hook.delete_policies),
        "output_log_policies": list(hook.output_log_policies),
    }
    return trimmed(fields)


def trimmed(hook: Mapping[str, Any]) -> dict[str, Any]:
    """A stored hook without what is empty, and without when it ran."""
    return {name: value for name, value in hook.items() if name != "last_run" and value not in ([], 0, "")}


def by_name(hook: Mapping[str, Any]) -> str:
    """Helm keeps hooks in no order, and brings them into one when it runs them."""
    return f"{hook['kind']}/{hook['name']}"
