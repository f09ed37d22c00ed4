"""Batch's limits on sizes, counted as AWS counts them.

Invariant: what is within these limits here is within them at AWS. Source: AWS Batch user guide, "Service
quotas"; Amazon ECS API reference, RunTask, on overrides.
"""

import json
from typing import Any, Final

from pierhead.engine.outcome import Invalid

DEFINITION_LIMIT: Final = 24 * 1024
"""Bytes of a RegisterJobDefinition request."""

REQUEST_LIMIT: Final = 30 * 1024
"""Bytes of a SubmitJob request."""

OVERRIDES_LIMIT: Final = 8192
"""Characters of the overrides of a task as JSON. Above it the job fails, without an error of the API."""


def length(value: Any) -> int:
    """The length on the wire: boto3 writes JSON as this does, other than ASCII escaped."""
    return len(json.dumps(value))


def refuse_above(limit: int, value: Any, what: str, *, field: str) -> None:
    """Raises Invalid, with this field at fault, when the value is longer."""
    found = length(value)
    if found > limit:
        unit = "characters" if limit == OVERRIDES_LIMIT else "bytes"
        raise Invalid(
            f"{what} made of it has {found} {unit}, more than the {limit} that Batch takes;"
            " move what is long, such as variables or the command, into the image or an object in S3",
            reason="TemplateTooLarge",
            field=field,
        )
