"""What is known of the objects of all releases, from watches and from the answers of our own writes.

Invariant: an object is never remembered at an older resourceVersion than was seen before, and no object
is held whole: of each there is its health, its version, and a fingerprint of what a release set in its
metadata. A release whose objects all match what was verified needs no request to be known undrifted.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pierhead.apps.health.checks import Check, judged
from pierhead.apps.objects.adoption import is_scaled
from pierhead.apps.situation import Health
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.health import HealthStatus
from pierhead.kube.inventory import Entry
from pierhead.kube.objects import digest
from pierhead.kube.plan import Known, Step

METADATA_IS_ENOUGH = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "IngressClass",
        "LimitRange",
        "NetworkPolicy",
        "PriorityClass",
        "Role",
        "RoleBinding",
        "Secret",
        "ServiceAccount",
        "StorageClass",
    }
)
"""Kinds without a status: they are healthy when they are there, and their content is never held."""

_MESSAGE_LIMIT = 512
_VALUE_LIMIT = 64
"""Longer annotations are remembered by their digest."""


@dataclass(slots=True)
class _Live:
    """One object as last seen."""

    uid: str
    version: int
    generation: int | str | None
    metadata: Mapping[str, str]
    """Labels and annotations, as `label/…` and `annotation/…`."""
    status: HealthStatus
    message: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class _Expectation:
    """What an object was like when it was known to be as the release wants it."""

    version: int
    generation: int | str | None
    metadata: Mapping[str, str]
    """The labels and annotations that the release sets."""
    digest: str
    """Of what was applied."""
    basis: str
    """Of what that was made of, where it is more than itself."""
    once: bool
    """Whether it is only to be there, whatever is in it."""
    scaled: bool
    """Whether an autoscaler had set its replicas."""


class LiveObjects:
    """The objects of all releases; each belongs to the AppRelease that applied it last."""

    def __init__(self) -> None:
        self._owners: dict[Entry, ObjectKey] = {}
        self._owned: dict[ObjectKey, set[Entry]] = {}
        self._live: dict[Entry, _Live] = {}
        self._expected: dict[Entry, _Expectation] = {}
        self._checks: dict[ObjectKey, tuple[Check, ...]] = {}
        self._wake: Callable[[ObjectKey], None] = lambda _key: None

    def start(self, wake: Callable[[ObjectKey], None]) -> None:
        """Says how an AppRelease is woken when one of its objects changes."""
        self._wake = wake

    def owner(self, entry: Entry) -> ObjectKey | None:
        """The AppRelease that an object is known to belong to."""
        return self._owners.get(entry)

    def handle(self, event_type: str, obj: Object) -> None:
        """Takes a watch event."""
        entry = Entry.of(obj)
        owner = self._owners.get(entry)
        if owner is not None and self._observe(entry, obj, gone=event_type == "DELETED"):
            self._wake(owner)

    def judge_by(self, owner: ObjectKey, checks: tuple[Check, ...]) -> tuple[Entry, ...]:
        """From now on the owner's objects are judged by these checks; those to be judged anew."""
        before = self._checks.get(owner, ())
        if before == checks:
            return ()
        if checks:
            self._checks[owner] = checks
        else:
            del self._checks[owner]
        concerned = [
            entry
            for entry in self._owned.get(owner, ())
            if any(check.concerns(entry) for check in (*before, *checks))
        ]
        return tuple(sorted(concerned))

    def checks(self, owner: ObjectKey) -> tuple[Check, ...]:
        """By which its objects are judged."""
        return self._checks.get(owner, ())

    def _checks_of(self, entry: Entry) -> tuple[Check, ...]:
        owner = self._owners.get(entry)
        return self._checks.get(owner, ()) if owner is not None else ()

    def judged_anew(self, obj: Object) -> None:
        """Takes an object's health from what it is now, though nothing of it need have changed."""
        entry = Entry.of(obj)
        self._observe(entry, obj, gone=False)
        live = self._live.get(entry)
        if live is not None and live.version <= int(obj["metadata"]["resourceVersion"]):
            health = judged(obj, self._checks_of(entry))
            live.status, live.message = health.status, health.message[:_MESSAGE_LIMIT]

    def troubled(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that are there and not healthy."""
        return [
            entry
            for entry in entries
            if (live := self._live.get(entry)) is not None
            and not live.gone
            and live.status is not HealthStatus.CURRENT
        ]

    def verified(self, step: Step, live: Object) -> None:
        """`live` is as the step wants it: only a later change can be drift."""
        entry = step.entry
        self._observe(entry, live, gone=False)
        wanted, seen = _metadata_of(step.object), _metadata_of(live)
        self._expected[entry] = _Expectation(
            version=int(live["metadata"]["resourceVersion"]),
            generation=_generation_of(live),
            metadata={key: seen[key] for key in wanted if key in seen},
            digest=step.digest,
            basis=step.basis,
            once=step.once,
            scaled=is_scaled(live),
        )

    def claim(self, owner: ObjectKey, entries: Iterable[Entry]) -> None:
        """From now on events of these objects are taken, and wake `owner`.

        Belongs before they are written: their events may come before the answers to the writes.
        """
        for entry in entries:
            self._owners[entry] = owner
            self._owned.setdefault(owner, set()).add(entry)

    def differs(self, entry: Entry) -> None:
        """The object is not as its release wants it."""
        self._expected.pop(entry, None)

    def known(self, entries: Iterable[Entry]) -> dict[Entry, Known]:
        """What a plan need not ask for, as long as `version_of` says the same."""
        return {
            entry: Known(expected.digest, str(expected.version))
            for entry in entries
            if (expected := self._expected.get(entry)) is not None
        }

    def version_of(self, entry: Entry) -> str | None:
        """The version at which the object was verified, while nothing that matters changed since."""
        expected = self._expected.get(entry)
        return str(expected.version) if expected and _matches(self._live.get(entry), expected) else None

    def undisturbed(self, entry: Entry, basis: str) -> Known | None:
        """What was applied on this basis, while nothing that matters changed since."""
        expected = self._expected.get(entry)
        if expected is None or expected.basis != basis or not _matches(self._live.get(entry), expected):
            return None
        return Known(expected.digest, str(expected.version))

    def scaled(self, entry: Entry) -> bool | None:
        """Whether an autoscaler sets the object's replicas; None where that has to be looked up."""
        expected = self._expected.get(entry)
        if expected is None or not _matches(self._live.get(entry), expected):
            return None
        return expected.scaled

    def keep(self, owner: ObjectKey, entries: Iterable[Entry]) -> None:
        """Drops what is known of any other object of this owner."""
        kept = set(entries)
        if not kept:
            self._checks.pop(owner, None)
        owned = self._owned.pop(owner, set())
        kept &= owned
        for entry in owned - kept:
            if self._owners.get(entry) == owner:
                del self._owners[entry]
                self._live.pop(entry, None)
                self._expected.pop(entry, None)
        if kept:
            self._owned[owner] = kept

    def suspects(self, entries: Iterable[Entry]) -> frozenset[tuple[Entry, int]]:
        """Objects that may have drifted, with the version they were last seen at (0: not there)."""
        found = []
        for entry in entries:
            live = self._live.get(entry)
            if not _matches(live, self._expected.get(entry)):
                found.append((entry, 0 if live is None or live.gone else live.version))
        return frozenset(found)

    def health(self, entries: Iterable[Entry], told: Mapping[Entry, str] = MappingProxyType({})) -> Health:
        """The worst health of these objects; failed only when none is still in progress.

        `told` is what is known beyond an object's own words.
        """
        failed, progressing = [], []
        for entry in entries:
            live = self._live.get(entry)
            if live is None or live.gone:
                progressing.append(f"{entry.label} is not there")
            elif live.status is HealthStatus.FAILED:
                failed.append(_words(entry, live, told))
            elif live.status is not HealthStatus.CURRENT:
                progressing.append(_words(entry, live, told))
        if progressing:
            return Health("InProgress", _joined(failed + progressing))
        if failed:
            return Health("Failed", _joined(failed))
        return Health("Current")

    def _observe(self, entry: Entry, obj: Object, *, gone: bool) -> bool:
        """Remembers an object; whether anything a release cares about changed."""
        metadata = obj["metadata"]
        version = int(metadata["resourceVersion"])
        before = self._live.get(entry)
        if before is not None and before.version >= version and not (gone and before.uid == metadata["uid"]):
            return False
        # The watch may have kept no more than the name of what is gone.
        health = None if gone else judged(obj, self._checks_of(entry))
        after = self._live[entry] = _Live(
            uid=metadata["uid"],
            version=version,
            generation=_generation_of(obj),
            metadata=_metadata_of(obj),
            status=health.status if health else HealthStatus.NOT_FOUND,
            message=health.message[:_MESSAGE_LIMIT] if health else "",
            gone=gone,
        )
        if before is None or gone or before.gone:
            return True
        changed = (before.status, before.message) != (after.status, after.message)
        return changed or not _matches(after, self._expected.get(entry))


def _matches(live: _Live | None, expected: _Expectation | None) -> bool:
    if live is None or expected is None or live.gone:
        return False
    if expected.once:
        return True
    if live.version == expected.version:
        return True
    if live.generation is None or live.generation != expected.generation:
        return False
    return all(live.metadata.get(key) == value for key, value in expected.metadata.items())


def _generation_of(obj: Mapping[str, Any]) -> int | str | None:
    """What changes with the object's content, and not with its status.

    Some kinds with a status, autoscalers and Services among them, count no generations.
    """
    generation: int | None = obj["metadata"].get("generation")
    if generation is not None or obj["kind"] in METADATA_IS_ENOUGH:
        return generation
    return digest({key: value for key, value in obj.items() if key not in {"metadata", "status"}})


def _metadata_of(obj: Mapping[str, Any]) -> dict[str, str]:
    metadata = obj["metadata"]
    labels = {f"label/{key}": value for key, value in (metadata.get("labels") or {}).items()}
    annotations = {
        f"annotation/{key}": value
        if len(value) <= _VALUE_LIMIT
        else hashlib.sha256(value.encode()).hexdigest()
        for key, value in (metadata.get("annotations") or {}).items()
    }
    return labels | annotations


def _words(entry: Entry, live: _Live, told: Mapping[Entry, str]) -> str:
    more = told.get(entry)
    return f"{entry.label}: {live.message}" + (f" ({more})" if more else "")


def _joined(messages: list[str], most: int = 3) -> str:
    shown = "; ".join(messages[:most])
    return shown if len(messages) <= most else f"{shown}; and {len(messages) - most} more"
