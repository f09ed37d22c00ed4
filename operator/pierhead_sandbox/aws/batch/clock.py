"""The Batch's own time: the machine's, shifted; or standing still until somebody moves it.

Invariant: it never goes back, except when set free again after `freeze`, to the machine's time.
"""

import time
from collections.abc import Callable


class Clock:
    """Unix seconds."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._offset = 0.0
        self._frozen_at: float | None = None

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return self._frozen_at is not None

    def now(self) -> float:
        """The time, in Unix seconds."""
        return self._source() + self._offset if self._frozen_at is None else self._frozen_at

    def freeze(self) -> None:
        """Stop: from here only `jump` moves the clock."""
        self._frozen_at = self.now()

    def run(self) -> None:
        """Go on with the machine's seconds from where the clock stands."""
        if self._frozen_at is not None:
            self._offset = self._frozen_at - self._source()
            self._frozen_at = None

    def jump(self, to: float) -> None:
        """Move forward to a moment; a moment already past changes nothing."""
        if self._frozen_at is not None:
            self._frozen_at = max(self._frozen_at, to)
        else:
            self._offset += max(0.0, to - self.now())

    def reset(self) -> None:
        """Back to the machine's time."""
        self._offset, self._frozen_at = 0.0, None
