"""Events as they stand in the body of a message: S3's own notifications, and those of EventBridge. Pure.

Invariant: the same event has the same id however often and by whichever way it is told; nothing of a body is
in an error.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from pierhead.aws.events import document_in

S3: Final = "aws.s3"
CREATED: Final = "Created"
REMOVED: Final = "Removed"

_DETAIL_TYPES: Final[Mapping[str, str]] = {"Object Created": CREATED, "Object Deleted": REMOVED}


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    id: str
    content: Mapping[str, Any] = field(repr=False)
    """What expressions see as `event`: it as EventBridge delivers it, or what is known of an object of S3."""
    s3: bool = False
    """Whether it is `type`, `bucket`, `key`, `encodedKey`, `size`, `etag`, `versionId` and `time` of one."""


def events_in(body: str) -> tuple[Event, ...]:
    """All that a message tells of; nothing for a test, or for what is none of these. Raises NotJSON."""
    document = document_in(body)
    if not isinstance(document, dict):
        return ()
    if isinstance(document.get("Records"), list):
        return tuple(_records(document["Records"]))
    if not isinstance(document.get("source"), str) or not isinstance(document.get("detail"), dict):
        return ()
    found = [Event(_digest("event", document.get("id"), document), document)]
    uploaded = _of_event_bridge(document)
    return (*found, uploaded) if uploaded is not None else tuple(found)


def _records(records: list[Any]) -> Iterator[Event]:
    for record in records:
        if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
            continue
        name, s3 = str(record.get("eventName", "")), record.get("s3")
        kind = (
            CREATED
            if name.startswith("ObjectCreated:")
            else REMOVED
            if name.startswith("ObjectRemoved:")
            else ""
        )
        if not kind or not isinstance(s3, dict):
            continue
        bucket, item = s3.get("bucket"), s3.get("object")
        if isinstance(bucket, dict) and isinstance(item, dict):
            # Here keys are encoded as in a form; in EventBridge's events they are not.
            key = unquote_plus(str(item.get("key", "")))
            yield _object(kind, str(bucket.get("name", "")), key, item, str(record.get("eventTime", "")))


def _of_event_bridge(document: Mapping[str, Any]) -> Event | None:
    kind = _DETAIL_TYPES.get(str(document.get("detail-type")))
    bucket, item = document["detail"].get("bucket"), document["detail"].get("object")
    if document["source"] != S3 or kind is None or not isinstance(bucket, dict) or not isinstance(item, dict):
        return None
    key, time = str(item.get("key", "")), str(document.get("time", ""))
    return _object(kind, str(bucket.get("name", "")), key, item, time)


def _object(kind: str, bucket: str, key: str, item: Mapping[str, Any], time: str) -> Event:
    size = item.get("size", 0)
    etag = str(item.get("eTag") or item.get("etag") or "").strip('"')
    version = str(item.get("versionId") or item.get("version-id") or "")
    event = {
        "type": kind,
        "bucket": bucket,
        "key": key,
        "encodedKey": quote(key),
        "size": size if isinstance(size, int) and not isinstance(size, bool) else 0,
        "etag": etag,
        "versionId": version,
        "time": time,
    }
    # Not by the event's own id or its second: S3 may tell twice, and by two ways at once.
    told = version or f"{etag} {item.get('sequencer', '')}"
    return Event(_digest(kind, bucket, key, told), event, s3=True)


def _digest(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
