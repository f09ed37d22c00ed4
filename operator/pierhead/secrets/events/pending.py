"""Hints that SyncedSecrets still have to look into.

Invariants: a message is done with when every look it led to has ended with a stored status, and not before;
a look answers for the hints that came before it began. The first hint is looked into at once. The next wait:
two seconds after a look that found something new, and ever longer, up to half a minute, after looks that did
not, so that no flood of events, forged ones included, buys more than a few reads a minute of an object.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pierhead.engine.queue import CallLater, Timer
from pierhead.engine.resource import ObjectKey
from pierhead.secrets.events.hint import CURRENT, Hint
from pierhead.secrets.events.index import Labelled, told_by
from pierhead.secrets.events.names import named
from pierhead.secrets.reading.references import Answers, Version

GATHER_SECONDS: Final = 2.0
"""Least time between two looks, when the first found something new: a rotation gives several events."""

LONGEST_PAUSE_SECONDS: Final = 30.0
LOOKS: Final = 5
"""How often AWS is asked for a version that an event tells of, after about 1, 2, 4 and 8 s again."""

_QUIET_SECONDS: Final = 60.0

_GRID_SECONDS: Final = 0.25
"""Looks that wait begin at multiples of this, so that objects which read the same read it together."""

WakeSince = Callable[[ObjectKey, float], None]
"""Makes an object look, at what AWS answers from that moment on."""

Served = Literal["synced", "looked", "unseen", "dropped"]
"""How a hint ended for an object: its version is in the Secret; a look has ended; AWS never showed that
version; the object is gone."""

Read = Mapping[Labelled, str | None]
"""The versions that a look has read; None for one that AWS says does not exist."""


@dataclass(slots=True)
class Look:
    """One pass over an object, as far as events are concerned."""

    hints: Collection[Hint] = ()
    """What it answers for."""

    since: float = -math.inf
    """When the newest of them came: what is read has to be asked for later."""

    read: dict[Labelled, str | None] = field(default_factory=dict)

    def saw(self, answers: Answers) -> None:
        """What the pass has read; a failure that says nothing of versions is no answer."""
        for reference, answer in answers.items():
            if reference.kind != "secret" or reference.version_id is not None:
                continue
            if isinstance(answer, Version) or answer.absent:
                found = named("secretsmanager", reference.name)
                for name in found.names if found is not None else ():
                    version_id = answer.version_id if isinstance(answer, Version) else None
                    self.read[name, reference.version_stage or CURRENT] = version_id


class Errand:
    """One message, and the looks it has led to."""

    __slots__ = ("_done", "_left", "_served")

    def __init__(self, done: Callable[[Collection[Served]], None]) -> None:
        """`done` is called once, when all looks have ended."""
        self._done = done
        self._left = 0
        self._served: set[Served] = set()

    def taken(self) -> None:
        """One more object looks into it."""
        self._left += 1

    def ended(self, served: Served) -> None:
        """One object is done with it."""
        self._left -= 1
        self._served.add(served)
        if self._left == 0:
            self._done(self._served)


@dataclass(slots=True)
class _Wanted:
    errands: list[Errand] = field(default_factory=list)
    looks: int = 0
    at: float = -math.inf
    """When the newest message came."""

    def join(self, other: "_Wanted") -> None:
        self.at = max(self.at, other.at)
        self.errands += other.errands
        self.looks = max(self.looks, other.looks)

    def end(self, served: Served) -> None:
        errands, self.errands = self.errands, []
        for errand in errands:
            errand.ended(served)


@dataclass(slots=True)
class _State:
    """One object's hints, and how fast it may look into them."""

    wanted: dict[Hint, _Wanted] = field(default_factory=dict)
    under_way: dict[Hint, _Wanted] = field(default_factory=dict)
    last: float = -math.inf
    fruitless: int = 0
    timer: Timer | None = None

    @property
    def pause(self) -> float:
        if not self.fruitless:
            return GATHER_SECONDS
        return min(2.0 ** (self.fruitless - 1), LONGEST_PAUSE_SECONDS)


class Pending:
    """The hints of all objects."""

    def __init__(self, *, clock: Callable[[], float], call_later: CallLater) -> None:
        self._clock = clock
        self._call_later = call_later
        self._wake: WakeSince = lambda _key, _since: None
        self._states: dict[ObjectKey, _State] = {}

    def start(self, wake: WakeSince) -> None:
        """Says how an object is made to look."""
        self._wake = wake

    def add(self, key: ObjectKey, hint: Hint, errand: Errand) -> None:
        """Makes an object look into a hint soon."""
        state = self._states.setdefault(key, _State())
        errand.taken()
        wanted = state.wanted.setdefault(hint, _Wanted())
        wanted.errands.append(errand)
        wanted.at = self._clock()
        self._schedule(key, state)

    def begin(self, key: ObjectKey) -> Look:
        """The look that begins now. It answers for the hints of one that was cut short, too."""
        state = self._states.get(key)
        if state is None or not (state.wanted or state.under_way):
            return Look()
        self._give_back(state)
        state.under_way, state.wanted = state.wanted, {}
        now = self._clock()
        if now - state.last > _QUIET_SECONDS:
            state.fruitless = 0
        state.last = now
        return Look(tuple(state.under_way), since=max(wanted.at for wanted in state.under_way.values()))

    def end(self, key: ObjectKey, read: Read, *, news: bool) -> None:
        """The look that began last is over, and what it found is in the stored status."""
        state = self._states.get(key)
        if state is None or not state.under_way:
            return
        state.fruitless = 0 if news else state.fruitless + 1
        under_way, state.under_way = state.under_way, {}
        for hint, wanted in under_way.items():
            served = answered(hint, read)
            wanted.looks += 1
            if served is None and wanted.looks < LOOKS:
                state.wanted.setdefault(hint, _Wanted()).join(wanted)
            else:
                wanted.end(served or "unseen")
        if state.wanted:
            self._schedule(key, state)

    def drop(self, key: ObjectKey) -> None:
        """The object is gone, or is not to look at all."""
        state = self._states.pop(key, None)
        if state is None:
            return
        if state.timer is not None:
            state.timer.cancel()
        for wanted in (*state.under_way.values(), *state.wanted.values()):
            wanted.end("dropped")

    def stop(self) -> None:
        """Nobody is woken any more, and no message is done with."""
        for state in self._states.values():
            if state.timer is not None:
                state.timer.cancel()
        self._states.clear()

    def _give_back(self, state: _State) -> None:
        for hint, wanted in state.under_way.items():
            state.wanted.setdefault(hint, _Wanted()).join(wanted)
        state.under_way = {}

    def _schedule(self, key: ObjectKey, state: _State) -> None:
        if state.timer is not None:
            return
        now = self._clock()
        wait = state.last + state.pause - now
        if wait <= 0:
            self._wake(key, now)
            return
        moment = math.ceil((now + wait) / _GRID_SECONDS) * _GRID_SECONDS

        def ring() -> None:
            state.timer = None
            for wanted in state.wanted.values():
                if wanted.looks:
                    wanted.at = moment
            self._wake(key, max((wanted.at for wanted in state.wanted.values()), default=moment))

        state.timer = self._call_later(moment - now, ring)


def answered(hint: Hint, read: Read) -> Served | None:
    """How a look that has read this ends a hint; None where AWS has not shown yet what the event tells."""
    if hint.version_id is None or hint.label is None or hint.topic != "Value":
        return "looked"
    found: Iterable[str | None] = [
        read[place] for name in hint.names if (place := (name, hint.label)) in read
    ]
    if not found:
        return "looked"
    known = {place: version for place, version in read.items() if version is not None}
    return "synced" if told_by(hint, known) else None
