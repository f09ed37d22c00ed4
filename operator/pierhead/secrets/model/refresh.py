"""When values are read again."""

from typing import ClassVar, Literal

from pierhead.model import Duration, Model, Rule, seconds


class Refresh(Model):
    """When the values are read again."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.interval) || duration(self.interval) >= duration('1s')",
            "interval must be at least 1s",
            lambda refresh: refresh.interval is None or seconds(refresh.interval) >= 1,
        ),
    )

    mode: Literal["Poll", "Once"] | None = None
    """`Poll`: every interval. `Once`: when the SyncedSecret changes, when its Secret has to be repaired, and
    when the annotation pierhead.dev/reconcile-at changes. Defaults to Poll."""

    interval: Duration | None = None
    """Time between two reads, shortened at random by up to a tenth. Defaults to the operator's setting."""
