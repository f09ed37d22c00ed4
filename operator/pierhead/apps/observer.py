"""What an AppRelease's next decision rests on, gathered.

Invariant: what is read here is in memory already, but for a history that changed, and for the words of Pods,
which are asked for when a wait is long or ends in failure, and then ever more seldom.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pierhead.apps.gates.approval import approval_gate, live_digest
from pierhead.apps.gates.windows import window_gate
from pierhead.apps.health.alarms import Alarms, worse
from pierhead.apps.history.release import Status
from pierhead.apps.history.secrets import StoredRevision
from pierhead.apps.hooks.progress import TEST, Verdict, selected, token
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.delivery import Health as HealthSpec
from pierhead.apps.model.delivery import Install as InstallSpec
from pierhead.apps.model.delivery import Retry as RetrySpec
from pierhead.apps.model.delivery import Rollback as RollbackSpec
from pierhead.apps.objects.cluster import ReleaseObjects
from pierhead.apps.objects.drift import contest_of
from pierhead.apps.situation import Gate, Observation, Retry
from pierhead.apps.subject import Subject
from pierhead.model import ROLLBACK_TO, seconds

PATIENCE = timedelta(seconds=20)
"""How long a wait lasts before its Pods are asked what keeps them; the next time is after twice as long."""


class Observer:
    """Gathers observations."""

    def __init__(self, objects: ReleaseObjects, alarms: Alarms, clock: Callable[[], datetime]) -> None:
        self._objects = objects
        self._alarms = alarms
        self._clock = clock

    async def recall(self, subject: Subject) -> None:
        """Reads the history, unless it is known."""
        if subject.memory.revisions is None:
            subject.memory.remember([StoredRevision.of(release) for release in await subject.history.load()])

    async def observe(self, subject: Subject, spec: AppReleaseSpec, desired: str) -> Observation:
        """Everything `decide` asks for, when the present input has this digest."""
        memory, objects = subject.memory, self._objects
        memory.rule(subject.rules)
        await self.recall(subject)
        history = tuple(stored.revision for stored in subject.revisions)
        timed = bool(history) and (history[-1].status.pending or history[-1].baking_since is not None)
        if timed and (memory.begun or (0,))[0] != history[-1].revision:
            memory.begun = (history[-1].revision, self._clock())
        health, retry = spec.health or HealthSpec(), spec.retry or RetrySpec()
        drift, order = objects.drift(subject), subject.annotations.get(ROLLBACK_TO, "")
        seen = Observation(
            desired=desired,
            history=history,
            applied=bool(history) and memory.applied == history[-1].revision,
            begun=memory.begun[1] if timed and memory.begun else None,
            health=objects.health(subject),
            drift=None if drift is None else tuple(entry.label for entry in drift),
            suspected=memory.objects is not None,
            contest=contest_of(memory.corrections, self._clock()),
            now=self._clock(),
            timeout=timedelta(seconds=seconds(health.timeout)),
            bake=timedelta(seconds=seconds(health.bake or "0s")),
            retry=Retry(retry.limit, timedelta(seconds=seconds(retry.interval))),
            roll_back_on_failure=(spec.rollback or RollbackSpec()).on_failure,
            uninstall_on_failure=(spec.install or InstallSpec()).on_failure == "Uninstall",
            hindered=bool(history) and memory.hindered == history[-1].revision,
            drift_policy=spec.drift,
            release_drift_policy=spec.drift_of_release,
            remembered=subject.remembered,
            reconcile_at=subject.reconcile_at,
            order=order,
            order_refused=memory.refused_order[1] if order == memory.refused_order[0] else "",
            hook=self._hook(subject),
            tests=_tests(subject, spec),
            ignore_test_failures=bool(spec.helm and spec.helm.test and spec.helm.test.ignore_failures),
        )
        seen = await self._explained(subject, seen) if timed else seen
        if timed or (history and history[-1].status == Status.FAILED):
            # What an alarm failed is not well again before the alarm is over.
            told = await self._alarms.health(subject, spec, since=history[-1].last_deployed)
            seen = replace(seen, health=worse(seen.health, told))
        else:
            self._alarms.forget(subject.key)
        return replace(seen, gates=self._gates(subject, spec, seen))

    def next_look(self, subject: Subject, seen: Observation) -> timedelta | None:
        """How long until the Pods of a wait are asked again; None when nobody waits for any."""
        began = self._waited_since(seen)
        if began is None or seen.health.status == "Current":
            return None
        return max(began + (subject.memory.patience or PATIENCE) - seen.now, timedelta(seconds=1))

    def _hook(self, subject: Subject) -> Verdict | None:
        """How the hook under way fares."""
        latest = subject.revisions[-1].revision if subject.revisions else None
        if latest is None or latest.hooks is None or latest.hooks.progress is None:
            return None
        return self._objects.hooks.seen(subject.key, token(latest.revision, latest.hooks.progress))

    async def _explained(self, subject: Subject, seen: Observation) -> Observation:
        """With the words of the Pods that keep it from being healthy, where it is time to ask them."""
        memory, began, latest = subject.memory, self._waited_since(seen), seen.latest
        if began is None or latest is None or seen.health.status == "Current":
            memory.told, memory.patience = {}, None
            return seen
        late = latest.status.pending and seen.now >= seen.deadline_of(latest)
        ends = seen.health.status == "Failed" or late
        waited = seen.now - began
        if ends or waited >= (memory.patience or PATIENCE):
            memory.told = await self._objects.words_of_pods(subject)
            memory.patience = max(PATIENCE, waited) * 2
        return replace(seen, health=self._objects.health(subject))

    @staticmethod
    def _waited_since(seen: Observation) -> datetime | None:
        latest = seen.latest
        if latest is None or not (seen.applied or latest.baking_since):
            return None
        if not latest.status.pending:
            return latest.baking_since
        return max(latest.last_deployed, seen.begun or latest.last_deployed)

    @staticmethod
    def _gates(subject: Subject, spec: AppReleaseSpec, seen: Observation) -> tuple[Gate, ...]:
        """What holds a new revision back now: people before windows, so that they may approve ahead."""
        approval = None
        if spec.approval == "Manual":
            live = live_digest(subject.memory.compared)
            approval = approval_gate(seen, subject.annotations, subject.plan, live=live)
        gates = (approval, window_gate(spec.windows or (), subject.annotations, seen.now))
        return tuple(gate for gate in gates if gate is not None)


def _tests(subject: Subject, spec: AppReleaseSpec) -> tuple[str, ...]:
    """The names of the test hooks that the newest revision has to pass."""
    held = subject.revisions[-1].revision.hooks if subject.revisions else None
    wanted = spec.helm.test if spec.helm is not None else None
    if held is None or wanted is None or not wanted.enabled:
        return ()
    filters = wanted.filters or ()
    return selected(
        held.names.get(TEST, {}).values(),
        include=[entry.name for entry in filters if not entry.exclude],
        exclude=[entry.name for entry in filters if entry.exclude],
    )
