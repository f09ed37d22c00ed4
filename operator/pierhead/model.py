"""What the models of all kinds share.

Invariant: a field docstring is the field's description in the CRD, so `kubectl explain` and the code
never differ; an unknown field is an error, as it is with the API server's strict validation. Defaults
live in code and in the description, never in the schema: a stored spec stays as its author wrote it.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

GROUP = "pierhead.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "pierhead"
FINALIZER = f"{GROUP}/cleanup"
RECONCILE_AT = f"{GROUP}/reconcile-at"
"""Annotation whose change forces a reconcile."""


class Model(BaseModel):
    """A part of a custom resource: snake_case in Python, camelCase in YAML, nothing unknown."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )


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

Duration = Annotated[
    str, StringConstraints(min_length=2, max_length=32, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$")
]
"""Go's duration text, such as `90s` or `1h30m`."""

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
