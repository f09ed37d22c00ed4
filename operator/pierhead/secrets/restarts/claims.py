"""Which SyncedSecrets want or watch a restart of which workload.

Invariants: this is the sum of the statuses of all SyncedSecrets, and can be built from them at any time; what
a pass over an object tells beats what a list told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from pierhead.engine.resource import Object, ObjectKey
from pierhead.secrets.model import SyncedSecretStatus
from pierhead.secrets.model.status import RestartStatus
from pierhead.secrets.restarts.plan import FAILED, ROLLING_OUT, WAITING, WorkloadKey


@dataclass(frozen=True, slots=True)
class Claim:
    """What one SyncedSecret wants of its workloads."""

    marker: str
    restarts: dict[WorkloadKey, RestartStatus] = field(default_factory=dict)

    @classmethod
    def of(cls, key: ObjectKey, marker: str, restarts: Iterable[RestartStatus]) -> "Claim":
        """The claim of an object with these open restarts."""
        return cls(marker, {WorkloadKey(key.namespace, one.kind, one.name): one for one in restarts})


class Claims:
    """The open restarts of all SyncedSecrets."""

    def __init__(self) -> None:
        self._claims: dict[ObjectKey, Claim] = {}
        self._by_workload: dict[WorkloadKey, set[ObjectKey]] = {}
        self._seen: set[ObjectKey] = set()
        self._unseen: dict[str, set[ObjectKey]] = {}

    def expect(self, key: ObjectKey, obj: Object) -> list[WorkloadKey]:
        """Takes an object that is listed, and may be invalid; returns its workloads that are rolling out."""
        spec = obj.get("spec") or {}
        if key in self._seen or not spec.get("restart") or spec.get("suspend"):
            return []
        try:
            status = SyncedSecretStatus.model_validate(obj.get("status") or {})
        except ValidationError:
            return []
        if status.observed_generation is not None:
            self._unseen.setdefault(key.namespace, set()).add(key)
        claim = Claim.of(key, status.marker or "", status.restarts or ())
        self.claim(key, claim)
        return [workload for workload, one in claim.restarts.items() if one.phase == ROLLING_OUT]

    def seen(self, key: ObjectKey) -> None:
        """A pass over the object is complete: what it has to restart is known from now on."""
        self._seen.add(key)
        self._unseen.get(key.namespace, set()).discard(key)

    def unseen(self, namespace: str) -> frozenset[ObjectKey]:
        """Objects that this process has made no complete pass over."""
        return frozenset(self._unseen.get(namespace, ()))

    def claim(self, key: ObjectKey, claim: Claim | None) -> list[WorkloadKey]:
        """Replaces what the object wants; returns the workloads that nobody has to do with any more."""
        before = self._claims.pop(key, None)
        if claim is not None and claim.restarts:
            self._claims[key] = claim
            for workload in claim.restarts:
                self._by_workload.setdefault(workload, set()).add(key)
        dropped = []
        for workload in before.restarts if before is not None else ():
            if claim is None or workload not in claim.restarts:
                holders = self._by_workload[workload]
                holders.discard(key)
                if not holders:
                    del self._by_workload[workload]
                    dropped.append(workload)
        return dropped

    def forget(self, key: ObjectKey) -> list[WorkloadKey]:
        """The object is gone, or does nothing; as `claim` with nothing."""
        self._seen.discard(key)
        self._unseen.get(key.namespace, set()).discard(key)
        return self.claim(key, None)

    def holders(self, workload: WorkloadKey) -> frozenset[ObjectKey]:
        """The objects that have an open restart of this workload."""
        return frozenset(self._by_workload.get(workload, ()))

    def marker(self, key: ObjectKey) -> str:
        """The marker that the object wants in pod templates; empty for one that wants nothing."""
        claim = self._claims.get(key)
        return claim.marker if claim is not None else ""

    def markers(self, workload: WorkloadKey) -> dict[str, str]:
        """The marker that each SyncedSecret, by name, wants in its pod template."""
        return {
            key.name: self._claims[key].marker
            for key in self.holders(workload)
            if self._claims[key].restarts[workload].phase == WAITING
        }

    def failure(self, workload: WorkloadKey, *, but: ObjectKey) -> str:
        """Why the workload's last rollout failed, as other objects tell; empty if it did not."""
        for key in sorted(self.holders(workload) - {but}):
            one = self._claims[key].restarts[workload]
            if one.phase == FAILED:
                return f"its rollout failed for SyncedSecret {key.name}: {one.message}"
        return ""
