"""Whether a run kept its promises, judged from what Batch did and not from what pierhead says of it.

The laws: no two jobs with one name; an index is never in two jobs at a time, and never again in one after it
succeeded; one runs again only after a failure of its own that its policy forgives, or after a suspension; a
job ends before its BatchJob does, and before its object goes; every index of a Complete BatchJob succeeded;
every Failed one failed for a cause that is true; counts add up in every version that was ever stored, and at
the end they and the interval texts are the truth; conditions come in their order and stay.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pierhead.engine.resource import Object
from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.states import FINAL, Status
from support.batch_faults.stage import START, Played

_OURS = "pierhead:"
_COUNTED = frozenset({"Count", "FailJob"})


@dataclass(frozen=True)
class Run:
    """One index in one job."""

    index: int
    job: str
    begun: float
    ended: float
    """Infinite while it has not."""
    end: str
    """succeeded, failed, stopped, or open."""
    exit_code: int | None


def violations(played: Played) -> list[str]:
    """What a run broke, in words; empty when it kept everything."""
    found = [f"a bug: {text}" for text in played.bugs]
    if not played.settled:
        found.append("it never came to its end")
    if played.quiet_calls:
        found.append(f"{played.quiet_calls} calls to Batch after everything had come to its end")
    names = Counter(job.name for job in played.batch.jobs.values())
    found += [f"{count} jobs are called {name}" for name, count in names.items() if count > 1]
    for name in played.scenario.specs:
        found += [f"{name}: {text}" for text in _Judge(played, name).violations()]
    return found


class _Judge:
    """Judges one BatchJob."""

    def __init__(self, played: Played, name: str) -> None:
        self.played = played
        full = played.names[name]
        self.name = name
        self.history = [entry for entry in played.feed.history if entry[2]["metadata"]["name"] == full]
        self.last = self.history[-1][2]
        self.gone_at = next((at for at, kind, _ in self.history if kind == "DELETED"), None)
        # What is changed after the end changes nothing.
        finished = next((obj for _, _, obj in self.history if self._finish_of(obj)), self.last)
        self.spec: dict[str, Any] = finished["spec"]
        self.size: int = self.spec["completions"]
        uid = self.last["metadata"]["uid"]
        self.jobs = [job for job in played.batch.jobs.values() if job.tags["pierhead.dev/uid"] == uid]
        self.limit = self._limit()
        self.runs: dict[int, list[Run]] = defaultdict(list)
        for job in self.jobs:
            for run in _runs(job):
                self.runs[run.index].append(run)
        for runs in self.runs.values():
            runs.sort(key=lambda run: run.begun)
        self.won = {index for index, runs in self.runs.items() if runs[-1].end == "succeeded"}
        self.suspended = any(
            step.job == name and step.patch and step.patch.get("spec", {}).get("suspend")
            for step in played.scenario.steps
        )

    def violations(self) -> Iterator[str]:
        yield from self._once()
        yield from self._outlived()
        yield from self._versions()
        if not self.played.settled or (self.gone_at is not None and self._finish_of(self.last) is None):
            return
        yield from self._end()

    def _limit(self) -> int:
        limit = self.spec.get("backoffLimitPerIndex")
        if limit is None:
            limit = min(self.spec.get("backoffLimit", 0), 14)
        return int(limit)

    def _once(self) -> Iterator[str]:
        for index, runs in self.runs.items():
            failures = 0
            for before, after in itertools.pairwise(runs):
                if before.end == "succeeded":
                    yield f"index {index} runs in {after.job} though it succeeded in {before.job}"
                if before.ended > after.begun:
                    yield f"index {index} is in {after.job} while it is in {before.job}"
                action = self._action(before)
                failures += action in _COUNTED
                if action == "FailIndex" or failures > self.limit:
                    yield f"index {index} runs in {after.job} though it failed for good in {before.job}"
                if before.end == "stopped" and not self.suspended:
                    yield f"index {index} runs in {after.job} though nobody suspended {before.job}"
            if index >= self.size and not self._shrunk():
                yield f"index {index} is none of {self.size}"

    def _shrunk(self) -> bool:
        return any(obj["spec"]["completions"] != self.size for _, _, obj in self.history)

    def _action(self, run: Run) -> str:
        """What a run's end means by the failure policy; empty where it is no failure."""
        if run.end != "failed":
            return ""
        for rule in self.spec.get("failurePolicy", {}).get("rules", ()):
            if run.exit_code in rule["onExitCodes"]["values"]:
                return str(rule["action"])
        return "Count"

    def _outlived(self) -> Iterator[str]:
        """No job is alive when the BatchJob ends or goes, or begins after."""
        ended_at = next((at for at, _, obj in self.history if self._finish_of(obj)), None)
        for what, at in (("ended", ended_at), ("went", self.gone_at)):
            if at is None:
                continue
            for job in self.jobs:
                alive = job.status not in FINAL
                if alive or _ended(job) > at + 0.001 or _since(job.created_at) > at + 0.001:
                    yield f"job {job.name} is alive after the BatchJob {what} at {at:.1f}"

    def _versions(self) -> Iterator[str]:
        completed: set[int] = set()
        finished: str | None = None
        text_before, aim_before = "", ""
        for at, kind, obj in self.history:
            status = obj.get("status")
            if not status or kind == "DELETED":
                continue
            yield from _counts(at, status)
            text = status.get("completedIndexes", "")
            if text != text_before:
                told = set(_indexes(text))
                cut = text.endswith(",...")
                gone = {index for index in completed - told if not cut or index < max(told)}
                if gone:
                    yield f"at {at:.1f} indexes {_text(gone)} are not complete any more"
                early = [index for index in told - completed if not self._had_won(index, at)]
                if early:
                    yield f"at {at:.1f} {_text(set(early))} are told to be complete and are not"
                completed, text_before = told, text
            end = self._finish_of(obj)
            if finished and end != finished:
                yield f"at {at:.1f} it is {end} after it was {finished}"
            aim = _true(status, "SuccessCriteriaMet", "FailureTarget")
            if len(aim) > 1 or len(_true(status, "Complete", "Failed")) > 1:
                yield f"at {at:.1f} it has both ends"
            if aim_before and aim != [aim_before]:
                yield f"at {at:.1f} {aim_before} has gone"
            if end and aim != [{"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[end]]:
                yield f"at {at:.1f} it is {end} without its sign before"
            finished, aim_before = end or finished, aim[0] if aim else aim_before

    def _had_won(self, index: int, at: float) -> bool:
        return any(run.end == "succeeded" and run.ended <= at + 0.001 for run in self.runs.get(index, ()))

    @staticmethod
    def _finish_of(obj: Object) -> str | None:
        ends = _true(obj.get("status") or {}, "Complete", "Failed")
        return ends[0] if ends else None

    def _end(self) -> Iterator[str]:
        """What the last version says is the truth."""
        status, end = self.last.get("status", {}), self._finish_of(self.last)
        if end is None:
            yield "it has no end"
            return
        lost = status.get("lost", 0)
        reason = next(entry["reason"] for entry in status["conditions"] if entry["type"] == end)
        shortened = ",..." in status.get("completedIndexes", "") + status.get("failedIndexes", "")
        if shortened:
            # What does not fit is in the counts.
            return
        told = set(_indexes(status.get("completedIndexes", "")))
        won = {index for index in self.won if index < self.size}
        if told - won or len(won - told) > lost:
            yield f"completedIndexes says {_text(told)}, the truth is {_text(won)}"
        elif status.get("completedIndexes", "") != _text(told):
            yield f"completedIndexes is not written as Kubernetes does: {status['completedIndexes']}"
        if status["succeeded"] != len(told):
            yield f"{status['succeeded']} are said to have succeeded, of {_text(told)}"
        failed = {index for index in self.runs if index not in told and self._failed_for_good(index)}
        said = set(_indexes(status.get("failedIndexes", "")))
        if said != failed and not lost:
            yield f"failedIndexes says {_text(said)}, the truth is {_text(failed)}"
        if not lost and status["failed"] != len(failed):
            yield f"{status['failed']} are said to have failed, of {_text(failed)}"
        text = self._cause(reason, told, failed, lost)
        if text:
            yield f"it is {end} for {reason}, but {text}"

    def _failed_for_good(self, index: int) -> bool:
        actions = [self._action(run) for run in self.runs[index]]
        return "FailIndex" in actions or sum(action in _COUNTED for action in actions) > self.limit

    def _cause(self, reason: str, won: set[int], failed: set[int], lost: int) -> str:
        """Why a reason is not true; empty where it is."""
        every = set(range(self.size))
        missing = every - won - failed
        total = sum(self._action(run) not in {"", "Ignore"} for runs in self.runs.values() for run in runs)
        fatal = any(self._action(run) == "FailJob" for runs in self.runs.values() for run in runs)
        in_order = self.spec.get("order") == "Sequential"
        held = {
            "CompletionsReached": won == every,
            "SuccessPolicy": self._enough(won),
            "FailedIndexes": bool(failed) and (in_order or not missing),
            "MaxFailedIndexesExceeded": len(failed) + lost > self.spec.get("maxFailedIndexes", self.size),
            "BackoffLimitExceeded": total + lost > self.spec.get("backoffLimit", total + lost),
            "DeadlineExceeded": "activeDeadlineSeconds" in self.spec,
            "PodFailurePolicy": fatal,
            "JobsLost": lost > 0,
            "DependencyFailed": "dependsOn" in self.spec,
        }
        return "" if held[reason] else f"{_text(won)} succeeded and {_text(failed)} failed of {self.size}"

    def _enough(self, won: set[int]) -> bool:
        for rule in self.spec.get("successPolicy", {}).get("rules", ()):
            wanted = set(_indexes(rule["succeededIndexes"])) if "succeededIndexes" in rule else None
            have = won if wanted is None else won & wanted
            if len(have) >= rule.get("succeededCount", len(wanted or ())):
                return True
        return False


def _runs(job: Job) -> Iterator[Run]:
    """The indexes of a job, by the contract that its containers go by."""
    given = job.request["containerOverrides"]["environment"]
    variables = {entry["name"]: entry["value"] for entry in given}
    mapped = _indexes(variables["PIERHEAD_INDEX_MAP"]) if "PIERHEAD_INDEX_MAP" in variables else None
    first = int(variables.get("PIERHEAD_INDEX_OFFSET", 0))
    children = job.children
    for place in range(children.size):
        status = children.status(place)
        end = "open"
        if status == Status.SUCCEEDED:
            end = "succeeded"
        elif status == Status.FAILED:
            stopped = children.stops[place] or children.status_reason(place).startswith(_OURS)
            end = "stopped" if stopped else "failed"
        yield Run(
            index=first + place if mapped is None else mapped[place],
            job=job.name,
            begun=_since(job.created_at),
            ended=_since(children.stopped[place]) if status in FINAL else float("inf"),
            end=end,
            exit_code=children.exit_code(place),
        )


def _counts(at: float, status: dict[str, Any]) -> Iterator[str]:
    if "size" not in status:
        return
    parts = [status[name] for name in ("succeeded", "failed", "active", "waiting")]
    if sum(parts) != status["size"]:
        yield f"at {at:.1f} {parts} do not add up to {status['size']}"
    if sum(status["states"].values()) != status["active"]:
        yield f"at {at:.1f} {status['states']} do not add up to {status['active']}"


def _true(status: dict[str, Any], *types: str) -> list[str]:
    return [
        entry["type"]
        for entry in status.get("conditions", ())
        if entry["type"] in types and entry["status"] == "True"
    ]


def _ended(job: Job) -> float:
    return _since(max(job.children.stopped))


def _since(moment: float) -> float:
    return moment - START.timestamp()


def _indexes(text: str) -> list[int]:
    found: list[int] = []
    for part in filter(None, text.removesuffix(",...").split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _text(indexes: set[int]) -> str:
    """As Kubernetes writes `completedIndexes`."""
    parts: list[str] = []
    ascending = sorted(indexes)
    while ascending:
        first = last = ascending.pop(0)
        while ascending and ascending[0] == last + 1:
            last = ascending.pop(0)
        if last == first:
            parts.append(str(first))
        else:
            parts.append(f"{first},{last}" if last == first + 1 else f"{first}-{last}")
    return ",".join(parts)


def report(played: Played, found: list[str]) -> str:
    """What one run broke, and how it came to it."""
    lines = [f"seed {played.scenario.seed} broke:", *(f"  - {text}" for text in found[:12]), "", "The run:"]
    lines += played.trace[:400]
    return "\n".join([*lines, "", f"The scenario: {played.scenario}"])
