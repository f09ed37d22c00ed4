"""The children of one job, in flat arrays; a job that is no array is one child without a parent.

Invariant: `counts` always equals the number of children in each state. A child costs some 30 bytes; only
those with more than one attempt cost an object.
"""

from array import array
from dataclasses import dataclass

from pierhead_sandbox.aws.batch.states import FINAL, STATUSES, Status

_NO_EXIT_CODE = -1
CANCELLED = 1
TERMINATED = 2


@dataclass(frozen=True, slots=True)
class Attempt:
    """One ended attempt; times in Unix seconds."""

    number: int
    started_at: float
    stopped_at: float
    exit_code: int | None
    reason: str
    status_reason: str


class Children:
    """States, times and results by index."""

    def __init__(self, size: int, created_at: float) -> None:
        self.size = size
        self.created_at = created_at
        self.states = bytearray(size)
        self.counts = [0] * len(STATUSES)
        self.counts[Status.SUBMITTED] = size
        self.stops = bytearray(size)
        self.started = array("d", bytes(8 * size))
        self.stopped = array("d", bytes(8 * size))
        self._exit_codes = array("h", [_NO_EXIT_CODE]) * size
        self._reasons = array("H", bytes(2 * size))
        self._status_reasons = array("H", bytes(2 * size))
        self._texts = [""]
        self._text_numbers = {"": 0}
        self._past: dict[int, list[Attempt]] = {}

    def status(self, index: int) -> Status:
        """State of one child."""
        return Status(self.states[index])

    def move(self, index: int, status: Status) -> None:
        """Put one child into a state."""
        self.counts[self.states[index]] -= 1
        self.states[index] = status
        self.counts[status] += 1

    def move_all(self, status: Status) -> None:
        """Put every child into a state."""
        self.states[:] = bytes([status]) * self.size
        self.counts = [0] * len(STATUSES)
        self.counts[status] = self.size

    @property
    def ended(self) -> int:
        """How many are final."""
        return self.counts[Status.SUCCEEDED] + self.counts[Status.FAILED]

    def exit_code(self, index: int) -> int | None:
        """Exit code of the last ended attempt."""
        code = self._exit_codes[index]
        return None if code == _NO_EXIT_CODE else code

    def reason(self, index: int) -> str:
        """The container's reason."""
        return self._texts[self._reasons[index]]

    def status_reason(self, index: int) -> str:
        """The job's reason."""
        return self._texts[self._status_reasons[index]]

    def explain(self, index: int, *, reason: str = "", status_reason: str = "") -> None:
        """Set both reasons."""
        self._reasons[index] = self._text_number(reason)
        self._status_reasons[index] = self._text_number(status_reason)

    def end_attempt(
        self, index: int, *, at: float, exit_code: int | None, reason: str, status_reason: str
    ) -> None:
        """Record how the current attempt ended."""
        self.stopped[index] = at
        self._exit_codes[index] = _NO_EXIT_CODE if exit_code is None else exit_code
        self.explain(index, reason=reason, status_reason=status_reason)

    def next_attempt(self, index: int) -> None:
        """Put the ended attempt aside and make room for another."""
        self._past.setdefault(index, []).append(self._last(index))
        self.started[index] = 0
        self.stopped[index] = 0
        self._exit_codes[index] = _NO_EXIT_CODE

    def attempt_number(self, index: int) -> int:
        """Number of the current or last attempt, from 1."""
        return len(self._past.get(index, ())) + 1

    def attempts(self, index: int) -> list[Attempt]:
        """Every ended attempt, the last one last; none for a child that never started."""
        found = list(self._past.get(index, ()))
        if self.states[index] in FINAL and self.started[index]:
            found.append(self._last(index))
        return found

    def _last(self, index: int) -> Attempt:
        return Attempt(
            number=self.attempt_number(index),
            started_at=self.started[index],
            stopped_at=self.stopped[index],
            exit_code=self.exit_code(index),
            reason=self.reason(index),
            status_reason=self.status_reason(index),
        )

    def _text_number(self, text: str) -> int:
        number = self._text_numbers.get(text)
        if number is None:
            # A job with more different reasons than a machine word can count is no test of anything.
            number = self._text_numbers[text] = min(len(self._texts), 0xFFFF)
            self._texts.append(text)
        return number
