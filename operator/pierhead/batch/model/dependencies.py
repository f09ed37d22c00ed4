"""What a BatchJob waits for.

Invariant: a dependency is in the BatchJob's own namespace, or has none; index by index it waits for
BatchJobs only.
"""

from typing import ClassVar, Literal

from pierhead.expressions import ExpressionText
from pierhead.model import API_VERSION, Model, Rule
from pierhead.model.scalars import APIVersion, KindName, ObjectName

MOST_DEPENDENCIES = 100


class Dependency(Model):
    """An object that must be ready before work begins; or, index by index, a BatchJob."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.type) || self.type != 'NToN' || (!has(self.ready)"
            f" && (!has(self.kind) || self.kind == 'BatchJob')"
            f" && (!has(self.apiVersion) || self.apiVersion == '{API_VERSION}'))",
            "NToN is between BatchJobs, and takes no ready",
            lambda entry: (
                entry.type != "NToN"
                or (entry.ready is None and (entry.api_version, entry.kind) == (API_VERSION, "BatchJob"))
            ),
        ),
        Rule(
            "!has(self.apiVersion) || has(self.kind)",
            "apiVersion needs a kind",
            lambda entry: "apiVersion" not in entry.given() or "kind" in entry.given(),
        ),
    )

    api_version: APIVersion = API_VERSION
    """Its apiVersion. Defaults to pierhead.dev/v1alpha1."""

    kind: KindName = "BatchJob"
    """Its kind. Defaults to BatchJob."""

    name: ObjectName
    """Its name, in the BatchJob's namespace where the kind has namespaces."""

    type: Literal["All", "NToN"] = "All"
    """All: nothing runs before it is ready. NToN: index i runs once index i of that BatchJob has succeeded;
    both have equal `completions`. Defaults to All."""

    ready: ExpressionText | None = None
    """CEL over `object` that is true when it is ready: `object.status.phase == 'Bound'`. Defaults to what
    its kind's health says: of a BatchJob and a Job that it is Complete, of others that it is there and its
    controller has finished."""
