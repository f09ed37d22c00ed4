"""From what a `find` found, and what AWS answered, to the values of keys. Pure.

Invariants: the order of what was found changes nothing; a secret that is not there costs no other its value,
and one that is there and cannot be read costs all of them, as a Secret is written whole.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pierhead.engine.properties import Fault, shown
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.model.sources import DataFromEntry
from pierhead.secrets.reading.decoding import decoded
from pierhead.secrets.reading.found import Found
from pierhead.secrets.reading.references import Answers, Findable, Reference, Version
from pierhead.secrets.reading.rewriting import keys_of
from pierhead.secrets.reading.values import whole


@dataclass(frozen=True, slots=True)
class Member:
    """One secret or parameter whose value is in the Secret, or stays there."""

    name: str
    version_id: str
    reason: str | None = None
    """Why it only stays."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one line gives."""

    kind: Findable
    members: tuple[Member, ...]
    """By name."""

    version_id: str
    """Names the members, their versions and their keys."""

    values: Mapping[str, bytes] = field(repr=False)
    retained: frozenset[str] = frozenset()
    """Keys of members that only stay."""


def gather(
    entry: DataFromEntry, find: FindSource, found: Found, answers: Answers, *, retain: bool
) -> Gathered | Fault:
    """What the line gives, or why nothing. `retain`: what is proven gone stays all the same."""
    kind: Findable = "secret" if find.path is None else "parameter"
    known = {**answers, **found.answers}
    read = {name: known[Reference(name, kind=kind)] for name in found.names}
    # Listed, and yet the read has proven it gone: the list was late.
    gone = found.gone | {name for name, answer in read.items() if isinstance(answer, Fault) and answer.absent}
    values = _values(entry, {name: answer for name, answer in read.items() if name not in gone}, kind)
    if isinstance(values, Fault):
        return values
    reasons = {name: f"{kind.capitalize()}NotFound" for name in gone if retain and name in found.before}
    reasons |= dict.fromkeys(found.unknown, "Unproven")
    if not values and not reasons and (not entry.optional or found.before):
        return _nothing(kind, found, gone)
    keys = _keys(entry, find, values, kind)
    if isinstance(keys, Fault):
        return keys
    kept = _kept(entry, find, reasons, keys)
    members = sorted(
        [Member(name, version.version_id) for name, version in _versions(read, values).items()]
        + [Member(name, found.before.get(name, ""), reasons[name]) for name in kept],
        key=lambda member: member.name,
    )
    every = {**keys, **kept}
    return Gathered(
        kind,
        tuple(members),
        _digest([[every[member.name], member.name, member.version_id] for member in members]),
        {keys[name]: value for name, value in values.items()},
        frozenset(kept.values()),
    )


def _values(
    entry: DataFromEntry, read: Mapping[str, Version | Fault], kind: Findable
) -> dict[str, bytes] | Fault:
    """The value of each name, decoded."""
    values: dict[str, bytes] = {}
    for name in sorted(read):
        answer = read[name]
        value = answer if isinstance(answer, Fault) else whole(answer)
        if not isinstance(value, Fault):
            value = decoded(value, entry.decode)
        if isinstance(value, Fault):
            return Fault(value.reason, f"{kind} {shown(name)}: {value.message}")
        values[name] = value
    return values


def _versions(read: Mapping[str, Version | Fault], names: Mapping[str, bytes]) -> dict[str, Version]:
    return {name: answer for name, answer in read.items() if name in names and isinstance(answer, Version)}


def _keys(
    entry: DataFromEntry, find: FindSource, names: Mapping[str, object], kind: Findable
) -> dict[str, str] | Fault:
    """The key of each name."""
    rests = {name.removeprefix(find.below): name for name in names}
    keys = keys_of(rests, entry.rewrite or (), what=kind)
    return keys if isinstance(keys, Fault) else {rests[rest]: key for rest, key in keys.items()}


def _kept(
    entry: DataFromEntry, find: FindSource, reasons: Mapping[str, str], taken: Mapping[str, str]
) -> dict[str, str]:
    """The keys of what only stays; what would stand in the way of something that is there does not."""
    kept: dict[str, str] = {}
    for name in sorted(reasons):
        key = _keys(entry, find, {name: None}, "secret")
        if not isinstance(key, Fault) and key[name] not in {*taken.values(), *kept.values()}:
            kept |= key
    return kept


def _nothing(kind: Findable, found: Found, gone: frozenset[str]) -> Fault:
    if found.before and found.before.keys() <= gone:
        return Fault("NothingFound", f"every {kind} that was found is deleted", absent=True)
    return Fault("NothingFound", f"finds no {kind} that this namespace may read")


def _digest(members: list[list[str]]) -> str:
    return hashlib.sha256(json.dumps(sorted(members)).encode()).hexdigest()[:32]
