"""From a template to Batch's job definition and to the request of one job.

Invariants: equal templates give the equal definition name, so a definition is registered once and reused;
an index map always fits the overrides, which Batch checks only once the job runs; a request that is over
one of Batch's size limits is refused here, with the field at fault.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.model.attempts import Attempts, RetryRule
from pierhead.batch.model.spec import MUTABLE
from pierhead.batch.model.template import Container
from pierhead.batch.submitting.contract import COMPLETIONS, INDEX_MAP, OUTPUT_URI
from pierhead.batch.submitting.shards import index_variables
from pierhead.engine.outcome import Invalid
from pierhead.model import GROUP

DEFINITION_LIMIT = 24 * 1024
"""Bytes of a RegisterJobDefinition request."""

REQUEST_LIMIT = 30 * 1024
"""Bytes of a SubmitJob request."""

OVERRIDES_LIMIT = 8192
"""Characters of the container overrides as JSON. Above it the job fails, without an error of the API."""

OWN_OVERRIDES_LIMIT = 4096
"""Characters of a template's command and variables that travel with each job. What is longer goes into the
definition: half of the overrides is for the index map."""

MANAGED_BY_TAG = f"{GROUP}/managed-by"
DIGEST_TAG = f"{GROUP}/content"
NAMESPACE_TAG = f"{GROUP}/namespace"
NAME_TAG = f"{GROUP}/name"
UID_TAG = f"{GROUP}/uid"
CLUSTER_TAG = f"{GROUP}/cluster"
"""Whose a definition or a job is, among the clusters of an account; without a name nobody's."""

_DEFAULT_RULES = (
    {"action": "RETRY", "onStatusReason": "Host EC2*"},
    {"action": "EXIT", "onReason": "*"},
)


def definition_request(container: Container, namespace: str, cluster: str = "") -> dict[str, Any]:
    """The RegisterJobDefinition request of a template.

    Raises Invalid when it is over Batch's limit.
    """
    properties = _container_properties(container)
    content = {"type": "container", "containerProperties": properties}
    digest = hashlib.sha256(json.dumps([namespace, content], sort_keys=True).encode()).hexdigest()
    request = {
        "jobDefinitionName": f"pierhead-{namespace}-{digest[:20]}",
        **content,
        "tags": {
            MANAGED_BY_TAG: "pierhead",
            DIGEST_TAG: digest,
            NAMESPACE_TAG: namespace,
            **({CLUSTER_TAG: cluster} if cluster else {}),
        },
    }
    _refuse_above(DEFINITION_LIMIT, request, "a job definition")
    return request


def job_request(
    spec: BatchJobSpec, *, name: str, definition: str, indexes: IndexSet, tags: Mapping[str, str]
) -> dict[str, Any]:
    """The SubmitJob request of one shard.

    Raises Invalid when it is over one of Batch's limits.
    """
    request: dict[str, Any] = {
        "jobName": name,
        "jobQueue": spec.queue,
        "jobDefinition": definition,
        "containerOverrides": _overrides(spec, index_variables(indexes)),
        "tags": dict(tags),
    }
    if len(indexes) > 1:
        request["arrayProperties"] = {"size": len(indexes)}
    if spec.attempts is not None or spec.template is not None:
        # Without either, the job definition's own retries hold.
        request["retryStrategy"] = _retries(spec.attempts or Attempts())
    if spec.timeout_seconds is not None:
        request["timeout"] = {"attemptDurationSeconds": spec.timeout_seconds}
    _refuse_above(REQUEST_LIMIT, request, "a SubmitJob request")
    return request


def map_limit(spec: BatchJobSpec) -> int:
    """Characters left for an index map in the overrides of this BatchJob's jobs."""
    return OVERRIDES_LIMIT - _length(_overrides(spec, {INDEX_MAP: ""}))


def spec_digest(spec: Mapping[str, Any]) -> str:
    """Digest of the fields of a stored spec that cannot be changed."""
    fixed = {name: value for name, value in spec.items() if name not in MUTABLE}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:32]


def _container_properties(container: Container) -> dict[str, Any]:
    resources = container.resources
    requirements = [
        {"type": "VCPU", "value": f"{resources.vcpu:g}"},
        {"type": "MEMORY", "value": str(resources.memory_mib)},
    ]
    if resources.gpu is not None:
        requirements.append({"type": "GPU", "value": str(resources.gpu)})
    properties: dict[str, Any] = {"image": container.image, "resourceRequirements": requirements}
    if container.job_role_arn is not None:
        properties["jobRoleArn"] = container.job_role_arn
    if container.execution_role_arn is not None:
        properties["executionRoleArn"] = container.execution_role_arn
    if container.secrets:
        properties["secrets"] = [
            {"name": secret.name, "valueFrom": secret.value_from} for secret in container.secrets
        ]
    if not _travels(container):
        properties |= _own_overrides(container)
    return properties


def _overrides(spec: BatchJobSpec, index: Mapping[str, str]) -> dict[str, Any]:
    variables = {COMPLETIONS: str(spec.completions), **index}
    if spec.output_uri is not None:
        variables[OUTPUT_URI] = spec.output_uri
    container = spec.template.container if spec.template is not None else None
    own = _own_overrides(container) if container is not None and _travels(container) else {}
    environment = [*own.get("environment", ()), *_environment(variables)]
    return {**own, "environment": environment}


def _travels(container: Container) -> bool:
    return _length(_own_overrides(container)) <= OWN_OVERRIDES_LIMIT


def _own_overrides(container: Container) -> dict[str, Any]:
    """The template's command and variables, in the form both a definition and overrides have them."""
    own: dict[str, Any] = {}
    if container.command:
        own["command"] = list(container.command)
    if container.env:
        own["environment"] = _environment({variable.name: variable.value for variable in container.env})
    return own


def _environment(variables: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def _retries(attempts: Attempts) -> dict[str, Any]:
    rules = _DEFAULT_RULES if attempts.rules is None else tuple(map(_rule, attempts.rules))
    return {"attempts": attempts.limit, "evaluateOnExit": [dict(rule) for rule in rules]}


def _rule(rule: RetryRule) -> dict[str, str]:
    given = {
        "onStatusReason": rule.on_status_reason,
        "onReason": rule.on_reason,
        "onExitCode": rule.on_exit_code,
    }
    conditions = {name: value for name, value in given.items() if value is not None}
    return {"action": rule.action.upper(), **conditions}


def _refuse_above(limit: int, request: Mapping[str, Any], what: str) -> None:
    length = _length(request)
    if length > limit:
        raise Invalid(
            f"{what} made of it has {length} bytes, more than the {limit} that Batch takes;"
            " move what is long, such as variables or the command, into the image or an object in S3",
            reason="TemplateTooLarge",
            field="spec.template.container",
        )


def _length(value: Any) -> int:
    """The length on the wire: boto3 writes JSON as this does, other than ASCII escaped."""
    return len(json.dumps(value))
