"""Telling others that what was started has ended.

Invariant: an end is told at least once: it is marked as told after it was, and not before.
"""

import json
from typing import Any, Final

from pierhead.aws.access import Access
from pierhead.aws.errors import AwsError, BadRequest
from pierhead.aws.session import AwsSessions
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.triggers.children import ANNOUNCED, STARTED, end_of, mark_of
from pierhead.triggers.model.template import Announcement

SOURCE: Final = "pierhead.dev"


class Announcer:
    """Tells ends to event buses and topics."""

    def __init__(self, client: Client, sessions: AwsSessions) -> None:
        self._client = client
        self._sessions = sessions

    async def announce(self, obj: Object, trigger: str, access: Access, where: Announcement) -> Object | None:
        """Tells how an object ended, and marks it; the object as it is then, None for one that is gone.

        Raises AWS's errors with the field, and the API server's.
        """
        detail, end = detail_of(obj, trigger), end_of(obj)
        if end is None:
            raise ValueError("what has not ended has no end to tell")
        try:
            if where.event_bus is not None:
                await self._put(access, where.event_bus, obj["kind"], detail)
            else:
                await self._publish(access, where.topic or "", obj["kind"], detail)
        except AwsError as error:
            error.field = "spec.onCompletion"
            raise
        metadata = obj["metadata"]
        try:
            return await self._client.merge_patch(
                STARTED[obj["kind"]],
                metadata["name"],
                metadata["namespace"],
                {"metadata": {"annotations": {ANNOUNCED: mark_of(end)}, "uid": metadata["uid"]}},
            )
        except (NotFound, Conflict):
            # Deleted meanwhile; another of its name has another uid.
            return None

    async def _put(self, access: Access, bus: str, kind: str, detail: dict[str, Any]) -> None:
        client = self._sessions.client("events", region=access.region, identity=access.identity)
        entry = {
            "Source": SOURCE,
            "DetailType": _type_of(kind, detail),
            "Detail": json.dumps(detail),
            "EventBusName": bus,
        }
        answer = await client.call("put_events", Entries=[entry])
        if answer.get("FailedEntryCount"):
            code = str(answer["Entries"][0].get("ErrorCode", "Unknown"))
            raise BadRequest(f"PutEvents: {code}: the bus {bus} did not take the event")

    async def _publish(self, access: Access, topic: str, kind: str, detail: dict[str, Any]) -> None:
        client = self._sessions.client("sns", region=access.region, identity=access.identity)
        message = {"source": SOURCE, "detail-type": _type_of(kind, detail), "detail": detail}
        await client.call("publish", TopicArn=topic, Message=json.dumps(message))


def detail_of(obj: Object, trigger: str) -> dict[str, Any]:
    """What is told of an end."""
    metadata, status, end = obj["metadata"], obj.get("status") or {}, end_of(obj) or {}
    counts = {name: status[name] for name in ("size", "succeeded", "failed") if name in status}
    uri = (obj.get("spec") or {}).get("outputUri")
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "kind": obj["kind"],
        "eventTrigger": trigger,
        "succeeded": end.get("type") == "Complete",
        "reason": end.get("reason", ""),
        "message": end.get("message", ""),
        "time": end.get("lastTransitionTime", ""),
        **({"counts": counts} if counts else {}),
        **({"outputUri": uri} if uri else {}),
    }


def _type_of(kind: str, detail: dict[str, Any]) -> str:
    return f"{kind} {'Complete' if detail['succeeded'] else 'Failed'}"
