"""Which fault strikes which call.

Invariant: deciding and counting are one step under one lock, so `times=1` strikes exactly one of many
concurrent calls. Time comes in as an argument.
"""

import itertools
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pierhead_sandbox.aws.protocol import Fault, FaultReport

_SECRET_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")


@dataclass(slots=True)
class _Armed:
    id: str
    fault: Fault
    matched: int = 0
    struck: int = 0
    tokens: float = 0
    filled_at: float = 0

    def matches(self, service: str, operation: str, resources: Iterable[str]) -> bool:
        return (
            fnmatchcase(service, self.fault.service)
            and fnmatchcase(operation, self.fault.operation)
            and (
                self.fault.resource is None
                or any(fnmatchcase(name, self.fault.resource) for name in resources)
            )
        )

    def strikes(self, now: float) -> bool:
        if self.fault.times is not None and self.struck >= self.fault.times:
            return False
        self.matched += 1
        if self.matched <= self.fault.skip or self._within_rate(now):
            return False
        self.struck += 1
        return True

    def _within_rate(self, now: float) -> bool:
        if self.fault.rate is None:
            return False
        self.tokens = min(self.fault.burst, self.tokens + (now - self.filled_at) * self.fault.rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens to one call."""

    delay_seconds: float = 0
    fault: Fault | None = None
    fault_id: str = ""


class FaultBook:
    """The faults in force, in order of creation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._numbers = itertools.count(1)

    def add(self, fault: Fault, now: float) -> str:
        """Put a fault in force; its id is for `remove`."""
        with self._lock:
            armed = _Armed(f"fault-{next(self._numbers)}", fault, tokens=fault.burst, filled_at=now)
            self._armed.append(armed)
            return armed.id

    def remove(self, fault_id: str | None = None) -> None:
        """Lift one fault, or all of them."""
        with self._lock:
            self._armed = [armed for armed in self._armed if fault_id is not None and armed.id != fault_id]

    def reports(self) -> list[FaultReport]:
        """Every fault in force, the spent ones too."""
        with self._lock:
            return [FaultReport(id=armed.id, fault=armed.fault, struck=armed.struck) for armed in self._armed]

    def strike(self, service: str, operation: str, resources: Iterable[str], now: float) -> Strike:
        """Decide one call, and count it against what strikes it."""
        names = with_inner_names(resources)
        with self._lock:
            delay, hit = 0.0, None
            for armed in self._armed:
                if hit is not None and armed.fault.effect != "none":
                    continue
                if armed.matches(service, operation, names) and armed.strikes(now):
                    delay += armed.fault.delay_seconds
                    hit = armed if armed.fault.effect != "none" else hit
            if hit is None:
                return Strike(delay)
            return Strike(delay, hit.fault, hit.id)

    def strike_member(
        self, service: str, operations: tuple[str, ...], resource: str, now: float
    ) -> Fault | None:
        """Decide one member of a bulk call: only faults that name a resource strike it."""
        names = with_inner_names([resource])
        with self._lock:
            for armed in self._armed:
                if armed.fault.resource is None or armed.fault.effect not in {"error", "stale"}:
                    continue
                covered = any(armed.matches(service, operation, names) for operation in operations)
                if covered and armed.strikes(now):
                    return armed.fault
            return None


def with_inner_names(resources: Iterable[str]) -> list[str]:
    """The names, and the name inside each ARN, with and without Secrets Manager's random suffix."""
    names = []
    for resource in resources:
        names.append(resource)
        if resource.startswith("arn:"):
            inner = resource.split(":", 5)[-1]
            name = inner.partition(":")[2] or inner
            names += [name, _SECRET_SUFFIX.sub("", name), name.rpartition("/")[2]]
    return names
