"""Events of AWS, as they stand in the bodies of messages. Pure.

Invariant: any text is read without an error that nobody foresaw, and no representation of an event, and no
error, quotes what was in it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class NotJSON(ValueError):
    """The body is no JSON. Its message never quotes the body."""


@dataclass(frozen=True, slots=True)
class AwsEvent:
    """An event as EventBridge delivers it; what it lacks is empty."""

    source: str
    """Such as `aws.ecr`."""

    detail_type: str
    account: str
    region: str
    detail: Mapping[str, Any] = field(repr=False)
    id: str = ""
    resources: tuple[str, ...] = field(default=(), repr=False)


def parse_event(body: str) -> AwsEvent | None:
    """The event in a message's body, also if it came by way of SNS; None for anything else."""
    try:
        event = read_event(body)
    except NotJSON:
        return None
    return event if event is not None and event.source and event.detail_type else None


def read_event(body: str) -> AwsEvent | None:
    """As `parse_event`, but an event may be one whose rule kept no more than its `detail`.

    Raises NotJSON.
    """
    document = document_in(body)
    if not isinstance(document, dict):
        return None
    texts = [document.get(name, "") for name in ("source", "detail-type", "account", "region", "id")]
    detail, resources = document.get("detail"), document.get("resources")
    if not all(isinstance(text, str) for text in texts[:2]) or not isinstance(detail, dict):
        return None
    source, detail_type, account, region, event_id = (text if isinstance(text, str) else "" for text in texts)
    return AwsEvent(
        source,
        detail_type,
        account,
        region,
        detail,
        event_id,
        tuple(item for item in resources if isinstance(item, str)) if isinstance(resources, list) else (),
    )


def document_in(body: str) -> Any:
    """The JSON of a message's body, without what SNS wraps around it. Raises NotJSON."""
    document = _json(body)
    if isinstance(document, dict) and document.get("Type") == "Notification":
        return _json(str(document.get("Message")))
    return document


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # Not chained: a JSONDecodeError carries the whole document.
        raise NotJSON("the body is no JSON") from None
