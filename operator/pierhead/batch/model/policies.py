"""When a failure counts, and when enough has succeeded.

Both follow the policies of a Kubernetes Job (`podFailurePolicy`, `successPolicy`; Kubernetes API reference),
with Batch's reasons in the place of Pod conditions.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.batch.ledgers.intervals import parse
from pierhead.batch.model.attempts import Pattern
from pierhead.model import ListSet, Model, Rule, at_least_one

MOST_RULES = 20
MOST_EXIT_CODES = 255
MOST_COMPLETIONS = 1_000_000
"""Indexes of one BatchJob."""

IntervalText = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=8192, pattern=r"^[0-9]{1,7}(-[0-9]{1,7})?(,[0-9]{1,7}(-[0-9]{1,7})?)*$"
    ),
]


class ExitCodes(Model):
    """Which exit codes match."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.operator != 'In' || !(0 in self.values)",
            "values must not have 0 with In: it is no failure",
            lambda codes: codes.operator != "In" or 0 not in codes.values,
        ),
    )

    operator: Literal["In", "NotIn"]
    """`In`: the exit code is one of the values. `NotIn`: it is another one. Without an exit code neither is
    true."""

    values: Annotated[list[Annotated[int, Field(ge=0, le=255)]], ListSet()] = Field(
        min_length=1, max_length=MOST_EXIT_CODES
    )
    """The exit codes."""


class FailureRule(Model):
    """What one kind of failure means. Conditions given in one rule must all match."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_least_one("onExitCodes", "onReason", "onStatusReason"),)

    action: Literal["FailJob", "FailIndex", "Ignore", "Count"]
    """`FailJob`: the BatchJob fails, and what runs is terminated. `FailIndex`: the index does not run again.
    `Ignore`: the index runs again, and nothing is counted. `Count`: as without a rule, it counts towards
    the limits."""

    on_exit_codes: ExitCodes | None = None
    """By the container's exit code."""

    on_reason: Pattern | None = None
    """By the container's reason; a `*` may stand at its end."""

    on_status_reason: Pattern | None = None
    """By the job's statusReason, such as `Host EC2*` where the host was lost; a `*` may stand at its end."""


class FailurePolicy(Model):
    """What failures mean once Batch has given an index up in a round."""

    rules: list[FailureRule] = Field(min_length=1, max_length=MOST_RULES)
    """The first rule that matches decides; where none does, the failure counts."""


class SuccessRule(Model):
    """Which indexes are enough."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_least_one("succeededIndexes", "succeededCount"),)

    succeeded_indexes: IntervalText | None = None
    """Indexes, as `1,3-5`, that have to succeed; with `succeededCount` so many of them. Defaults to any."""

    succeeded_count: Annotated[int, Field(ge=1, le=MOST_COMPLETIONS)] | None = None
    """How many indexes have to succeed. Defaults to all of `succeededIndexes`."""


class SuccessPolicy(Model):
    """When the BatchJob is Complete before every index has succeeded: what still runs is terminated."""

    rules: list[SuccessRule] = Field(min_length=1, max_length=MOST_RULES)
    """One rule that holds is enough."""


def fault_of(text: str, completions: int) -> str:
    """Why an interval text is none of indexes below `completions`, in ascending order; empty if it is one."""
    last = -1
    for part in text.split(","):
        first, _, end = part.partition("-")
        low, high = int(first), int(end or first)
        if high < low or low <= last:
            return f"{part} is out of order: indexes ascend"
        if high >= completions:
            return f"{part} goes beyond the last index, which is {completions - 1}"
        last = high
    return "" if parse(text, completions) else "it has no index"
