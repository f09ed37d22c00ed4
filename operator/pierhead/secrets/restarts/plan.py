"""Which restarts are open, and what is next for each. Pure: no clock, no I/O.

Invariants: a change of values opens one restart of each workload, and another change before it was carried
out adds none; a restart is closed only when its rollout is over or there is nothing to roll out. All of it is
in the status, so a process that dies leaves it to the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pierhead.kube.health_facts import Health, HealthStatus
from pierhead.model import seconds
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.model.limits import RESTART_MESSAGE_LIMIT
from pierhead.secrets.model.restart import Workload
from pierhead.secrets.model.status import RestartStatus

WAITING: Final = "Waiting"
ROLLING_OUT: Final = "RollingOut"
FAILED: Final = "Failed"

TO_FIND: Final = ("Workloads", "*")
"""Kind and name of the entry for workloads that are still to be found."""

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, order=True)
class WorkloadKey:
    """One workload of one namespace."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Restarts = list[RestartStatus] | None


def renewed(stored: Sequence[RestartStatus] | None, lines: Sequence[Workload], *, now: datetime) -> Restarts:
    """The restarts after a change of values: all workloads, each from the first change that is still open.

    Lines without a name become one entry for the workloads that are to be found. A workload whose rollout
    failed is restarted all the same: the new values may be what it lacked.
    """
    since = now.astimezone(UTC).strftime(_TIME)
    found: dict[tuple[str, str], RestartStatus] = {
        (line.kind, line.name): RestartStatus(kind=line.kind, name=line.name, phase=WAITING, since=since)
        for line in lines
        if line.kind and line.name
    }
    if any(line.name is None for line in lines):
        found[TO_FIND] = RestartStatus(kind=TO_FIND[0], name=TO_FIND[1], phase=WAITING, since=since)
    for one in stored or ():
        if not named(one, lines):
            continue
        found[one.kind, one.name] = RestartStatus(
            kind=one.kind,
            name=one.name,
            phase=WAITING,
            since=one.since if one.phase == WAITING else since,
            despite_failure=True if one.phase == FAILED else one.despite_failure,
        )
    return list(found.values()) or None


def answered(
    stored: SyncedSecretStatus, spec: SyncedSecretSpec, *, generation: int, asked: bool
) -> SyncedSecretStatus:
    """The status without restarts that the spec does not name, and without failures that somebody answered.

    A failure is answered by a change of the spec or of the annotation that asks for a reconcile; `asked`:
    whether that has changed. It also has workloads restarted whose rollout failed for another SyncedSecret.
    """
    found = []
    for one in stored.restarts or ():
        if not named(one, spec.restart or ()):
            continue
        if one.phase == FAILED and (asked or one.generation != generation):
            continue
        despite = True if asked and one.phase == WAITING else one.despite_failure
        found.append(one.model_copy(update={"despite_failure": despite}))
    return stored.model_copy(update={"restarts": found or None})


def named(restart: RestartStatus, lines: Iterable[Workload]) -> bool:
    """Whether the spec still asks for this restart, as far as names tell: others were found by a line."""
    kind = restart.kind
    return any(
        (line.kind, line.name) == (kind, restart.name)
        if line.name is not None
        else kind == TO_FIND[0] or line.kind in {None, kind}
        for line in lines
    )


def window_of(spec: SyncedSecretSpec, default: float) -> float:
    """Seconds from the first change to the restart."""
    policy = spec.restart_policy
    return seconds(policy.window) if policy is not None and policy.window is not None else default


def seconds_left(restart: RestartStatus, window: float, now: datetime) -> float:
    """Until its window ends; never longer than the window, whatever became of the clock."""
    since = datetime.strptime(restart.since, _TIME).replace(tzinfo=UTC)
    return max(0.0, min(window, window - (now - since).total_seconds()))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else decides whether a restart may be carried out."""

    seconds_left: float
    """Until its window ends."""

    others_unknown: bool
    """Whether there are SyncedSecrets of the namespace whose changes this process cannot know of yet."""

    failed_before: str
    """A workload of the same SyncedSecret whose rollout failed, with why; empty for none."""

    failed_itself: str
    """Another SyncedSecret's restart of this workload that failed, with why; empty for none."""

    under_way: int
    """Rollouts of the same SyncedSecret."""

    most_under_way: int | None


def obstacle(restart: RestartStatus, around: Surroundings) -> str:
    """Why this restart has to wait, beside the limits of the operator; empty when it has not."""
    if around.seconds_left > 0:
        return "waits for further changes"
    if around.others_unknown:
        return "waits until the other SyncedSecrets of the namespace have been looked at"
    if around.failed_before:
        return f"waits because {around.failed_before}"
    if around.failed_itself and not restart.despite_failure:
        return f"waits because {around.failed_itself}"
    if around.most_under_way is not None and around.under_way >= around.most_under_way:
        return "waits for a rollout before it, as spec.restartPolicy.maxConcurrent asks"
    return ""


def judged(restart: RestartStatus, health: Health, *, stuck: str, generation: int) -> RestartStatus | None:
    """A restart that was carried out, after a look at its workload; None when it is over.

    `stuck`: why the rollout has failed although the workload does not say so; empty if it has not.
    """
    if health.status in {HealthStatus.CURRENT, HealthStatus.NOT_FOUND, HealthStatus.TERMINATING}:
        return None
    if health.status is HealthStatus.FAILED or stuck:
        return restart.model_copy(
            update={
                "phase": FAILED,
                "message": shortened(stuck or health.message),
                "generation": generation,
            }
        )
    return restart


def shortened(text: str) -> str:
    """A message as long as the status takes."""
    return text if len(text) <= RESTART_MESSAGE_LIMIT else f"{text[: RESTART_MESSAGE_LIMIT - 1]}…"
