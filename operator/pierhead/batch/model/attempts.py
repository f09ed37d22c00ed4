"""Batch's own retries."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.model import Model, Rule, at_least_one

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^*]*\*?$")]
"""Text that a `*` may end, and nothing else."""


class RetryRule(Model):
    """When Batch tries an index again. Conditions given in one rule must all match."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_least_one("onStatusReason", "onReason", "onExitCode"),)

    action: Literal["Retry", "Exit"]
    """What happens when the rule matches."""

    on_status_reason: Pattern | None = None
    """Pattern for the job's statusReason; a `*` may stand at its end."""

    on_reason: Pattern | None = None
    """Pattern for the container's reason; a `*` may stand at its end."""

    on_exit_code: Annotated[str, StringConstraints(max_length=512, pattern=r"^([0-9]+\*?|\*)$")] | None = None
    """Pattern for the exit code: digits; a `*` may stand at its end."""


class Attempts(Model):
    """Batch's own retries within one round."""

    limit: Annotated[int, Field(ge=1, le=10)] | None = None
    """Most attempts of an index in one round. Defaults to 10 where `rules` are not given, so that only lost
    hosts take attempts, and else to 3."""

    rules: Annotated[list[RetryRule], Field(min_length=1, max_length=5)] | None = None
    """The first rule that matches decides; where none does, Batch tries again. Defaults to
    retry after the loss of the host (`Host EC2*`, `Your Spot Task was interrupted*`), and exit after anything
    else."""
