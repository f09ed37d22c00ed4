"""Starting what events and schedules ask for.

Invariant: the object is there before its event is done with, and its name follows from the event: whatever
dies in between, the next one finds it by its name and starts nothing twice.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog

from pierhead.aws.access import Access
from pierhead.aws.session import AwsSessions
from pierhead.engine.outcome import Denied, Invalid
from pierhead.engine.resource import Object, Resource
from pierhead.kube.client import Client
from pierhead.kube.errors import AlreadyExists
from pierhead.triggers.children import STARTED, Children
from pierhead.triggers.decide import Decision, Facts, Verdict
from pierhead.triggers.listening import Listeners, Pending
from pierhead.triggers.making import (
    EVENT_ANNOTATION,
    SCHEDULED_ANNOTATION,
    SENT_ANNOTATION,
    Maker,
    Variables,
)
from pierhead.triggers.model import EventTriggerSpec
from pierhead.triggers.model.status import Refused
from pierhead.triggers.report import refusal_of, to_text

LINES_LIMIT = 16 * 1024 * 1024
"""Bytes of an object whose lines are counted."""

NOT_JSON = (
    "a message in the queue is no JSON; it is left to the dead-letter queue. Whoever sends it has to send "
    "events of S3, EventBridge or SNS as they are"
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeyedEvent:
    """A waiting event that the filter lets pass."""

    pending: Pending
    key: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The waiting events, oldest first, once the filter has seen them."""

    events: tuple[KeyedEvent, ...] = ()
    refused: Refused | None = None
    """The last that could not be judged."""

    def overtaken(self, started: Iterable[datetime | None]) -> frozenset[str]:
        """The keys of events that came into their queue before one of those that have started something."""
        latest = max(filter(None, started), default=None)
        if latest is None:
            return frozenset()
        young = {event.key for event in self.events if event.pending.sent >= latest}
        return frozenset(event.key for event in self.events) - young


@dataclass(frozen=True, slots=True)
class Started:
    """What became of the waiting events."""

    started: bool = False
    refused: Refused | None = None
    """The last that could not start anything."""


class Starter:
    """Starts objects."""

    def __init__(
        self, client: Client, children: Children, listeners: Listeners, sessions: AwsSessions
    ) -> None:
        self._client = client
        self._children = children
        self._listeners = listeners
        self._sessions = sessions

    def judge(self, resource: Resource, maker: Maker) -> Judged:
        """Is done with events that the filter does not let pass, and refuses those it cannot judge."""
        keyed, refused = [], None
        malformed = self._listeners.malformed(resource.key)
        if malformed is not None:
            refused = refusal_of(malformed, Invalid(NOT_JSON, reason="NotJSON", field="spec.queue"))
        for pending in self._listeners.pending(resource.key):
            event = pending.event
            try:
                if maker.wanted(event.content):
                    keyed.append(KeyedEvent(pending, maker.key_of(event.id, event.content)))
                    continue
            except Invalid as error:
                refused = refusal_of(event.id, error)
                self._listeners.refused(resource.key, pending)
            else:
                self._listeners.done(resource.key, pending)
        return Judged(tuple(sorted(keyed, key=lambda event: event.pending.sent)), refused)

    async def try_out(self, resource: Resource, spec: EventTriggerSpec, maker: Maker, now: datetime) -> None:
        """Has the API server judge what a new spec would start, as far as that needs no event.

        What runs at night is not to fail at night. Raises Invalid and Denied when the API server does not
        take it, and what passes.
        """
        settled = any(
            entry.get("type") == "Ready"
            and entry.get("status") == "True"
            and entry.get("observedGeneration") == resource.generation
            for entry in resource.status.get("conditions") or ()
        )
        sample = None if settled else maker.sample(now)
        if sample is None:
            return
        try:
            with suppress(AlreadyExists):
                await self._client.create(STARTED[spec.template.kind], sample, dry_run=True)
        except (Invalid, Denied) as error:
            error.field = error.field or "spec.template"
            raise

    async def start_scheduled(
        self, resource: Resource, spec: EventTriggerSpec, maker: Maker, facts: Facts, decision: Decision
    ) -> datetime | None:
        """Starts what the schedule asks for; the time that is handled by now, if one is.

        Raises Invalid and Denied when the API server does not take it, and what passes.
        """
        moment = facts.due.at if facts.due is not None else None
        if moment is None or decision.scheduled == "Hold":
            return None
        if decision.scheduled == "Start":
            event = {"scheduledTime": to_text(moment)}
            annotations = {EVENT_ANNOTATION: facts.scheduled_key, SCHEDULED_ANNOTATION: to_text(moment)}
            obj = maker.made(facts.scheduled_key, Variables(event), annotations)
            await self._create(resource, spec, obj)
        return moment

    async def start_events(
        self,
        resource: Resource,
        spec: EventTriggerSpec,
        maker: Maker,
        access: Access,
        verdicts: Iterable[tuple[KeyedEvent, Verdict]],
    ) -> Started:
        """Starts what the waiting events ask for. Raises what passes; the events then wait on."""
        started, refused = False, None
        for keyed, verdict in verdicts:
            if verdict == "Hold":
                continue
            if verdict == "Start":
                event, key = keyed.pending.event, keyed.key
                try:
                    variables = await self._variables(spec, access, event.content)
                    sent = keyed.pending.sent.isoformat(timespec="milliseconds")
                    annotations = {EVENT_ANNOTATION: key, SENT_ANNOTATION: sent}
                    obj = maker.made(maker.name_for(key, variables), variables, annotations)
                    await self._create(resource, spec, obj)
                except (Invalid, Denied) as error:
                    refused = refusal_of(event.id, error)
                    self._listeners.refused(resource.key, keyed.pending)
                    continue
                started = True
            self._listeners.done(resource.key, keyed.pending)
        return Started(started, refused)

    async def _create(self, resource: Resource, spec: EventTriggerSpec, obj: Object) -> None:
        kind, name = STARTED[spec.template.kind], obj["metadata"]["name"]
        try:
            made = await self._client.create(kind, obj)
        except AlreadyExists:
            made = await self._client.get(kind, name, resource.key.namespace)
            owners = made["metadata"].get("ownerReferences") or ()
            if resource.uid not in {owner["uid"] for owner in owners}:
                raise Invalid(
                    f"a {kind.kind} {name} is there already, and is somebody else's", reason="NameTaken"
                ) from None
        except (Invalid, Denied) as error:
            error.field = error.field or "spec.template"
            raise
        else:
            _log.info("started", object=str(resource.key), kind=kind.kind, name=name)
        self._children.observe(made)

    async def _variables(
        self, spec: EventTriggerSpec, access: Access, event: Mapping[str, object]
    ) -> Variables:
        if spec.s3 is None or not spec.s3.count_lines or event.get("type") != "Created":
            return Variables(event)
        from pierhead.stores.buckets import s3  # noqa: PLC0415 (megabytes that few need)

        bucket = s3(
            spec.s3.bucket,
            region=access.region,
            endpoint=await self._sessions.endpoint("s3", access.region),
            keys=lambda: self._sessions.keys(access.identity),
        )
        content = await bucket.get(str(event["key"]), limit=LINES_LIMIT)
        return Variables(event, lines=lines_in(content))


def lines_in(content: bytes) -> int:
    """The lines of a text; a last one needs no end."""
    return content.count(b"\n") + bool(content and not content.endswith(b"\n"))
