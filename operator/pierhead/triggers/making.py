"""From a template and an event to the object that is started. Pure.

Invariant: the same event makes the same name, so what has been started is found again; the author's template
is never changed, and nothing but labels, annotations and spec follows from an event.
"""

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object, Resource
from pierhead.expressions import Expressions
from pierhead.kube.ownership import tokens_of
from pierhead.model import GROUP
from pierhead.triggers.decide import REMEMBERED
from pierhead.triggers.model import RESOURCE, EventTriggerSpec
from pierhead.triggers.report import to_text

TRIGGER_LABEL: Final = f"{GROUP}/event-trigger"
"""Finds what EventTriggers started; whose it is the owner reference says."""

EVENT_ANNOTATION: Final = f"{GROUP}/event"
SENT_ANNOTATION: Final = f"{GROUP}/event-sent"
"""When the event came into its queue."""

REPLACES_ANNOTATION: Final = f"{GROUP}/replaces"
"""`true` on what was started in place of all that ran then."""

SCHEDULED_ANNOTATION: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"
"""As in a CronJob's Jobs."""

_LIFETIME: Final = "ttlSecondsAfterFinished"
"""Of any kind, as in a Job."""

_NAME_LIMIT: Final = 52
"""As a CronJob's name, to which ten digits are added."""

_LABEL_LIMIT: Final = 63
_DIGITS: Final = 10
_MOST_ITEMS: Final = 1000


@dataclass(frozen=True, slots=True)
class Variables:
    """What expressions see."""

    event: Mapping[str, Any]
    lines: int | None = None

    def given(self) -> dict[str, Any]:
        """By name."""
        found: dict[str, Any] = {"event": dict(self.event)}
        return found if self.lines is None else {**found, "lines": self.lines}


class Maker:
    """Makes the objects of one EventTrigger."""

    def __init__(self, resource: Resource, spec: EventTriggerSpec, expressions: Expressions) -> None:
        self._resource = resource
        self._spec = spec
        self._expressions = expressions
        counted = spec.s3 is not None and bool(spec.s3.count_lines)
        self._names = ("event", "lines") if counted else ("event",)

    def check(self) -> None:
        """Raises Invalid, naming the field, for an expression that is none, or a lifetime too short."""
        spec = self._spec
        self._check_lifetime(spec.template.spec)
        event = ("event",)
        for text, field, names in (
            (spec.filter, "spec.filter", event),
            (spec.deduplication.key if spec.deduplication else None, "spec.deduplication.key", event),
            (spec.name, "spec.name", self._names),
            *(
                (one.expression, f"spec.assign[{index}].expression", self._names)
                for index, one in enumerate(spec.assign or ())
            ),
        ):
            if text is not None:
                self._expressions.compiled(text, field=field, variables=names)

    def sample(self, now: datetime) -> Object | None:
        """What it would start at a time of its schedule; None where that follows from an event.

        Raises Invalid as `made` does.
        """
        if self._spec.schedule is None and self._spec.assign:
            return None
        event = {"scheduledTime": to_text(now)} if self._spec.schedule is not None else {}
        return self.made(f"{_cut(self._resource.key.name)}-sample", Variables(event), {})

    def wanted(self, event: Mapping[str, Any]) -> bool:
        """Whether the filter lets an event pass. Raises Invalid."""
        if self._spec.filter is None:
            return True
        compiled = self._expressions.compiled(self._spec.filter, field="spec.filter", variables=("event",))
        return compiled.holds(event=dict(event))

    def key_of(self, event_id: str, event: Mapping[str, Any]) -> str:
        """What is the same for events that start one thing together. Raises Invalid."""
        if self._spec.deduplication is None:
            return event_id
        value = self._value(self._spec.deduplication.key, "spec.deduplication.key", {"event": dict(event)})
        if isinstance(value, dict | list) or value is None:
            raise Invalid("gives no text, number or boolean", field="spec.deduplication.key")
        return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]

    def name_for(self, key: str, variables: Variables) -> str:
        """The name of what an event of this key starts. Raises Invalid."""
        begin = self._resource.key.name
        if self._spec.name is not None:
            text = self._value(self._spec.name, "spec.name", variables.given())
            begin = _as_name(str(text))
            if not begin:
                raise Invalid("gives no letter or digit that a name could begin with", field="spec.name")
        return f"{_cut(begin)}-{hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]}"

    def scheduled_name(self, at: datetime) -> str:
        """The name of what is started for a time of the schedule, as a CronJob's Jobs have it."""
        return f"{_cut(self._resource.key.name)}-{int(at.timestamp()) // 60}"

    def made(self, name: str, variables: Variables, annotations: Mapping[str, str]) -> Object:
        """The object. Raises Invalid, naming the field, for an expression or a path that does not fit."""
        template, resource = self._spec.template, self._resource
        metadata = template.metadata
        label = resource.key.name
        if len(label) > _LABEL_LIMIT:
            label = (
                f"{label[:_NAME_LIMIT].rstrip('-.')}-{hashlib.sha256(label.encode()).hexdigest()[:_DIGITS]}"
            )
        obj: Object = {
            "apiVersion": template.api_version,
            "kind": template.kind,
            "metadata": {
                "labels": dict((metadata.labels if metadata else None) or {}),
                "annotations": dict((metadata.annotations if metadata else None) or {}),
            },
            "spec": copy.deepcopy(template.spec),
        }
        given = variables.given()
        for index, one in enumerate(self._spec.assign or ()):
            value = self._value(one.expression, f"spec.assign[{index}].expression", given)
            _put(obj, one.path, value, field=f"spec.assign[{index}].path")
        self._check_lifetime(obj["spec"])
        obj["metadata"] |= {
            "name": name,
            "namespace": resource.key.namespace,
            "labels": {**_texts(obj["metadata"]["labels"]), TRIGGER_LABEL: label},
            "annotations": {**_texts(obj["metadata"]["annotations"]), **self._replaces(), **annotations},
            "ownerReferences": [
                {
                    "apiVersion": RESOURCE.reference.api_version,
                    "kind": RESOURCE.kind,
                    "name": resource.key.name,
                    "uid": resource.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        }
        return obj

    def _replaces(self) -> dict[str, str]:
        return {REPLACES_ANNOTATION: "true"} if self._spec.concurrency_policy == "Replace" else {}

    def _check_lifetime(self, spec: Mapping[str, Any]) -> None:
        lifetime, least = spec.get(_LIFETIME), int(REMEMBERED.total_seconds())
        if self._spec.schedule is None and isinstance(lifetime, int) and lifetime < least:
            raise Invalid(
                f"is {lifetime}, and has to be {least} at least: a queue may show an event again, and that "
                "starts nothing while what it started is there. The history limits delete it then",
                field=f"spec.template.spec.{_LIFETIME}",
            )

    def _value(self, text: str, field: str, variables: Mapping[str, Any]) -> Any:
        names = tuple(name for name in self._names if name in variables)
        return self._expressions.compiled(text, field=field, variables=names).value(**variables)


def _put(obj: Object, pointer: str, value: Any, *, field: str) -> None:
    """Sets what a JSON pointer names, with what is missing on the way."""
    *way, last = tokens_of(pointer)
    place: Any = obj
    for part in way:
        if isinstance(place, list):
            place = place[_place(place, part, field)]
        elif isinstance(place, dict):
            place = place.setdefault(part, {})
        else:
            raise Invalid(f"{part!r} is within something that has no parts", field=field)
    if isinstance(place, list):
        if last == "-" and len(place) < _MOST_ITEMS:
            place.append(value)
        else:
            place[_place(place, last, field)] = value
    elif isinstance(place, dict):
        if last == "-":
            raise Invalid("- adds to a list, and there is none", field=field)
        place[last] = value
    else:
        raise Invalid(f"{last!r} is within something that has no parts", field=field)


def _place(items: list[Any], part: str, field: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise Invalid(f"the list has {len(items)} items, and no {part[:20]!r}", field=field)
    return int(part)


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def _cut(name: str) -> str:
    return name[:_NAME_LIMIT].rstrip("-.")


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
