"""The renderer's requests and answers.

Invariant: what crosses the pipe is written down here and in `renderer/request.go`, and nowhere else.

A frame is four bytes of length, big endian, and that many bytes of JSON. The renderer's first frame is
`{"ready": …}`. Of each answer the first line describes the objects, and each further line is the body of
one object, so that a large answer is decoded in small steps. While it renders, the renderer may send
`{"lookup": …}` frames, each of which it expects one frame for.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pierhead.render.errors import RendererFault, RenderInvalid

HEADER_BYTES = 4

# The renderer's own limit; it ends on a longer frame.
MAX_REQUEST_BYTES = 64 * 2**20

# The renderer bounds what it renders to well below this.
MAX_ANSWER_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Release:
    """What templates see as `.Release`."""

    name: str
    namespace: str
    revision: int = 1
    is_upgrade: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart to render.

    `path` is an unpacked chart or an archive (.tgz). Links in it may lead anywhere below `root` (the
    chart itself if None) and nowhere else. `values` are the user's, which go over the chart's own.
    """

    path: Path
    release: Release
    values: Mapping[str, Any] = field(default_factory=dict)
    root: Path | None = None
    include_crds: bool = True


@dataclass(frozen=True, slots=True)
class Overlay:
    """A Kustomize overlay: a folder with a kustomization, or the fields of one without files (`inline`).

    Applied to the chart or plain manifests of the same request if there are any: they become one of its
    resources, which it need not name. The overlay's bases may lie anywhere below `root`.

    A chart's hooks do not pass through it unless `hooks` is set: an overlay is written against what
    stays in the cluster, and its patches and prefixes seldom fit a hook's Job.
    """

    path: Path | None = None
    inline: Mapping[str, Any] | None = None
    root: Path | None = None
    hooks: bool = False


@dataclass(frozen=True, slots=True)
class PlainManifests:
    """YAML documents: a text of them, or a file or folder (`path`) of .yaml, .yml and .json files."""

    text: str | None = None
    path: Path | None = None
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The cluster, as templates see it; empty means what Helm assumes when it has no cluster.

    `api_versions` are of the forms `v1`, `apps/v1` and `apps/v1/Deployment`, as Helm finds them.
    """

    kube_version: str = ""
    api_versions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One render: a chart or plain manifests or neither, and an overlay or none.

    `namespace` is where objects without one will go; only used to tell two objects apart. A chart's
    release says it itself.
    """

    chart: Chart | None = None
    overlay: Overlay | None = None
    manifests: PlainManifests | None = None
    capabilities: Capabilities = Capabilities()
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class LookupCall:
    """A template's `lookup`; an empty name lists, an empty namespace means all or none."""

    api_version: str
    kind: str
    namespace: str
    name: str


Lookup = Callable[[LookupCall], Awaitable[Mapping[str, Any] | Sequence[Mapping[str, Any]] | None]]
"""Answers a `lookup`: an object (a list object too), a list of objects, or None for what is not there.

What it raises ends the render, and is what `render` raises. It should be a ReconcileError: any other
exception costs the process.
"""


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """A Kubernetes object and the template or file it came from."""

    object: dict[str, Any]
    source: str


@dataclass(frozen=True, slots=True)
class Hook:
    """A Helm hook; the fields are those of a release's stored hook."""

    object: dict[str, Any]
    name: str
    kind: str
    path: str
    manifest: str
    events: tuple[str, ...]
    weight: int
    delete_policies: tuple[str, ...]
    output_log_policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a request rendered to.

    `objects` are in Helm's install order, `manifest` is their text as Helm stores it, `crds` come from
    the chart's `crds/` folder. `chart_metadata` and `chart_values` are None without a chart, and
    `values` are what templates saw as `.Values`.
    """

    objects: tuple[RenderedObject, ...]
    crds: tuple[RenderedObject, ...]
    hooks: tuple[Hook, ...]
    notes: str
    manifest: str
    chart_metadata: dict[str, Any] | None
    chart_values: dict[str, Any] | None
    values: dict[str, Any] | None


def encode_request(identifier: str, request: RenderRequest, *, lookup: bool) -> bytes:
    """The frame of a request.

    Raises RenderInvalid for values that JSON cannot carry, or too large ones.
    """
    capabilities = request.capabilities
    message = {
        "id": identifier,
        "namespace": request.namespace,
        "helm": _chart(request.chart) if request.chart else None,
        "kustomize": _overlay(request.overlay) if request.overlay else None,
        "resources": _manifests(request.manifests) if request.manifests else None,
        "capabilities": {
            "kubeVersion": capabilities.kube_version,
            "apiVersions": list(capabilities.api_versions),
        },
        "lookup": lookup,
    }
    try:
        return frame(message)
    except (TypeError, ValueError, RecursionError) as error:
        raise RenderInvalid(f"values that JSON cannot carry: {error}", source="values") from error


def _chart(chart: Chart) -> dict[str, Any]:
    release = chart.release
    return {
        "chart": _path(chart.path),
        "root": _path(chart.root),
        "values": chart.values,
        "release": {
            "name": release.name,
            "namespace": release.namespace,
            "revision": release.revision,
            "isInstall": not release.is_upgrade,
            "isUpgrade": release.is_upgrade,
        },
        "includeCRDs": chart.include_crds,
    }


def _overlay(overlay: Overlay) -> dict[str, Any]:
    return {
        "path": _path(overlay.path),
        "root": _path(overlay.root),
        "inline": overlay.inline,
        "hooks": overlay.hooks,
    }


def _manifests(manifests: PlainManifests) -> dict[str, Any]:
    return {
        "text": manifests.text or "",
        "path": _path(manifests.path),
        "root": _path(manifests.root),
    }


def _path(path: Path | None) -> str:
    # The renderer works from another folder.
    return str(path.absolute()) if path else ""


def frame(message: Mapping[str, Any]) -> bytes:
    """One message with its length before it. Raises ValueError when it is not JSON or too large."""
    payload = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    if len(payload) > MAX_REQUEST_BYTES:
        raise ValueError(f"{len(payload) // 2**20} MiB is more than the renderer takes")
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


def decode_lines(payload: bytes) -> list[Any]:
    """The values of a frame, one a line."""
    return [json.loads(line) for line in payload.split(b"\n")]


def decode_lookup(message: Mapping[str, Any]) -> LookupCall | None:
    """The renderer's question, if that is what the frame's first line is."""
    call = message.get("lookup")
    if call is None:
        return None
    return LookupCall(call["apiVersion"], call["kind"], call["namespace"], call["name"])


def decode_answer(identifier: str, lines: Sequence[Any]) -> Rendering:
    """The rendering in an answer.

    Raises RenderInvalid for what the renderer found wrong with the input, RendererFault for its bugs.
    """
    head = lines[0]
    if head.get("id") != identifier:
        raise RendererFault("an answer to another request")
    error = head.get("error")
    if error and error["kind"] == "Invalid":
        raise RenderInvalid(error["message"], source=error["source"])
    if error:
        raise RendererFault(error["message"])
    bodies = iter(lines[1:])
    chart = head["chart"] or {}
    return Rendering(
        objects=tuple(RenderedObject(next(bodies), item["source"]) for item in head["objects"]),
        crds=tuple(RenderedObject(next(bodies), item["source"]) for item in head["crds"]),
        hooks=tuple(_hook(next(bodies), item) for item in head["hooks"]),
        notes=head["notes"],
        manifest=head["manifest"],
        chart_metadata=chart.get("metadata"),
        chart_values=chart.get("values"),
        values=head["values"],
    )


def _hook(body: dict[str, Any], described: Mapping[str, Any]) -> Hook:
    return Hook(
        object=body,
        name=described["name"],
        kind=described["kind"],
        path=described["path"],
        manifest=described["manifest"],
        events=tuple(described["events"]),
        weight=described["weight"],
        delete_policies=tuple(described["deletePolicies"]),
        output_log_policies=tuple(described["outputLogPolicies"]),
    )
