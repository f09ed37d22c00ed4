"""What BatchJobs wait for, read from the cluster.

Invariant: a dependency that was ready is durable in the status before anything runs because of it, and not
looked at again: it may be gone by then. BatchJobs are read as the operator, whose kind they are, everything
else as the BatchJob's account.
"""

from dataclasses import replace
from datetime import timedelta

from pierhead.batch.gate import FAILED, Gate
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.record import IndexRecords
from pierhead.batch.model.dependencies import Dependency
from pierhead.batch.model.spec import BatchJobSpec
from pierhead.batch.situation import Situation, read_status
from pierhead.batch.state import Target, finished
from pierhead.engine.outcome import Denied, Invalid, ReconcileError
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.credentials import Identity
from pierhead.kube.dependencies import UNWATCHED_SECONDS, Dependencies, Found, Held, Waiter
from pierhead.kube.resources import BATCH_JOBS, ResourceType
from pierhead.settings import Settings


class Gates:
    """The dependencies of all BatchJobs."""

    def __init__(
        self, client: Client, dependencies: Dependencies, records: IndexRecords, settings: Settings
    ) -> None:
        self.dependencies = dependencies
        self._client = client
        self._records = records
        self._settings = settings

    async def look(self, situation: Situation) -> None:
        """Finds out what may run, and is woken when that changes.

        Raises Invalid, naming the field, for an expression that is none.
        """
        spec, state, key = situation.spec, situation.state, situation.resource.key
        entries = spec.depends_on or ()
        wanted = {number: entry for number, entry in enumerate(entries) if number not in state.met}
        if not wanted or situation.resource.deleting or state.target is not None:
            self.dependencies.forget(key)
            lacking = "nothing any more: the BatchJob has come to its end" if wanted else ""
            situation.gate = Gate(wanted=bool(entries), lacking=lacking)
            return
        self.dependencies.check(entries)
        reads = self._reader(spec, key.namespace)
        held = await self.dependencies.look(Waiter(key, BATCH_JOBS, reads), wanted)
        gate = Gate(wanted=True, error=_error(held))
        met = set(state.met)
        for number, entry in wanted.items():
            found = held.found[number]
            if not found.missing:
                met.add(number)
            elif entry.type == "NToN":
                gate = await self._by_index(gate, number, entry, found, spec.completions)
            elif found.failed:
                gate = replace(gate, failed=gate.failed or Target(FAILED, found.missing))
            else:
                gate = replace(gate, closed=True)
        if len(met) < len(entries):
            until = None if held.watched else situation.now + timedelta(seconds=UNWATCHED_SECONDS)
            gate = replace(gate, lacking=held.lacking, until=until)
        situation.gate = gate
        situation.state = replace(state, met=tuple(sorted(met)))

    def _reader(self, spec: BatchJobSpec, namespace: str) -> "_Reader":
        account = spec.service_account_name
        if account is None and namespace in self._settings.operator_identity_namespaces:
            return _Reader(self._client, self._client)
        identity = Identity(namespace, account or self._settings.default_service_account)
        return _Reader(self._client, self._client.impersonating(identity))

    async def _by_index(self, gate: Gate, number: int, entry: Dependency, found: Found, size: int) -> Gate:
        """The gate with a BatchJob that is waited for index by index."""
        ready, never, error = IndexSet(), IndexSet(), gate.error
        if found.object is not None:
            other = int((found.object.get("spec") or {}).get("completions", 1))
            if other == size:
                ready = await self._succeeded(found.object, size)
                ended = finished((found.object.get("status") or {}).get("conditions") or ()) is not None
                never = IndexSet.below(size) - ready if ended else never
            else:
                error = error or Invalid(
                    f"{entry.kind} {entry.name} has {other} completions and this BatchJob {size};"
                    " index by index both need as many",
                    reason="DependencySizesDiffer",
                    field=f"spec.dependsOn[{number}].type",
                )
        both = ready if gate.ready is None else gate.ready & ready
        return replace(gate, ready=both, never=gate.never | never, error=error)

    async def _succeeded(self, obj: Object, size: int) -> IndexSet:
        """The indexes of another BatchJob that have succeeded."""
        try:
            status = read_status(obj.get("status") or {})
        except Invalid:
            return IndexSet()
        known = IndexSet.from_text(status.completed_indexes or "", size)
        if len(known) >= status.succeeded:
            return known
        # The text in the status is cut, or does not have what was counted without being told apart.
        key = ObjectKey(obj["metadata"]["namespace"], obj["metadata"]["name"])
        ledger = await self._records.peek(key, obj["metadata"]["uid"], status)
        return known | ledger.succeeded


class _Reader:
    """As whom each resource is read."""

    def __init__(self, own: Client, account: Client) -> None:
        self._own = own
        self._account = account

    def __call__(self, resource: ResourceType) -> Client:
        return self._own if resource == BATCH_JOBS else self._account


def _error(held: Held) -> ReconcileError | None:
    if held.cycle:
        message = f"{held.cycle}; delete one of them and create it anew without the other"
        return Invalid(message, reason="DependencyCycle", field="spec.dependsOn")
    stalled = [one.missing for one in held.found.values() if one.stalled]
    return Denied("; ".join(stalled), reason="DependencyNotReadable") if stalled else None
