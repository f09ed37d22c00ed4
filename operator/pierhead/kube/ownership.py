"""Who owns which fields of a live object, and an applied object that leaves some of them as they are.

Invariant: what is left to the live object is never deleted by leaving it out: a field that nobody else owns
is sent with the value it has, any other is not sent at all. The fields that tell the elements of a list
apart are always sent. Source of the form: metav1.FieldsV1 of `metadata.managedFields`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pierhead.engine.resource import Object

Fields = Mapping[str, Any]
"""A set of fields as FieldsV1 has it: `f:` a member, `k:` an element by its keys, `v:` one by its value."""

Tokens = tuple[str, ...]
"""A JSON pointer, taken apart."""

_ABSENT: Any = object()
_NAMELESS = "nobody's"
"""An element that no set has a name for, in a list whose elements have names."""


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of managedFields."""

    manager: str
    operation: str
    subresource: str
    time: str
    fields: Fields


def owners(live: Object) -> list[Owner]:
    """The entries of an object that was read whole."""
    return [
        Owner(
            manager=entry.get("manager") or "",
            operation=entry.get("operation") or "",
            subresource=entry.get("subresource") or "",
            time=entry.get("time") or "",
            fields=entry.get("fieldsV1") or {},
        )
        for entry in live["metadata"].get("managedFields") or ()
    ]


def tokens_of(pointer: str) -> Tokens:
    """RFC 6901; empty for the empty pointer, which is the whole object."""
    parts = pointer.split("/")[1:]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def pointer_of(tokens: Tokens) -> str:
    """The opposite."""
    return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in tokens)


def owns(fields: Fields, live: Any, tokens: Tokens) -> bool:
    """Whether a set of fields holds the one a pointer names in the live object, or part of it."""
    node: Fields | None = fields
    for token in tokens:
        key, live = _child(live, token, (node,) if node else ())
        node = _under(node, key)
        if node is None:
            return False
    return True


def left_to_live(desired: Any, live: Any, tokens: Tokens, ours: Fields, others: Sequence[Fields]) -> Any:
    """The desired object with what the pointer names as it is in the live one.

    `ours` is what this manager owns, `others` the sets of everybody else. A pointer into a list counts the
    live object's elements.
    """
    made = _left(desired, live, tokens, ours, tuple(others))
    return {} if made is _ABSENT else made


def without(desired: Any, fields: Fields) -> Any:
    """The desired object without the fields of a set that somebody else owns."""
    made = _without(desired, fields)
    return {} if made is _ABSENT else made


def leaves(desired: Any, live: Any, everybody: Sequence[Fields], above: Tokens = ()) -> Iterator[Tokens]:
    """Pointers, in the live object, of all the values that the desired one sets and that exist there."""
    if isinstance(desired, Mapping) and isinstance(live, Mapping) and desired:
        for name, value in desired.items():
            if name in live:
                inside = _inside(everybody, f"f:{name}")
                yield from leaves(value, live[name], inside, (*above, str(name)))
    elif (
        isinstance(desired, list)
        and isinstance(live, list)
        and any(isinstance(item, Mapping) for item in live)
    ):
        for index, item in enumerate(live):
            key = _key_of(item, index, everybody)
            position = _position(desired, key, index)
            if position is not None:
                yield from leaves(desired[position], item, _inside(everybody, key), (*above, str(index)))
    else:
        yield above


def _left(desired: Any, live: Any, tokens: Tokens, ours: Fields | None, others: Sequence[Fields]) -> Any:
    if not tokens:
        return _projected(live, ours, others)
    head, rest = tokens[0], tokens[1:]
    sets = (*((ours,) if ours is not None else ()), *others)
    key, below = _child(live, head, sets)
    if isinstance(live, list):
        if below is _ABSENT or not (desired is _ABSENT or isinstance(desired, list)):
            return desired
        given = list(desired) if isinstance(desired, list) else []
        position = _position(given, key, int(head))
        before = given[position] if position is not None else _ABSENT
        made = _left(before, below, rest, _under(ours, key), _inside(others, key))
        return _with_element(given, position, made, key, before)
    if desired is not _ABSENT and not isinstance(desired, Mapping):
        return desired
    given_members = {} if desired is _ABSENT else dict(desired)
    before = given_members.get(head, _ABSENT)
    made = _left(before, below, rest, _under(ours, key), _inside(others, key))
    if made is _ABSENT:
        given_members.pop(head, None)
    else:
        given_members[head] = made
    return given_members or _ABSENT


def _with_element(given: list[Any], position: int | None, made: Any, key: str, before: Any) -> Any:
    keys = _keys_in(key)
    if made is _ABSENT:
        # The keys alone, where the element goes on being asked for; where it was not, nothing.
        made = (
            {name: before[name] for name in keys if name in before} if isinstance(before, Mapping) else made
        )
    elif isinstance(made, Mapping):
        made = {**keys, **made}
    if position is not None and made is not _ABSENT and made != {}:
        given[position] = made
    elif position is not None:
        del given[position]
    elif made is not _ABSENT:
        given.append(made)
    return given or _ABSENT


def _projected(value: Any, ours: Fields | None, others: Sequence[Fields]) -> Any:
    """The part of a live value that only we own."""
    if value is _ABSENT or ours is None:
        return _ABSENT
    if not ours or not isinstance(value, Mapping | list):
        return _ABSENT if others else value
    if isinstance(value, Mapping):
        members = {
            name: part
            for name, item in value.items()
            if (part := _projected(item, ours.get(f"f:{name}"), _inside(others, f"f:{name}"))) is not _ABSENT
        }
        return members or _ABSENT
    elements = []
    for index, item in enumerate(value):
        key = _key_of(item, index, (ours, *others))
        theirs = _inside(others, key)
        part = _projected(item, ours.get(key), theirs)
        keys = _keys_in(key)
        if part is not _ABSENT and (not keys or set(part) - set(keys) or not theirs):
            elements.append({**keys, **part} if isinstance(part, Mapping) else part)
    return elements or _ABSENT


def _without(desired: Any, fields: Fields) -> Any:
    if not fields:
        return _ABSENT
    if isinstance(desired, Mapping):
        members = {
            name: part
            for name, item in desired.items()
            if (part := _without(item, fields[f"f:{name}"]) if f"f:{name}" in fields else item) is not _ABSENT
        }
        return members or _ABSENT
    if isinstance(desired, list):
        elements = []
        for index, item in enumerate(desired):
            key = _key_of(item, index, (fields,))
            keys = _keys_in(key)
            part = _without(item, fields[key]) if key in fields else item
            if keys:
                kept = {name: item[name] for name in keys if name in item}
                part = kept if part is _ABSENT else {**kept, **part}
            if part is not _ABSENT:
                elements.append(part)
        return elements or _ABSENT
    return desired


def _child(live: Any, token: str, sets: Sequence[Fields]) -> tuple[str, Any]:
    """The name in FieldsV1 of what a token leads to, and the live value there."""
    if isinstance(live, list):
        if token.isdigit() and int(token) < len(live):
            return _key_of(live[int(token)], int(token), sets), live[int(token)]
        return f"i:{token}", _ABSENT
    return f"f:{token}", live.get(token, _ABSENT) if isinstance(live, Mapping) else _ABSENT


def _key_of(item: Any, index: int, sets: Sequence[Fields]) -> str:
    """What any of these sets calls an element of a list."""
    for fields in sets:
        for key in fields:
            if key.startswith("k:") and isinstance(item, Mapping):
                if _same_keys(item, _keys_in(key)):
                    return key
            elif key.startswith("v:") and json.loads(key[2:]) == item:
                return key
    named = any(key.startswith(("k:", "v:")) for fields in sets for key in fields)
    return _NAMELESS if named else f"i:{index}"


def _same_keys(item: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    """Keys that are left out have a default, as a port's protocol."""
    return any(name in item for name in keys) and all(
        item[name] == value for name, value in keys.items() if name in item
    )


def _keys_in(key: str) -> Mapping[str, Any]:
    if not key.startswith("k:"):
        return {}
    keys: Mapping[str, Any] = json.loads(key[2:])
    return keys


def _position(elements: Sequence[Any], key: str, index: int) -> int | None:
    """Where the element of this name is; by its place where the list knows no names."""
    keys = _keys_in(key)
    if keys:
        found = (
            at for at, item in enumerate(elements) if isinstance(item, Mapping) and _same_keys(item, keys)
        )
        return next(found, None)
    if key.startswith("v:"):
        value = json.loads(key[2:])
        return next((at for at, item in enumerate(elements) if item == value), None)
    return index if key != _NAMELESS and index < len(elements) else None


def _under(node: Fields | None, key: str) -> Fields | None:
    """The set below; all of what is below a field that is owned whole."""
    if node is None or not node:
        return node
    found: Fields | None = node.get(key)
    return found


def _inside(sets: Sequence[Fields], key: str) -> tuple[Fields, ...]:
    return tuple(below for fields in sets if (below := _under(fields, key)) is not None)
