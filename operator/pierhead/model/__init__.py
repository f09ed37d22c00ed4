"""What the models of all kinds share, and how a kind describes itself.

Invariant: a field docstring is the field's description in the CRD, so `kubectl explain` and the code
never differ. Defaults live in code and in the description, never in the schema: a stored spec stays as
its author wrote it.
"""

from pierhead.model.base import Model, parse
from pierhead.model.lists import ListMap, ListSet
from pierhead.model.resource import (
    AGE,
    API_VERSION,
    FIELD_MANAGER,
    FINALIZER,
    GROUP,
    MESSAGE,
    READY,
    REASON,
    RECONCILE_AT,
    RETRY_AT,
    ROLLBACK_TO,
    VERSION,
    Column,
    CustomResource,
    Status,
    StatusCondition,
)
from pierhead.model.rules import Rule, at_least_one, at_most_one, cel_name, exactly_one, immutable
from pierhead.model.scalars import DNSLabel, DNSSubdomain, Duration, FreeForm, KubernetesObject, seconds

__all__ = [
    "AGE",
    "API_VERSION",
    "FIELD_MANAGER",
    "FINALIZER",
    "GROUP",
    "MESSAGE",
    "READY",
    "REASON",
    "RECONCILE_AT",
    "RETRY_AT",
    "ROLLBACK_TO",
    "VERSION",
    "Column",
    "CustomResource",
    "DNSLabel",
    "DNSSubdomain",
    "Duration",
    "FreeForm",
    "KubernetesObject",
    "ListMap",
    "ListSet",
    "Model",
    "Rule",
    "Status",
    "StatusCondition",
    "at_least_one",
    "at_most_one",
    "cel_name",
    "exactly_one",
    "immutable",
    "parse",
    "seconds",
]
