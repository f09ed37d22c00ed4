"""Health as an AppRelease's author defines it, for kinds whose status says it in words of their own.

Invariant: pure; a check decides only about a generation that its controller has seen, and what goes wrong
in an expression is told as the object's health, never raised out of a watch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pierhead.apps.model.delivery import HealthCheck
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.expressions import Expression, Expressions
from pierhead.kube.health import health_of
from pierhead.kube.health_facts import Health, HealthStatus, in_progress, value
from pierhead.kube.inventory import Entry
from pierhead.kube.resources import split_api_version

_STATELESS = frozenset({"ConfigMap", "Secret"})


@dataclass(frozen=True, slots=True)
class Check:
    """One entry of `spec.health.checks`, ready to be used."""

    group: str
    kind: str
    name: str | None
    current: Expression
    in_progress: Expression | None
    failed: Expression | None

    def concerns(self, entry: Entry) -> bool:
        """Whether it is about this object."""
        return (entry.group, entry.kind) == (self.group, self.kind) and self.name in {None, entry.name}


def compiled_checks(wanted: Sequence[HealthCheck], expressions: Expressions) -> tuple[Check, ...]:
    """The checks. Raises Invalid, naming the field, for one that cannot be used."""
    found = []
    for index, check in enumerate(wanted):
        at = f"spec.health.checks[{index}]"
        if check.api_version == "v1" and check.kind in _STATELESS:
            raise Invalid(f"a {check.kind} is never read for its health, and has none", field=f"{at}.kind")
        group, _ = split_api_version(check.api_version)
        texts = {"current": check.current, "inProgress": check.in_progress, "failed": check.failed}
        made = {
            name: expressions.compiled(text, field=f"{at}.{name}") for name, text in texts.items() if text
        }
        found.append(
            Check(group, check.kind, check.name, made["current"], made.get("inProgress"), made.get("failed"))
        )
    return tuple(found)


def judged(obj: Object, checks: Sequence[Check]) -> Health:
    """The object's health: by the first check that is about it, else by what is known of its kind."""
    if not checks:
        return health_of(obj)
    entry = Entry.of(obj)
    check = next((check for check in checks if check.concerns(entry)), None)
    if check is None:
        return health_of(obj)
    if value(obj, "metadata", "deletionTimestamp"):
        return Health(HealthStatus.TERMINATING, "being deleted")
    generation, seen = value(obj, "metadata", "generation"), value(obj, "status", "observedGeneration")
    if isinstance(generation, int) and isinstance(seen, int) and seen < generation:
        return in_progress(f"generation {generation} is not observed yet, {seen} is")
    try:
        return _by_expressions(obj, check)
    except Invalid as error:
        return in_progress(str(error))


def _by_expressions(obj: Object, check: Check) -> Health:
    """In the order of Flux's `healthCheckExprs`."""
    if check.in_progress is not None and check.in_progress.holds(object=obj):
        return in_progress(f"in progress: {check.in_progress.text}")
    if check.failed is not None and check.failed.holds(object=obj):
        told = health_of(obj)
        said = f" ({told.message})" if told.message and told.status is not HealthStatus.CURRENT else ""
        return Health(HealthStatus.FAILED, f"failed: {check.failed.text}{said}")
    if check.current.holds(object=obj):
        return Health(HealthStatus.CURRENT, check.current.text)
    return in_progress(f"not yet {check.current.text}")
