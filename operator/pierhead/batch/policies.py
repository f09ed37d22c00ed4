"""What failures mean, and whether enough has succeeded. Pure.

Invariant: the first rule that matches a failure decides, as in a Job's podFailurePolicy; a failure that
nothing is known about matches no rule. Source: Kubernetes API reference, Job.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pierhead.batch.following.jobs import FailedChild
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.model.policies import FailurePolicy, FailureRule, SuccessPolicy, fault_of
from pierhead.engine.outcome import Invalid

Meaning = Literal["FailJob", "FailIndex", "Ignore", "Count"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One rule of a success policy."""

    indexes: IndexSet | None
    """None: any."""
    count: int

    def met(self, succeeded: IndexSet) -> bool:
        """Whether these are enough."""
        return len(succeeded if self.indexes is None else succeeded & self.indexes) >= self.count


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the failures of one job mean, by place."""

    fatal: FailedChild | None = None
    """One that fails the whole BatchJob."""
    rule: int = 0
    """The rule that says so."""
    barred: IndexSet = field(default_factory=IndexSet)
    """Not to run again."""
    ignored: IndexSet = field(default_factory=IndexSet)
    """Not to be counted."""


def judged(policy: FailurePolicy | None, failures: Iterable[FailedChild]) -> Verdicts:
    """What these failures mean."""
    if policy is None:
        return Verdicts()
    fatal, number = None, 0
    places: dict[Meaning, list[int]] = {"FailIndex": [], "Ignore": []}
    for failure in failures:
        at, meaning = meaning_of(policy.rules, failure)
        if meaning == "FailJob" and fatal is None:
            fatal, number = failure, at
        elif meaning in places:
            places[meaning].append(failure.place)
    return Verdicts(fatal, number, IndexSet.of(places["FailIndex"]), IndexSet.of(places["Ignore"]))


def meaning_of(rules: Sequence[FailureRule], failure: FailedChild) -> tuple[int, Meaning]:
    """The number of the first rule that matches, and what it says; without one it counts."""
    for number, rule in enumerate(rules):
        if _matches(rule, failure):
            return number, rule.action
    return len(rules), "Count"


def criteria_of(policy: SuccessPolicy | None, completions: int) -> tuple[Criterion, ...]:
    """The rules of a success policy. Raises Invalid for one that can never hold, naming the field."""
    criteria = []
    for number, rule in enumerate(policy.rules if policy is not None else ()):
        field_path = f"spec.successPolicy.rules[{number}]"
        indexes = None
        if rule.succeeded_indexes is not None:
            fault = fault_of(rule.succeeded_indexes, completions)
            if fault:
                raise Invalid(fault, field=f"{field_path}.succeededIndexes")
            indexes = IndexSet.from_text(rule.succeeded_indexes, completions)
        most = completions if indexes is None else len(indexes)
        count = most if rule.succeeded_count is None else rule.succeeded_count
        if count > most:
            raise Invalid(
                f"{count} indexes can never succeed: there are {most}", field=f"{field_path}.succeededCount"
            )
        criteria.append(Criterion(indexes, count))
    return tuple(criteria)


def _matches(rule: FailureRule, failure: FailedChild) -> bool:
    codes = rule.on_exit_codes
    if codes is not None:
        if failure.exit_code is None:
            return False
        if (failure.exit_code in codes.values) != (codes.operator == "In"):
            return False
    return _fits(rule.on_reason, failure.reason) and _fits(rule.on_status_reason, failure.status_reason)


def _fits(pattern: str | None, text: str | None) -> bool:
    """As Batch matches: regardless of case, and a `*` at the end stands for anything."""
    if pattern is None:
        return True
    if text is None:
        return False
    wanted, found = pattern.lower(), text.lower()
    return found.startswith(wanted[:-1]) if wanted.endswith("*") else found == wanted
