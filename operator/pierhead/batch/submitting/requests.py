"""The request of one job.

Invariants: an index map always fits the overrides, which Batch checks only once the job runs; a request that
is over one of Batch's limits is refused here, with the field at fault.
"""

from collections.abc import Mapping
from typing import Any, Final

from pierhead.aws.batch import HOST_LOST
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.model.attempts import Attempts, RetryRule
from pierhead.batch.model.submission import OverriddenResources, Overrides
from pierhead.batch.submitting.contract import COMPLETIONS, INDEX_MAP, OUTPUT_URI
from pierhead.batch.submitting.forms import PLAIN, Form, Override, form_of, overriding
from pierhead.batch.submitting.shards import index_variables
from pierhead.batch.submitting.sizes import OVERRIDES_LIMIT, REQUEST_LIMIT, length, refuse_above
from pierhead.batch.submitting.templates import content_of, environment, own_overrides
from pierhead.engine.outcome import Invalid

_LEAST_MAP: Final = 512
"""Characters of an index map without which a round of failed indexes would be far too many jobs."""

_NAMES: Final = 4096
"""Bytes of a request for what is not known yet: job name, definition, queue, our tags."""

_OVERRIDES: Final = ("containerOverrides", "ecsPropertiesOverride", "eksPropertiesOverride", "nodeOverrides")

_MOST_ATTEMPTS: Final = 10
_ATTEMPTS: Final = 3

_DEFAULT_RULES: Final = (
    *({"action": "RETRY", "onStatusReason": f"{reason}*"} for reason in HOST_LOST),
    {"action": "EXIT", "onReason": "*"},
)


def job_request(
    spec: BatchJobSpec,
    *,
    name: str,
    definition: str,
    indexes: IndexSet,
    tags: Mapping[str, str],
    form: Form | None = None,
) -> dict[str, Any]:
    """The SubmitJob request of one shard; `form` is that of an existing job definition.

    Raises Invalid when it is over one of Batch's limits.
    """
    request = {
        "jobName": name,
        "jobQueue": spec.queue,
        "jobDefinition": definition,
        **_body(spec, form, index_variables(indexes)),
        "tags": {**(spec.tags or {}), **tags},
    }
    if len(indexes) > 1:
        request["arrayProperties"] = {"size": len(indexes)}
    _check(spec, request)
    return request


def map_limit(spec: BatchJobSpec, form: Form | None = None) -> int:
    """Characters left for an index map in the overrides of this BatchJob's jobs.

    `form`: as for `job_request`; None where it is not known yet, which makes maps short.
    """
    if form is None and spec.template is None:
        return _LEAST_MAP
    return max(_LEAST_MAP, _room(spec, form))


def refuse_without_room(spec: BatchJobSpec, form: Form) -> None:
    """Raises Invalid where next to nothing is left for an index map: failed indexes could not run again."""
    left = _room(spec, form)
    if left < _LEAST_MAP and spec.completions > 1:
        raise Invalid(
            f"the overrides, parameters and tags made of it leave {max(0, left)} characters for the"
            f" indexes of a job, fewer than {_LEAST_MAP}; move what is long into the job definition or an"
            " object in S3",
            reason="TemplateTooLarge",
            field=field_of(spec),
        )


def refuse_unknown_container(spec: BatchJobSpec, form: Form) -> None:
    """Raises Invalid where the overrides are for a container that the job definition does not have."""
    wanted = spec.overrides.container if spec.overrides is not None else None
    names = form.ranges[0][1].names if form.ranges else form.names
    if wanted is not None and wanted not in names:
        raise Invalid(
            f"the job definition has no container {wanted!r}; omit it or correct the name",
            field="spec.overrides.container",
        )


def _room(spec: BatchJobSpec, form: Form | None) -> int:
    known = form_of(content_of(spec.template)) if spec.template is not None else form or PLAIN
    bare = _body(spec, known, {INDEX_MAP: ""})
    overrides = next(value for name, value in bare.items() if name in _OVERRIDES)
    request = length({**bare, "tags": spec.tags or {}}) + _NAMES
    return min(OVERRIDES_LIMIT - length(overrides), REQUEST_LIMIT - request) // known.carriers


def field_of(spec: BatchJobSpec) -> str:
    """Where what runs is described."""
    if spec.template is None:
        return "spec.jobDefinition" if spec.overrides is None else "spec.overrides"
    return f"spec.template.{next(iter(spec.template.given()))}"


def _check(spec: BatchJobSpec, request: Mapping[str, Any]) -> None:
    field = field_of(spec)
    for name in ("containerOverrides", "ecsPropertiesOverride"):
        refuse_above(OVERRIDES_LIMIT, request.get(name, {}), "the overrides", field=field)
    refuse_above(REQUEST_LIMIT, request, "a SubmitJob request", field=field)


def _body(spec: BatchJobSpec, form: Form | None, index: Mapping[str, str]) -> dict[str, Any]:
    """What of a request follows from the spec and the variables of the indexes."""
    if spec.template is not None:
        form = form_of(content_of(spec.template))
        own = own_overrides(spec.template)
        target = None
    else:
        form = form or PLAIN
        own = _given(spec.overrides, form) if spec.overrides is not None else {}
        target = spec.overrides.container if spec.overrides is not None else None
    variables = {COMPLETIONS: str(spec.completions), **index}
    if spec.output_uri is not None:
        variables[OUTPUT_URI] = spec.output_uri
    request = overriding(form, Override(tuple(variables.items()), own, target))
    if spec.attempts is not None or spec.template is not None:
        # Without either, the job definition's own retries hold.
        request["retryStrategy"] = _retries(spec.attempts or Attempts())
    if spec.timeout_seconds is not None:
        request["timeout"] = {"attemptDurationSeconds": spec.timeout_seconds}
    if spec.parameters:
        request["parameters"] = dict(spec.parameters)
    if spec.share_identifier is not None:
        request["shareIdentifier"] = spec.share_identifier
    if spec.scheduling_priority is not None:
        request["schedulingPriorityOverride"] = spec.scheduling_priority
    if spec.propagate_tags is not None:
        request["propagateTags"] = spec.propagate_tags
    if spec.consumable_resources:
        _consume(request, spec)
    return request


def _consume(request: dict[str, Any], spec: BatchJobSpec) -> None:
    resources = [
        {"consumableResource": entry.name, "quantity": entry.quantity}
        for entry in spec.consumable_resources or ()
    ]
    nodes = (request.get("nodeOverrides") or {}).get("nodePropertyOverrides")
    holder = nodes[0] if nodes else request
    holder["consumableResourcePropertiesOverride"] = {"consumableResourceList": resources}


def _given(overrides: Overrides, form: Form) -> dict[str, Any]:
    """Overrides of an existing definition, as its form has them."""
    in_pod = form.kind == "eks"
    own: dict[str, Any] = {}
    if overrides.command:
        own["args" if in_pod else "command"] = list(overrides.command)
    if overrides.env:
        own["environment"] = environment(overrides.env)
    if overrides.resources is not None:
        own |= _needs(overrides.resources, in_pod=in_pod)
    return own


def _needs(resources: OverriddenResources, *, in_pod: bool) -> dict[str, Any]:
    vcpu = f"{resources.vcpu:g}" if resources.vcpu is not None else None
    given = [
        ("VCPU", "cpu", vcpu, ""),
        ("MEMORY", "memory", resources.memory_mib, "Mi"),
        ("GPU", "nvidia.com/gpu", resources.gpu, ""),
    ]
    if in_pod:
        quantities = {name: f"{value}{unit}" for _, name, value, unit in given if value is not None}
        return {"resources": {"limits": quantities, "requests": quantities}}
    return {
        "resourceRequirements": [
            {"type": name, "value": str(value)} for name, _, value, _ in given if value is not None
        ]
    }


def _retries(attempts: Attempts) -> dict[str, Any]:
    rules = _DEFAULT_RULES if attempts.rules is None else tuple(map(_rule, attempts.rules))
    limit = attempts.limit or (_MOST_ATTEMPTS if attempts.rules is None else _ATTEMPTS)
    return {"attempts": limit, "evaluateOnExit": [dict(rule) for rule in rules]}


def _rule(rule: RetryRule) -> dict[str, str]:
    given = {
        "onStatusReason": rule.on_status_reason,
        "onReason": rule.on_reason,
        "onExitCode": rule.on_exit_code,
    }
    conditions = {name: value for name, value in given.items() if value is not None}
    return {"action": rule.action.upper(), **conditions}
