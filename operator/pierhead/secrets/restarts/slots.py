"""How many rollouts are under way, and whose turn is next.

Invariants: no more rollouts are begun than the limits allow, in all and in a namespace; nobody who waits is
passed over by somebody who came later in the same namespace, and a namespace with fewer rollouts goes first.
What repairs a failed rollout goes before all others.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pierhead.secrets.restarts.plan import WorkloadKey

_CLAIM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Wish:
    repairs: bool
    since: str
    number: int


class Slots:
    """The rollouts that SyncedSecrets have started, and those that wait to be."""

    def __init__(
        self,
        *,
        most: int,
        most_in_namespace: int,
        clock: Callable[[], float],
        turn: Callable[[WorkloadKey], None],
    ) -> None:
        """`turn` is told whose turn has come; it has a minute to `take` its slot."""
        self._most = most
        self._most_in_namespace = most_in_namespace
        self._clock = clock
        self._turn = turn
        self._taken: set[WorkloadKey] = set()
        self._given: dict[WorkloadKey, float] = {}
        self._wishes: dict[WorkloadKey, _Wish] = {}
        self._number = 0

    def taken(self, workload: WorkloadKey) -> bool:
        """Whether a rollout of this workload is under way."""
        return workload in self._taken

    def occupy(self, workload: WorkloadKey) -> None:
        """A rollout that is under way already, whatever the limits say."""
        self._taken.add(workload)

    def take(self, workload: WorkloadKey, since: str, *, repairs: bool = False) -> bool:
        """Whether a rollout of it may begin now; if not, it waits its turn from now on.

        One that is under way may always begin anew.
        """
        if workload in self._taken:
            return True
        if workload not in self._wishes:
            self._number += 1
            self._wishes[workload] = _Wish(repairs, since, self._number)
        self._give(but=workload)
        if workload not in self._given:
            return False
        del self._given[workload], self._wishes[workload]
        self._taken.add(workload)
        return True

    def release(self, workload: WorkloadKey) -> None:
        """The rollout is over, or not wanted any more: the next one's turn."""
        self._taken.discard(workload)
        self._given.pop(workload, None)
        self._wishes.pop(workload, None)
        self._give()

    def _give(self, but: WorkloadKey | None = None) -> None:
        """Gives what is free to those who wait, the best claim first, and tells them, `but` for one."""
        now = self._clock()
        for late in [one for one, until in self._given.items() if until <= now and one != but]:
            # Who did not come has to ask again.
            del self._given[late], self._wishes[late]
        while True:
            held = Counter(one.namespace for one in (*self._taken, *self._given))
            waiting = [
                one
                for one in self._wishes
                if one not in self._given
                and held.total() < self._most
                and held[one.namespace] < self._most_in_namespace
            ]
            if not waiting:
                return
            best = min(waiting, key=lambda one: self._rank(one, held))
            self._given[best] = now + _CLAIM_SECONDS
            if best != but:
                self._turn(best)

    def _rank(self, workload: WorkloadKey, held: Counter[str]) -> tuple[bool, int, str, int]:
        wish = self._wishes[workload]
        return not wish.repairs, held[workload.namespace], wish.since, wish.number
