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

    mode: Literal["Events", "Poll", "Once"] | None = None
    """`Events`: when an event says that a secret has changed, and seldom beside that; as Poll while events do
    not arrive, or where the operator has no queue for them. `Poll`: every interval, whatever events say.
    `Once`: when the SyncedSecret changes, when its Secret has to be repaired, and when the annotation
    pierhead.dev/reconcile-at changes. Defaults to Events."""

    interval: Duration | None = None
    """Time between two reads, shortened at random by up to a tenth; while events arrive it may be longer, as
    the operator is set. Defaults to the operator's setting."""
