"""One BatchJob at one moment: what is stored, what is seen, and how both become facts and status.

Invariant: the index record is saved before any status that goes beyond it is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pierhead.aws.access import Access
from pierhead.aws.batch import BatchClient, BatchClients
from pierhead.batch.alarms import Alarms
from pierhead.batch.deciding.facts import Facts
from pierhead.batch.following.follow import Follower
from pierhead.batch.following.jobs import FailedChild, Glimpse, Interrupted, Seen
from pierhead.batch.following.poller import Followed
from pierhead.batch.gate import Gate
from pierhead.batch.identity import Identities
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.ledgers.record import IndexRecords
from pierhead.batch.limits import Limits, backoff_limit_per_index, limits_of
from pierhead.batch.memory import Memory
from pierhead.batch.metrics import RunMetrics
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.model.status import MOST_FAILURES_SHOWN, BatchJobStatus, Failure, Shard
from pierhead.batch.policies import Verdicts, judged
from pierhead.batch.report import View, status_of, with_shards, without_end
from pierhead.batch.retrying import unanswered
from pierhead.batch.state import State, Target, finished, key_of, load
from pierhead.batch.submitting.definition import spec_digest
from pierhead.batch.submitting.forms import Form
from pierhead.batch.submitting.names import JobNames
from pierhead.batch.submitting.preparation import Preparation
from pierhead.batch.submitting.requests import map_limit
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Resource
from pierhead.model import RECONCILE_AT
from pierhead.settings import Settings

_LOST_SETTLE_TIMES = 5
_LOST_POLLS = 10


@dataclass(slots=True, kw_only=True)
class Shared:
    """What all BatchJobs have in common."""

    clients: BatchClients
    identities: Identities
    preparation: Preparation
    records: IndexRecords
    follower: Follower
    alarms: Alarms
    runs: RunMetrics
    settings: Settings
    clock: Callable[[], datetime]
    leading_since: datetime
    """Before this moment another process may have submitted."""

    @property
    def settle(self) -> timedelta:
        """How long an accepted job may be invisible to a look-up by name."""
        return timedelta(seconds=self.settings.batch_settle_seconds)

    @property
    def lost_after(self) -> timedelta:
        """How long Batch may not know a job before that is believed."""
        polls = timedelta(seconds=self.settings.batch_poll_seconds) * _LOST_POLLS
        return max(self.settle * _LOST_SETTLE_TIMES, polls)


class Situation:
    """A BatchJob during one pass; steps replace `state`."""

    def __init__(
        self,
        *,
        resource: Resource,
        spec: BatchJobSpec,
        stored: BatchJobStatus,
        state: State,
        memory: Memory,
        shared: Shared,
        access: Access,
    ) -> None:
        self.resource = resource
        self.spec = spec
        self.state = state
        self.memory = memory
        self.shared = shared
        self.gate = Gate()
        self.names = JobNames.of(resource.key.namespace, resource.key.name, resource.uid)
        self.access = access
        self._stored = stored
        form = shared.preparation.form(self.access, state.job_definition)
        self._limits = _limits(spec, form, deleting=resource.deleting)

    @classmethod
    async def load(
        cls, resource: Resource, spec: BatchJobSpec, memory: Memory, shared: Shared
    ) -> "Situation":
        """Reads what is stored.

        Raises Invalid when it cannot be read, or fields were changed that cannot be.
        """
        stored = read_status(resource.status)
        if resource.deleting:
            # What ran is of no interest any more, and the record may be gone before the object.
            ledger = replace(Ledger.first(spec.completions), round=stored.round)
        else:
            ledger = await shared.records.load(resource, stored, stored.size or spec.completions)
            planned = stored.planned if stored.round == ledger.round else 0
            at_once = all(entry.type == "All" for entry in spec.depends_on or ())
            ledger = ledger.resized(spec.completions, planned, at_once=at_once)
        state = memory.overlaid(load(stored, conditions_in(resource), ledger))
        digest = spec_digest(resource.spec)
        if state.spec_digest not in {None, digest} and not resource.deleting:
            raise Invalid(
                "a field was changed that cannot be; delete the BatchJob and create it anew",
                reason="ImmutableFieldChanged",
                field="spec",
            )
        state = replace(state, spec_digest=digest)
        memory.keep_to(state)
        access = await shared.identities.of(resource, spec, stored)
        return cls(
            resource=resource,
            spec=spec,
            stored=stored,
            state=state,
            memory=memory,
            shared=shared,
            access=access,
        )

    @property
    def client(self) -> BatchClient:
        """Batch, where and as whom this BatchJob uses it."""
        return self.shared.clients.get(self.access.region, self.access.identity)

    @property
    def now(self) -> datetime:
        """The time."""
        return self.shared.clock()

    @property
    def seen(self) -> Mapping[str, Seen]:
        """The jobs as they were last seen, by id."""
        return self.shared.follower.seen(self.resource.key, self.access)

    @property
    def glimpses(self) -> Mapping[str, Glimpse]:
        """What is known about the children of running arrays, by the array's id."""
        return self.shared.follower.glimpses(self.resource.key, self.access)

    @property
    def told(self) -> IndexSet:
        """The indexes that the stored status says have succeeded, as far as its text goes."""
        return IndexSet.from_text(self._stored.completed_indexes or "", self.state.ledger.size)

    @property
    def wish(self) -> tuple[int, str]:
        """What the user asked for last."""
        return self.resource.generation, self.resource.annotations.get(RECONCILE_AT, "")

    def job_name(self, shard: Shard) -> str:
        """The name of the shard's job."""
        return self.names.job(shard.round, shard.shard)

    def indexes_of(self, shard: Shard) -> IndexSet:
        """The indexes a shard runs, in the order of its children."""
        return self.memory.indexes_of(self.state, shard)

    def followed(self, shard: Shard) -> Followed:
        """The shard as the follower knows it."""
        judged = self.spec.failure_policy is not None
        return Followed(self.job_name(shard), shard.size, judged=judged, queue=self.spec.queue)

    def follow(self) -> None:
        """Makes the open shards' jobs those that are followed."""
        jobs = {shard.job_id: self.followed(shard) for shard in self.state.open if shard.job_id}
        self.shared.follower.follow(self.resource.key, self.access, jobs)

    def facts(self) -> Facts:
        """What the next decision is made from."""
        refusal, view = self.memory.refusal, self.view()
        return Facts(
            limits=self._limits,
            state=self.state,
            now=self.now,
            settle=self.shared.settle,
            lost_after=self.shared.lost_after,
            leading_since=self.shared.leading_since,
            deleting=self.resource.deleting,
            failed=finished(conditions_in(self.resource)) is not None,
            request=unanswered(self.resource.annotations, self.state.retry),
            seen=self.seen,
            looked_up=self.memory.looked_up,
            terminated=self.memory.terminated,
            succeeded_now=view.succeeded,
            failed_now=view.failed,
            barred_now=view.barred,
            fatal=view.fatal,
            gate=self.gate,
            refused_until=refusal.until if refusal and refusal.wish == self.wish else None,
        )

    def view(self) -> View:
        """What is seen of the jobs of the open shards."""
        glimpses = self.glimpses
        succeeded, failed, barred = IndexSet(), IndexSet(), IndexSet()
        failures: list[Failure] = []
        interrupted: dict[tuple[int, int], Interrupted] = {}
        fatal: Target | None = None
        for shard in self.state.open:
            glimpse, seen = glimpses.get(shard.job_id or ""), self.seen.get(shard.job_id or "")
            if glimpse is not None or seen is not None:
                alone = Interrupted(0, seen.interruptions if seen is not None else 0)
                interrupted[key_of(shard)] = alone if glimpse is None else glimpse.interrupted
            if glimpse is None or not (glimpse.succeeded or glimpse.failed):
                continue
            indexes = self.indexes_of(shard)
            succeeded |= indexes.at_places(glimpse.succeeded)
            verdicts = judged(self.spec.failure_policy, glimpse.details)
            failed |= indexes.at_places(glimpse.failed - verdicts.ignored)
            barred |= indexes.at_places(verdicts.barred)
            fatal = fatal or self.fatal(shard, verdicts)
            failures += self.failures(shard, glimpse.details)
        return View(
            backoff_limit=backoff_limit_per_index(self.spec),
            seen=self.seen,
            succeeded=succeeded,
            failed=failed,
            barred=barred,
            fatal=fatal,
            failures=tuple(failures),
            interrupted=interrupted,
            glimpses=glimpses,
            position=self.shared.follower.position(self.resource.key, self.access),
            gate=self.gate,
        )

    def fatal(self, shard: Shard, verdicts: Verdicts) -> Target | None:
        """Why the BatchJob is to fail, if one of these failures says so."""
        failure = verdicts.fatal
        if failure is None:
            return None
        index = next(iter(self.indexes_of(shard).at_places(IndexSet.of([failure.place]))))
        code = f"with exit code {failure.exit_code}" if failure.exit_code is not None else "without exit code"
        rule = f"spec.failurePolicy.rules[{verdicts.rule}]"
        return Target("PodFailurePolicy", f"index {index} failed {code}, which is final by {rule}")

    def failures(self, shard: Shard, details: tuple[FailedChild, ...]) -> list[Failure]:
        """Failed children of a shard as failed indexes."""
        indexes = self.indexes_of(shard)
        return [
            Failure(
                index=next(iter(indexes.at_places(IndexSet.of([child.place])))),
                round=shard.round,
                exit_code=child.exit_code,
                reason=child.reason,
                status_reason=child.status_reason,
                attempts=child.attempts,
                interruptions=child.interruptions or None,
                log_group=child.log_group,
                log_stream=child.log_stream,
            )
            for child in details[:MOST_FAILURES_SHOWN]
        ]

    async def status(self, *, completion: datetime | None = None) -> dict[str, Any]:
        """The status's own fields, after saving the index record. `completion`: when all had succeeded."""
        if self.resource.deleting:
            return with_shards(self.resource.status, self.state)
        record = await self.shared.records.save(self.resource, self.state.ledger)
        return status_of(self.state, self.view(), self._stored, record, completion=completion)

    async def write(self) -> None:
        """Makes the state durable now. Raises Conflict."""
        status = await self.status()
        kept = ("conditions", "observedGeneration")
        stored = self.resource.status
        await self.resource.write_status(
            {**{name: stored[name] for name in kept if name in stored}, **status}
        )

    async def take_up(self, request: str) -> None:
        """Takes a BatchJob that is Failed up again, durably, as `request` asks. Raises Conflict.

        In one write the request is answered and the BatchJob no longer Failed: who dies before has done
        nothing, who dies after leaves one that works.
        """
        self.state = self.state.retried(request)
        self._stored = self._stored.model_copy(update={"failed_indexes": None})
        status = await self.status()
        conditions = without_end(conditions_in(self.resource))
        observed = self.resource.status.get("observedGeneration")
        await self.resource.write_status({**status, "conditions": conditions, "observedGeneration": observed})


def read_status(status: Mapping[str, Any]) -> BatchJobStatus:
    """The stored status. Raises Invalid when somebody made it unreadable."""
    try:
        return BatchJobStatus.model_validate(status)
    except ValueError:
        raise Invalid(
            "the status was changed by somebody and cannot be read; delete the BatchJob and create it anew",
            reason="StatusUnreadable",
        ) from None


def conditions_in(resource: Resource) -> list[Mapping[str, Any]]:
    """The stored conditions."""
    return list(resource.status.get("conditions") or ())


def _limits(spec: BatchJobSpec, form: Form | None, *, deleting: bool) -> Limits:
    # What is wrong with a spec is of no interest any more when the object goes.
    return Limits() if deleting else limits_of(spec, map_limit=map_limit(spec, form))
