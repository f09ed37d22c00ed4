"""Specs, statuses and answers for the tests of SyncedSecret."""

from typing import Any

from pierhead.engine.cache import ObjectCache
from pierhead.engine.properties import Fault
from pierhead.engine.resource import Resource
from pierhead.secrets.decide import Live
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.model.status import RestartStatus
from pierhead.secrets.reading.references import Answers, Reference, Version
from pierhead.secrets.reading.sources import Source, collect
from support.memory_store import MemoryStore

GONE = Fault("SecretNotFound", "does not exist", absent=True)
SINCE = "2026-11-23T10:00:00Z"
DENIED = Fault("AccessDenied", "no")


def spec_of(**fields: Any) -> SyncedSecretSpec:
    return SyncedSecretSpec.model_validate(fields)


def entry(key: str, secret: str = "shop/db", *, optional: bool = False, **source: Any) -> dict[str, Any]:
    return {"key": key, "from": {"secret": secret, **source}, "optional": optional}


def parameter_entry(
    key: str, parameter: str = "/shop/p", *, optional: bool = False, **source: Any
) -> dict[str, Any]:
    return {"key": key, "from": {"parameter": parameter, **source}, "optional": optional}


def extract(secret: str = "shop/env", *, optional: bool = False, **source: Any) -> dict[str, Any]:
    return {"extract": {"secret": secret, **source}, "optional": optional}


def answers_of(**found: str | bytes | Fault) -> Answers:
    """By secret name, with `__` for `/`; the version id is `v1-` and the name."""
    answers: dict[Reference, Version | Fault] = {}
    for name, value in found.items():
        secret = name.replace("__", "/")
        if isinstance(value, Fault):
            answers[Reference(secret)] = value
        elif isinstance(value, bytes):
            answers[Reference(secret)] = Version(f"v1-{secret}", binary=value)
        else:
            answers[Reference(secret)] = Version(f"v1-{secret}", string=value)
    return answers


def parameters_of(*, listed: bool = False, **found: str | Fault) -> Answers:
    """By parameter, below `/shop/`; the version is `3@1.000`."""
    return {
        Reference(f"/shop/{name}", kind="parameter"): value
        if isinstance(value, Fault)
        else Version("3@1.000", value, listed=listed)
        for name, value in found.items()
    }


def sources_of(spec: SyncedSecretSpec, **found: str | bytes | Fault) -> tuple[Source, ...]:
    return collect(spec, answers_of(**found))


def live_of(uid: str = "s1", resource_version: str = "7", *, ours: bool = True, **fields: Any) -> Live:
    return Live(uid=uid, resource_version=resource_version, ours=ours, **fields)


def status_of(marker: str | None = None, *, live: Live | None = None, **fields: Any) -> SyncedSecretStatus:
    target = None
    if live is not None:
        target = {
            "name": "shop-db",
            "type": "Opaque",
            "uid": live.uid,
            "resourceVersion": live.resource_version,
        }
    return SyncedSecretStatus.model_validate({"marker": marker, "target": target, **fields})


def restart_of(
    name: str, phase: str = "Waiting", *, kind: str = "Deployment", since: str = SINCE, **fields: Any
) -> RestartStatus:
    return RestartStatus(kind=kind, name=name, phase=phase, since=since, **fields)


def resource_of(
    name: str = "shop-db", *, generation: int = 1, uid: str = "u1", annotations: dict[str, str] | None = None
) -> Resource:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": uid,
        "resourceVersion": "1",
        "generation": generation,
        "annotations": annotations or {},
    }
    obj = {"apiVersion": "pierhead.dev/v1alpha1", "kind": "SyncedSecret", "metadata": metadata}
    return Resource(obj, store=MemoryStore(), cache=ObjectCache())
