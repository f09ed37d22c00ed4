"""Secrets of a container definition as environment variables, as ECS injects them.

Invariant: read when an attempt starts, from moto directly, so that counters show only what jobs and their
operator asked for. Source: Amazon ECS developer guide, "Pass sensitive data to a container".
"""

import json

from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError
from moto.secretsmanager.models import secretsmanager_backends

from pierhead_sandbox.aws.batch import shapes
from pierhead_sandbox.aws.batch.region import Job

_SECRET_ARN_PARTS = 7


class MissingSecretError(Exception):
    """A secret of the definition cannot be read; the container never starts."""


def injected(job: Job) -> dict[str, str]:
    """Variables of the first container's `secrets`. Raises MissingSecretError."""
    return {
        str(item["name"]): _read(job, str(item["valueFrom"]))
        for item in shapes.first_container(job).get("secrets") or []
    }


def _read(job: Job, reference: str) -> str:
    try:
        if ":secretsmanager:" in reference:
            return _secret(job, reference)
        name = reference.partition(":parameter")[2] or reference
        # Imported only when a job asks: moto's SSM takes a hundred megabytes.
        backend = get_backend("ssm")[job.region.account][job.region.name]
        parameter = backend.get_parameter(name) or backend.get_parameter(name.removeprefix("/"))
        if parameter is None:
            raise MissingSecretError(_because(reference, "ParameterNotFound"))
        return str(parameter.decrypt(parameter.value))
    except (JsonRESTError, KeyError, ValueError) as error:
        raise MissingSecretError(_because(reference, type(error).__name__)) from error


def _secret(job: Job, reference: str) -> str:
    parts = reference.split(":")
    arn = ":".join(parts[:_SECRET_ARN_PARTS])
    key, stage, version = [*parts[_SECRET_ARN_PARTS:], "", "", ""][:3]
    backend = secretsmanager_backends[job.region.account][job.region.name]
    text = str(backend.get_secret_value(arn, version, stage)["SecretString"])
    return str(json.loads(text)[key]) if key else text


def _because(reference: str, cause: str) -> str:
    return f"ResourceInitializationError: unable to retrieve secret {reference}: {cause}"
