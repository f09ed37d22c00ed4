"""Where the ledger of a BatchJob is kept: in its status while it is small, in a ConfigMap of its own above.

Invariant: the ConfigMap is written before the status that speaks of what is in it, and only at the version
it was read at; one that was there and is gone is an error, never a fresh start.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.model.status import BatchJobStatus, IndexRecord
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object, ObjectKey, Resource
from pierhead.kube.client import Client
from pierhead.kube.errors import ApiError, NotFound
from pierhead.kube.resources import BATCH_JOBS, CONFIG_MAPS

INLINE_SIZE = 2_000
"""Most indexes whose ledger is kept in the status: at most 2.4 KB of base64."""

_KEY = "indexes"
_NAME_LIMIT = 230


@dataclass(slots=True)
class _Cached:
    uid: str
    ledger: Ledger
    resource_version: str | None
    """None while there is no ConfigMap."""


class IndexRecords:
    """Reads and writes the ledgers of all BatchJobs."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cached: dict[ObjectKey, _Cached] = {}

    def forget(self, key: ObjectKey) -> None:
        """Drops what is in memory about a BatchJob."""
        self._cached.pop(key, None)

    async def load(self, resource: Resource, status: BatchJobStatus, size: int) -> Ledger:
        """The ledger as it was last saved.

        Raises Invalid when the record is missing, unreadable or somebody else's.
        """
        record = status.index_record or IndexRecord()
        if size <= INLINE_SIZE and record.config_map is None:
            return Ledger.first(size) if record.inline is None else _decoded(record.inline, size)
        cached = self._cached.get(resource.key)
        if cached is None or cached.uid != resource.uid:
            cached = await self._read(resource, record, size)
            self._cached[resource.key] = cached
        return cached.ledger

    async def peek(self, key: ObjectKey, uid: str, status: BatchJobStatus) -> Ledger:
        """The ledger of a BatchJob that somebody else's progress depends on, as it was last saved.

        What cannot be read holds nothing: whoever depends on it waits.
        """
        record, cached = status.index_record or IndexRecord(), self._cached.get(key)
        if cached is not None and cached.uid == uid:
            return cached.ledger
        text = record.inline
        if record.config_map is not None:
            try:
                found = await self._client.get(CONFIG_MAPS, record.config_map, key.namespace)
            except NotFound:
                return Ledger.first(status.size)
            text = (found.get("binaryData") or {}).get(_KEY, "")
        try:
            return _decoded(text, status.size) if text else Ledger.first(status.size)
        except Invalid:
            return Ledger.first(status.size)

    async def save(self, resource: Resource, ledger: Ledger) -> IndexRecord | None:
        """Keeps the ledger, and returns what the status is to say about it.

        Raises Conflict when the ConfigMap was changed by somebody; the next `load` reads it anew.
        """
        cached = self._cached.get(resource.key)
        if ledger.size <= INLINE_SIZE and cached is None:
            return None if ledger.untouched else IndexRecord(inline=_encoded(ledger))
        if cached is None:
            cached = _Cached(resource.uid, Ledger.first(ledger.size), None)
        if ledger != cached.ledger:
            try:
                written = await self._write(resource, ledger, cached.resource_version)
            except ApiError:
                self.forget(resource.key)
                raise
            version = written["metadata"]["resourceVersion"]
            cached = self._cached[resource.key] = _Cached(resource.uid, ledger, version)
        return IndexRecord(config_map=_name(resource)) if cached.resource_version else None

    async def _read(self, resource: Resource, record: IndexRecord, size: int) -> _Cached:
        name = _name(resource)
        try:
            found = await self._client.get(CONFIG_MAPS, name, resource.key.namespace)
        except NotFound:
            if record.config_map is None:
                return _Cached(resource.uid, Ledger.first(size), None)
            raise Invalid(
                f"ConfigMap {name} is gone, so what has run is not known;"
                " delete the BatchJob and create it anew",
                reason="IndexRecordMissing",
            ) from None
        if resource.uid not in {owner["uid"] for owner in found["metadata"].get("ownerReferences") or ()}:
            raise Invalid(
                f"ConfigMap {name} belongs to somebody else; rename or delete it", reason="IndexRecordForeign"
            )
        ledger = ledger_in(found, size)
        return _Cached(resource.uid, ledger, found["metadata"]["resourceVersion"])

    async def _write(self, resource: Resource, ledger: Ledger, version: str | None) -> Object:
        obj: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": _name(resource),
                "namespace": resource.key.namespace,
                "labels": {"app.kubernetes.io/managed-by": "pierhead"},
                "ownerReferences": [
                    {
                        "apiVersion": BATCH_JOBS.api_version,
                        "kind": BATCH_JOBS.kind,
                        "name": resource.key.name,
                        "uid": resource.uid,
                        "controller": True,
                    }
                ],
            },
            "binaryData": {_KEY: _encoded(ledger)},
        }
        if version is None:
            return await self._client.create(CONFIG_MAPS, obj)
        obj["metadata"]["resourceVersion"] = version
        return await self._client.replace(CONFIG_MAPS, obj)


def ledger_in(config_map: Object, size: int) -> Ledger:
    """The ledger that a BatchJob's ConfigMap has. Raises Invalid where it is unreadable."""
    return _decoded((config_map.get("binaryData") or {}).get(_KEY, ""), size)


def _name(resource: Resource) -> str:
    return f"{resource.key.name[:_NAME_LIMIT].rstrip('.-')}-{resource.uid[:8]}-indexes"


def _encoded(ledger: Ledger) -> str:
    return base64.b64encode(ledger.to_bytes()).decode()


def _decoded(text: str, size: int) -> Ledger:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    return Ledger.from_bytes(data, size)
