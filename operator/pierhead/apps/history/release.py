"""One revision of a release, in Helm's own storage format.

Invariant: a Secret written here is read by Helm 3 and 4, and one written by them is read here; labels
always say what the payload says. What pierhead adds is one key of the payload, which Helm ignores and
drops: its absence marks a revision that somebody else wrote.
Source: Helm `pkg/storage/driver/secrets.go`, `pkg/release/v1`.
"""

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pierhead.apps.hooks import progress as helm_hooks
from pierhead.apps.hooks.progress import HookProgress
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.inventory import Entry

SECRET_TYPE = "helm.sh/release.v1"  # noqa: S105 (a type, not a password)
PAYLOAD_LIMIT = 1_048_576
"""The API server's limit for the data of one Secret, in bytes."""

INFLATED_LIMIT = 64 * 1024 * 1024
"""Bytes of one revision that are read; the renderer gives less than half of it."""

_GZIP_LEVEL = 6
_GZIP_WINDOW = 31


class Status(StrEnum):
    """Helm's release statuses."""

    UNKNOWN = "unknown"
    DEPLOYED = "deployed"
    UNINSTALLED = "uninstalled"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    UNINSTALLING = "uninstalling"
    PENDING_INSTALL = "pending-install"
    PENDING_UPGRADE = "pending-upgrade"
    PENDING_ROLLBACK = "pending-rollback"

    @property
    def pending(self) -> bool:
        """Whether an operation is under way, or was when its process died."""
        return self.value.startswith("pending-")


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """What pierhead keeps with a revision."""

    input_digest: str
    """Digest of everything that was rendered."""

    inventory: tuple[str, ...]
    """Objects this revision answers for, until it is deployed also those of its predecessors."""

    rolls_back: int | None = None
    """The revision this one brings back."""

    rejected: bool = False
    """Whether its input is not to be tried again."""

    reconcile_at: str = ""
    """The forcing annotation when it was made; a new one lifts the rejection."""

    sensitive: bool = False
    """Whether some of its values came from Secrets."""

    failed_at: datetime | None = None
    removed: bool = False
    """Whether the objects of this failed install were deleted."""

    baking_since: datetime | None = None
    """When its trial began; None when it has none, or it is over."""

    order: str = ""
    """The order to roll back that was carried out last when it was made."""

    instead_of: str = ""
    """The digest of the input that it was ordered to stand in for."""

    crds: bool = False
    """Whether CRDs of the chart's own folder, which no manifest holds, belong before its objects."""

    hooks: HookProgress | None = None
    """How far it is with the hooks of one event."""

    left: tuple[str, ...] = ()
    """CRDs that it leaves behind: they are rendered no more, and never deleted."""


@dataclass(frozen=True, slots=True)
class Release:
    """One revision."""

    name: str
    namespace: str
    revision: int
    status: Status
    description: str
    manifest: str
    first_deployed: datetime
    last_deployed: datetime
    chart: Mapping[str, Any]
    """`chart.metadata`: name, version, apiVersion at least."""

    values: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""
    hooks: tuple[Mapping[str, Any], ...] = ()
    bookkeeping: Bookkeeping | None = None
    """None for a revision that Helm itself, or anybody else, wrote."""

    labels: Mapping[str, str] = field(default_factory=dict)
    resource_version: str = ""

    @property
    def secret_name(self) -> str:
        """Name of the Secret that holds it."""
        return f"sh.helm.release.v1.{self.name}.v{self.revision}"

    def now(self, status: Status, description: str, at: datetime) -> "Release":
        """The same revision in another status."""
        return replace(self, status=status, description=description, last_deployed=at)


def encode(release: Release, *, at: datetime) -> Object:
    """The Secret of a revision. Raises Invalid when it is over the API server's limit."""
    payload: dict[str, Any] = {
        "name": release.name,
        "namespace": release.namespace,
        "version": release.revision,
        # With "ssa" Helm 4 would refuse `helm rollback`: the fields it sets are another manager's, ours.
        "apply_method": "csa",
        "config": dict(release.values),
        "manifest": release.manifest,
        "hooks": [dict(hook) for hook in release.hooks],
        "info": {
            "first_deployed": _timestamp(release.first_deployed),
            "last_deployed": _timestamp(release.last_deployed),
            "deleted": "",
            "description": release.description,
            "status": release.status.value,
            "notes": release.notes,
        },
        "chart": {
            "metadata": dict(release.chart),
            "lock": None,
            "templates": [],
            "values": None,
            "schema": None,
        },
    }
    if release.bookkeeping is not None:
        payload["pierhead"] = _bookkeeping_json(release.bookkeeping)
    compressed = gzip.compress(json.dumps(payload, separators=(",", ":")).encode(), _GZIP_LEVEL, mtime=0)
    body = base64.b64encode(compressed)
    if len(body) > PAYLOAD_LIMIT:
        raise Invalid(
            f"the release takes {len(body)} bytes compressed and a Secret holds {PAYLOAD_LIMIT}: split it up",
            reason="ReleaseTooLarge",
        )
    metadata: dict[str, Any] = {
        "name": release.secret_name,
        "namespace": release.namespace,
        "labels": {
            **release.labels,
            "name": release.name,
            "owner": "helm",
            "status": release.status.value,
            "version": str(release.revision),
            "modifiedAt": str(int(at.timestamp())),
        },
    }
    metadata["labels"].setdefault("createdAt", str(int(at.timestamp())))
    if release.resource_version:
        metadata["resourceVersion"] = release.resource_version
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": SECRET_TYPE,
        "data": {"release": base64.b64encode(body).decode()},
    }


def decode(secret: Mapping[str, Any]) -> Release:
    """The revision in a Secret. Raises Invalid, naming the Secret, when it is damaged."""
    metadata = secret["metadata"]
    try:
        body = base64.b64decode(base64.b64decode(secret["data"]["release"], validate=True), validate=True)
        payload = json.loads(_inflated(body) if body[:2] == b"\x1f\x8b" else body)
        info = payload["info"]
        return Release(
            name=payload["name"],
            namespace=payload["namespace"],
            revision=int(payload["version"]),
            status=Status(info["status"]),
            description=_text(info, "description"),
            manifest=_text(payload, "manifest"),
            first_deployed=_datetime(info.get("first_deployed")),
            last_deployed=_datetime(info.get("last_deployed")),
            chart=_mapping(_mapping(payload, "chart"), "metadata"),
            values=_mapping(payload, "config"),
            notes=_text(info, "notes"),
            hooks=helm_hooks.check(payload.get("hooks")),
            bookkeeping=_bookkeeping_of(payload.get("pierhead"), len(payload.get("hooks") or ())),
            labels=metadata.get("labels") or {},
            resource_version=metadata.get("resourceVersion", ""),
        )
    except _DAMAGE as error:
        raise Invalid(
            f"release Secret {metadata.get('name')} cannot be read ({type(error).__name__}): "
            "delete it, or restore it from a backup",
            reason="DamagedRelease",
        ) from None


_DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    binascii.Error,
    zlib.error,
)
"""What JSON of another shape, or bytes that are none, can end in."""


def _inflated(body: bytes) -> bytes:
    """The text of gzip; ValueError when it is larger than any release: tenants write Secrets too."""
    inflater = zlib.decompressobj(wbits=_GZIP_WINDOW)
    text = inflater.decompress(body, INFLATED_LIMIT)
    if inflater.unconsumed_tail:
        raise ValueError("too large")
    if not inflater.eof:
        raise EOFError("cut off")
    return text


def _bookkeeping_json(kept: Bookkeeping) -> dict[str, Any]:
    document: dict[str, Any] = {"inputDigest": kept.input_digest, "inventory": list(kept.inventory)}
    if kept.rolls_back is not None:
        document["rollsBack"] = kept.rolls_back
    if kept.hooks is not None:
        document["hooks"] = _progress_json(kept.hooks)
    for key, moment in (("failedAt", kept.failed_at), ("bakingSince", kept.baking_since)):
        if moment is not None:
            document[key] = _timestamp(moment)
    said = {
        "rejected": kept.rejected,
        "reconcileAt": kept.reconcile_at,
        "crds": kept.crds,
        "sensitive": kept.sensitive,
        "removed": kept.removed,
        "left": list(kept.left),
        "order": kept.order,
        "insteadOf": kept.instead_of,
    }
    return document | {key: value for key, value in said.items() if value}


def _progress_json(progress: HookProgress) -> dict[str, Any]:
    document: dict[str, Any] = {
        "event": progress.event,
        "hooks": list(progress.hooks),
        "position": progress.position,
        "at": _timestamp(progress.at),
    }
    if progress.failure:
        document["failure"] = progress.failure
    if progress.done:
        document["done"] = True
    return document


def _progress_of(document: Mapping[str, Any] | None, hooks: int) -> HookProgress | None:
    """Raises what a damaged one causes; IndexError for a place that is none of so many hooks."""
    if document is None:
        return None
    progress = HookProgress(
        event=str(document["event"]),
        hooks=tuple(int(place) for place in document["hooks"]),
        at=_datetime(document["at"]),
        position=int(document["position"]),
        failure=_text(document, "failure"),
        done=bool(document.get("done", False)),
    )
    if not all(0 <= place < hooks for place in progress.hooks) or progress.position < 0:
        raise IndexError("hooks")
    return progress


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key) or ""
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, Mapping):
        raise TypeError(key)
    return value


def _bookkeeping_of(document: Mapping[str, Any] | None, hooks: int) -> Bookkeeping | None:
    if document is None:
        return None
    for text in document["inventory"]:
        Entry.parse(text)
    return Bookkeeping(
        input_digest=str(document["inputDigest"]),
        inventory=tuple(document["inventory"]),
        rolls_back=document.get("rollsBack"),
        rejected=document.get("rejected", False),
        reconcile_at=document.get("reconcileAt", ""),
        sensitive=document.get("sensitive", False),
        failed_at=_datetime(document["failedAt"]) if "failedAt" in document else None,
        removed=document.get("removed", False),
        baking_since=_datetime(document["bakingSince"]) if "bakingSince" in document else None,
        order=_text(document, "order"),
        instead_of=_text(document, "insteadOf"),
        crds=document.get("crds", False),
        hooks=_progress_of(document.get("hooks"), hooks),
        left=tuple(str(name) for name in document.get("left") or ()),
    )


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _datetime(text: str | None) -> datetime:
    """RFC 3339 as Go writes it: up to nine fractional digits, which Python's parser does not take."""
    if not text:
        return datetime.fromtimestamp(0, UTC)
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"
    return datetime.fromisoformat(text)
