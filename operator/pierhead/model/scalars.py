"""Values that more than one kind's fields hold.

Invariant: each is bounded, so a rule's cost can be estimated, and its pattern means the same to the API
server (Go) and to pydantic (Rust).
"""

from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

DNSLabel = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
"""RFC 1123 label: a namespace, or a name used as one."""

DNSSubdomain = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
"""RFC 1123 subdomain: the name of most objects."""

APIVersion = Annotated[
    str, StringConstraints(min_length=2, max_length=317, pattern=r"^([a-z0-9.-]+/)?v[a-z0-9]+$")
]
"""`v1`, or a group and a version: `apps/v1`."""

KindName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[^/%]+$")]
"""The name of an object of any kind: some, as those of RBAC, may hold what others may not."""

Duration = Annotated[
    str, StringConstraints(min_length=2, max_length=32, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$")
]
"""Go's duration text, such as `90s` or `1h30m`."""

DEEPEST = 100
"""Levels of a `FreeForm` value; what is nested deeper is no configuration, and costs whoever walks it."""


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for held in level
            for item in (held.values() if isinstance(held, dict) else held)
            if isinstance(item, dict | list)
        ]
        if not level:
            return value
    raise ValueError(f"nested more than {DEEPEST} levels deep")


FreeForm = Annotated[dict[str, Any], AfterValidator(_bounded)]
"""Any JSON object, kept as written: Helm values, a merge patch."""

KubernetesObject = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        }
    ),
]
"""A whole object of any kind, kept as written; the API server asks for its apiVersion and kind."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float:
    """The length of a `Duration` in seconds.

    Raises ValueError when the text is not a duration.
    """
    total, number, position = 0.0, "", 0
    while position < len(duration):
        character = duration[position]
        if character.isdigit() or character == ".":
            number += character
            position += 1
            continue
        unit = "ms" if duration.startswith("ms", position) else character
        if unit not in _SECONDS or not number:
            raise ValueError(f"not a duration: {duration!r}")
        total += float(number) * _SECONDS[unit]
        number = ""
        position += len(unit)
    if number or not duration:
        raise ValueError(f"not a duration: {duration!r}")
    return total
