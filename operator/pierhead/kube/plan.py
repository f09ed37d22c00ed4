"""What an apply would do, found by dry runs: nothing is written here.

Invariant: every object is tried and every refusal collected; an object that is as it should be is told from
one that would change without another request. An object that cannot be tried because it needs another one
of the same plan that does not exist yet is left to the apply, with the reason.

An object exists or not by the dry run's status code. It would change if the dry run moved the time of our
entry in managedFields, which moves whenever an apply adds, changes or removes a field of ours (documented at
metav1.ManagedFieldsEntry). A time within two seconds of the dry run, by the API server's clock, may be an
earlier apply's: then the object is taken to change, which costs a write that changes nothing, or is read
where the caller wants to know.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pierhead.engine.outcome import Invalid, ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.answers import ApplyAnswer
from pierhead.kube.bounded import CONCURRENCY, gathered
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import NotFound, Rejected, UnknownKind
from pierhead.kube.failures import Failure, combined
from pierhead.kube.inventory import Entry
from pierhead.kube.needs import Providers, needs_of
from pierhead.kube.objects import changed_paths, digest, flattened, prepared
from pierhead.kube.resources import ResourceType
from pierhead.model import FIELD_MANAGER

_RECENT = timedelta(seconds=2)
_TRIES = 3


class Action(StrEnum):
    """What the apply of one object will do."""

    CREATE = "Create"
    UPDATE = "Update"
    NOTHING = "Nothing"
    UNTRIED = "Untried"
    REPLACE = "Replace"
    """Delete the object at `Step.uid`, and create it anew: whoever planned it was told to."""


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier apply left: these bytes were applied, and then the object was at this version."""

    digest: str
    resource_version: str
    claim: str = ""
    """Fingerprint of the fields we owned then."""


@dataclass(frozen=True, slots=True)
class Step:
    """One object of a plan."""

    entry: Entry
    object: Object
    """As it will be sent."""
    resource: ResourceType | None
    """None for a kind that is not served yet."""
    digest: str
    action: Action
    why: str = ""
    """Why it could not be tried."""
    answer: Object | None = field(default=None, repr=False)
    """What the dry run would make of the object; for NOTHING that is the live object. None if not asked."""
    live: Object | None = field(default=None, repr=False)
    """The live object, where what would change was asked for."""
    changes: tuple[str, ...] = ()
    """JSON pointers that would change, where they were asked for."""
    resource_version: str = ""
    """The live object's version, where it is known."""
    claim: str = ""
    """For NOTHING that needed no request: as it was known."""
    uid: str = ""
    """For REPLACE: the object to delete."""
    once: bool = False
    """Created where absent, and never changed: another's object of the name is left as it is."""
    basis: str = ""
    """Digest of what the object was made of, where that is more than itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do. Apply it only if there are no failures."""

    steps: tuple[Step, ...]
    failures: tuple[Failure, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The objects, as an inventory."""
        return tuple(sorted(step.entry for step in self.steps))

    def error(self) -> ReconcileError | None:
        """One error that tells every failure; None when there are none."""
        return combined(self.failures)


async def plan(
    client: Client,
    discovery: Discovery,
    objects: Iterable[Object],
    *,
    namespace: str | None = None,
    known: Mapping[Entry, Known] | None = None,
    version_of: Callable[[Entry], str | None] = lambda _entry: None,
    explain: bool = False,
    dry_run: bool = True,
    field_manager: str = FIELD_MANAGER,
    concurrency: int = CONCURRENCY,
) -> Plan:
    """Tries all objects. Never raises for what one of them causes: that is a failure of the plan.

    `namespace` is for objects that name none. An object that `known` has at the version `version_of` sees
    (from a watch) costs no request. `explain` finds what would change, at one more request for each object
    that would. Without `dry_run` nothing is asked and every object is left to the apply.
    """
    planner = _Planner(client, discovery, namespace, known or {}, version_of, explain, field_manager)
    drafts = await planner.drafts(flattened(objects))
    if dry_run:
        await planner.try_all(drafts, concurrency)
    else:
        planner.steps = {draft.entry: draft.step(Action.UNTRIED) for draft in drafts}
    steps = (planner.steps.get(draft.entry) for draft in drafts)
    return Plan(tuple(step for step in steps if step), tuple(planner.failures))


@dataclass(slots=True)
class _Draft:
    """An object before it is tried."""

    entry: Entry
    object: Object
    resource: ResourceType | None
    digest: str

    def step(self, action: Action, **known: Any) -> Step:
        return Step(self.entry, self.object, self.resource, self.digest, action, **known)


class _Planner:
    """One plan in the making."""

    def __init__(
        self,
        client: Client,
        discovery: Discovery,
        namespace: str | None,
        known: Mapping[Entry, Known],
        version_of: Callable[[Entry], str | None],
        explain: bool,
        field_manager: str,
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._namespace = namespace
        self._known = known
        self._version_of = version_of
        self._explain = explain
        self._field_manager = field_manager
        self.steps: dict[Entry, Step] = {}
        self.failures: list[Failure] = []

    async def drafts(self, objects: Iterable[Object]) -> list[_Draft]:
        """The objects with their resources, each once; failures for those that cannot be sent."""
        given = list(objects)
        providers = Providers(given)
        drafts: dict[Entry, _Draft] = {}
        for obj in given:
            try:
                draft = await self._draft(obj, providers)
            except ReconcileError as error:
                self.failures.append(Failure(obj, error))
                continue
            if draft.entry in drafts:
                self.failures.append(Failure(obj, Invalid("the same object is given twice")))
            drafts[draft.entry] = draft
        return list(drafts.values())

    async def _draft(self, obj: Object, providers: Providers) -> _Draft:
        if not obj.get("apiVersion") or not obj.get("kind") or not (obj.get("metadata") or {}).get("name"):
            raise Invalid("an object needs apiVersion, kind and metadata.name")
        try:
            resource = await self._discovery.resource_for(obj["apiVersion"], obj["kind"])
        except UnknownKind:
            promised = providers.resource(obj)
            if promised is None:
                raise
            made = prepared(obj, promised, namespace=self._namespace)
            return _Draft(Entry.of(made), made, None, digest(made))
        made = prepared(obj, resource, namespace=self._namespace)
        return _Draft(Entry.of(made), made, resource, digest(made))

    async def try_all(self, drafts: Sequence[_Draft], concurrency: int) -> None:
        """Tries what others need before those others."""
        objects = {draft.entry: draft.object for draft in drafts}
        needs = {draft.entry: needs_of(draft.object, objects) - {draft.entry} for draft in drafts}
        waiting = list(drafts)
        while waiting:
            left = {draft.entry for draft in waiting}
            wave = [draft for draft in waiting if not needs[draft.entry] & left]
            # Objects that need each other cannot be ordered; then all are tried as they are.
            wave = wave or waiting
            await gathered((self._try(draft, needs[draft.entry]) for draft in wave), concurrency)
            waiting = [draft for draft in waiting if draft.entry not in {done.entry for done in wave}]

    async def _try(self, draft: _Draft, needs: Collection[Entry]) -> None:
        missing = sorted(entry for entry in needs if self._comes_later(entry))
        if missing or draft.resource is None:
            why = f"needs {missing[0].label}, which comes first" if missing else "its kind is new"
            self.steps[draft.entry] = draft.step(Action.UNTRIED, why=why)
            return
        try:
            self.steps[draft.entry] = await self._tried(draft, draft.resource)
        except Rejected as error:
            if "does not support dry run" not in error.message:
                self.failures.append(Failure(draft.object, error))
                return
            self.steps[draft.entry] = draft.step(Action.UNTRIED, why=error.message)
        except ReconcileError as error:
            self.failures.append(Failure(draft.object, error))

    def _comes_later(self, entry: Entry) -> bool:
        """Whether who needs this object cannot be tried: it is not there, or a CRD not yet as it will be."""
        step = self.steps.get(entry)
        if step is None:
            return True
        if entry.kind == "CustomResourceDefinition":
            return step.action is not Action.NOTHING
        return step.action in {Action.CREATE, Action.UNTRIED}

    async def _tried(self, draft: _Draft, resource: ResourceType) -> Step:
        before = self._known.get(draft.entry)
        if before is not None and before.digest == draft.digest:
            version = self._version_of(draft.entry)
            if version == before.resource_version:
                return draft.step(Action.NOTHING, resource_version=version, claim=before.claim)
        for _ in range(_TRIES):
            answer = await self._client.apply_answer(
                resource, draft.object, dry_run=True, field_manager=self._field_manager
            )
            if answer.created:
                return draft.step(Action.CREATE, answer=answer.object)
            step = self._told(draft, answer) or await self._compared(draft, resource, answer)
            if step is not None:
                return step
        return draft.step(Action.UPDATE, answer=answer.object)

    def _told(self, draft: _Draft, answer: ApplyAnswer) -> Step | None:
        """What the dry run alone tells; None where the live object has to be read."""
        owns = _moved_at(answer.object, self._field_manager) is not None
        changing = lately_changed(answer, self._field_manager)
        if not owns or (changing and self._explain):
            return None
        # An apply that only takes or leaves the ownership of a value moves no time.
        before = self._known.get(draft.entry)
        claims = before is not None and before.claim not in {"", claim_of(answer.object, self._field_manager)}
        action = Action.UPDATE if changing or claims else Action.NOTHING
        version = answer.object["metadata"].get("resourceVersion", "")
        return draft.step(action, answer=answer.object, resource_version=version)

    async def _compared(self, draft: _Draft, resource: ResourceType, answer: ApplyAnswer) -> Step | None:
        """What the live object tells; None when it moved on since the dry run and the two differ."""
        metadata = draft.object["metadata"]
        try:
            live = await self._client.get(resource, metadata["name"], metadata.get("namespace"))
        except NotFound:
            return draft.step(Action.CREATE, answer=answer.object)
        changes = changed_paths(live, answer.object)
        version = live["metadata"].get("resourceVersion", "")
        if changes and version != answer.object["metadata"].get("resourceVersion", ""):
            return None
        claims = {claim_of(obj, self._field_manager) for obj in (live, answer.object)}
        action = Action.UPDATE if changes or len(claims) > 1 else Action.NOTHING
        held = live if action is Action.NOTHING else answer.object
        shown = live if self._explain and changes else None
        return draft.step(action, answer=held, live=shown, changes=changes, resource_version=version)


def lately_changed(answer: ApplyAnswer, field_manager: str) -> bool:
    """Whether our fields may have been changed by this very apply, dry run or not.

    The time is set before admission webhooks are asked, and the date after them.
    """
    moved_at = _moved_at(answer.object, field_manager)
    if moved_at is None or answer.date is None:
        return moved_at is not None
    return answer.date - moved_at < _RECENT + timedelta(seconds=answer.seconds)


def _moved_at(obj: Object, field_manager: str) -> datetime | None:
    """When an apply of ours last changed the object; None where we own no field."""
    time = _ours(obj, field_manager).get("time")
    return datetime.fromisoformat(time) if time else None


def claim_of(obj: Object, field_manager: str) -> str:
    """Fingerprint of the fields we own."""
    return digest({"fields": _ours(obj, field_manager).get("fieldsV1")})


def _ours(obj: Object, field_manager: str) -> Mapping[str, Any]:
    for entry in obj["metadata"].get("managedFields") or ():
        applied = entry.get("manager") == field_manager and entry.get("operation") == "Apply"
        if applied and not entry.get("subresource"):
            found: Mapping[str, Any] = entry
            return found
    return {}
