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
        Rule(
            "!has(self.mode) || self.mode != 'Once' || !has(self.versionSweep) || !self.versionSweep",
            "versionSweep is for what is polled, which mode Once is not",
            lambda refresh: refresh.mode != "Once" or not refresh.version_sweep,
        ),
    )

    mode: Literal["Events", "Poll", "Once"] | None = None
    """`Events`: when an event says that a secret has changed, and seldom beside that; as Poll while events do
    not arrive, or where the operator has no queue for them. `Poll`: every interval, whatever events say.
    `Once`: when the SyncedSecret changes, when its Secret has to be repaired, and when the annotation
    pierhead.dev/reconcile-at changes. Defaults to Events."""

    interval: Duration | None = None
    """Time between two reads; while events arrive it may be longer, as the operator is set. Defaults to the
    operator's setting."""

    version_sweep: bool | None = None
    """Whether to look, every interval, at a list of all secrets' versions, a hundred to a call, and to read
    only what has moved, whether events arrive or not. Needs secretsmanager:ListSecrets on `*`. The list may
    be some minutes behind. Parameters, labels other than AWSCURRENT and what is found by `find` are read as
    ever, and so is everything where the list is denied. Defaults to false."""
