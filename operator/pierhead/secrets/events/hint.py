"""What an event tells: which secret or parameter may have changed, and how. Pure.

Invariant: no event, however made, gives more than names to look at: what is true is read from AWS. Whatever
is in an event, nothing here fails. Sources: the EventBridge and CloudTrail pages of the AWS Secrets Manager
user guide, and Parameter Store's event types.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pierhead.aws.events import AwsEvent
from pierhead.secrets.events.names import Named, Service, named

CURRENT: Final = "AWSCURRENT"
PROBE_SOURCE: Final = "dev.pierhead"
"""Source of the events by which pierhead finds out whether events arrive."""

LABELS: Final = "Secret Label Updated"
PARAMETERS: Final = "Parameter Store Change"
TRAIL: Final = "API Call via CloudTrail"
SERVICE_TRAIL: Final = "Service Event via CloudTrail"

Topic = Literal["Value", "Existence", "Tags"]
"""What may have changed."""

SOURCES: Final[Mapping[str, Service]] = {"aws.secretsmanager": "secretsmanager", "aws.ssm": "ssm"}
_TRAIL_SOURCE: Final = "secretsmanager.amazonaws.com"
_SILENT: Final = frozenset({"AWSPENDING", "AWSPREVIOUS"})
_MOST: Final = 50
"""Items of a list in an event that are looked at: twice the regions or labels that AWS allows."""
_VERSION: Final = re.compile(r"[!-~]{1,64}")
_LABEL: Final = re.compile(r"[!-~]{1,256}")

# Calls that make a secret exist or not.
_EXISTENCE: Final = frozenset({"CreateSecret", "DeleteSecret", "RestoreSecret"})
_TAGS: Final = frozenset({"TagResource", "UntagResource"})
_REPLICAS: Final[Mapping[str, str]] = {
    "ReplicateSecretToRegions": "addReplicaRegions",
    "RemoveRegionsFromReplication": "removeReplicaRegions",
}
_DELETIONS: Final = frozenset(
    {"StartSecretVersionDelete", "CancelSecretVersionDelete", "EndSecretVersionDelete"}
)
_PARAMETER_TOPICS: Final[Mapping[str, Topic]] = {
    "Update": "Value",
    "LabelParameterVersion": "Value",
    "Create": "Existence",
    "Delete": "Existence",
}


@dataclass(frozen=True, slots=True)
class Hint:
    """What may have changed."""

    service: Service
    names: frozenset[str]
    region: str
    """Empty where the event does not tell."""
    account: str = ""
    topic: Topic = "Value"
    label: str | None = None
    """Staging label that moved; None where it is not told."""
    version_id: str | None = None
    """Version that the label is on now; None where it is not told."""


def hints(event: AwsEvent) -> tuple[Hint, ...]:
    """What an event tells; nothing for one of no interest."""
    service = service_of(event)
    if service == "ssm":
        return tuple(_of_parameter(event))
    if service is None:
        return ()
    if event.detail_type.endswith(SERVICE_TRAIL):
        return tuple(_of_service(event))
    if event.detail_type.endswith(TRAIL) or (not event.detail_type and "eventName" in event.detail):
        return tuple(_of_call(event))
    if event.detail_type in {LABELS, ""}:
        return tuple(_of_label(event))
    return ()


def service_of(event: AwsEvent) -> Service | None:
    """The service an event is of; None for a foreign one.

    Where the rule kept no more than its detail, that tells.
    """
    if event.source:
        return SOURCES.get(event.source)
    detail = event.detail
    if detail.get("eventSource") == _TRAIL_SOURCE or "labelUpdated" in detail:
        return "secretsmanager"
    return None


def _of_label(event: AwsEvent) -> Iterator[Hint]:
    label = _text(event.detail.get("labelUpdated"), _LABEL)
    if label is None or label in _SILENT:
        return
    version_id = _text(event.detail.get("versionId"), _VERSION)
    yield from _told(event, label=label, version_id=version_id)


def _of_call(event: AwsEvent) -> Iterator[Hint]:
    detail = event.detail
    name = _string(detail.get("eventName"))
    if detail.get("eventSource", _TRAIL_SOURCE) != _TRAIL_SOURCE or detail.get("errorCode"):
        return
    asked, answered = _mapping(detail.get("requestParameters")), _mapping(detail.get("responseElements"))
    made = _text(answered.get("versionId"), _VERSION)
    if name == "PutSecretValue":
        yield from _of_put(event, asked, made or _text(asked.get("clientRequestToken"), _VERSION))
    elif name == "UpdateSecret":
        yield from _told(event, label=CURRENT, version_id=made)
    elif name == "UpdateSecretVersionStage":
        label = _text(asked.get("versionStage"), _LABEL)
        if label is not None and label not in _SILENT:
            yield from _told(event, label=label, version_id=_text(asked.get("moveToVersionId"), _VERSION))
    elif name in _EXISTENCE:
        yield from _told(event, topic="Existence")
    elif name in _TAGS:
        yield from _told(event, topic="Tags")
    elif name in _REPLICAS:
        yield from _of_replicas(event, asked.get(_REPLICAS[name]))


def _of_put(event: AwsEvent, asked: Mapping[str, Any], version_id: str | None) -> Iterator[Hint]:
    """A put without stages moves AWSCURRENT; one with none of interest, such as a rotation's, is ignored."""
    stages = asked.get("versionStages")
    if stages is None:
        yield from _told(event, label=CURRENT, version_id=version_id)
        return
    labels = {label for item in _list(stages) if (label := _text(item, _LABEL)) is not None} - _SILENT
    for label in sorted(labels):
        yield from _told(event, label=label, version_id=version_id)


def _of_replicas(event: AwsEvent, regions: object) -> Iterator[Hint]:
    """A replica has its secret's name, in another region."""
    for hint in _told(event, topic="Existence"):
        yield hint
        for item in _list(regions):
            region = _mapping(item).get("region") if isinstance(item, Mapping) else item
            if isinstance(region, str) and region:
                yield replace(hint, region=region)


def _of_service(event: AwsEvent) -> Iterator[Hint]:
    name = _string(event.detail.get("eventName"))
    if name == "RotationSucceeded":
        yield from _told(event, label=CURRENT)
    elif name in _DELETIONS:
        yield from _told(event, topic="Existence")


def _of_parameter(event: AwsEvent) -> Iterator[Hint]:
    topic = _PARAMETER_TOPICS.get(_string(event.detail.get("operation")))
    if event.detail_type == PARAMETERS and topic is not None:
        yield from _told(event, service="ssm", topic=topic)


def _told(event: AwsEvent, *, service: Service = "secretsmanager", **given: Any) -> Iterator[Hint]:
    found = _identified(event, service)
    if found is not None:
        detail = event.detail
        yield Hint(
            service,
            found.names,
            found.region or event.region or _string(detail.get("awsRegion")),
            found.account or event.account or _string(detail.get("recipientAccountId")),
            **given,
        )


def _identified(event: AwsEvent, service: Service) -> Named | None:
    """The first candidate that names a secret. A plain name elsewhere tells an ARN's two names apart."""
    candidates = [one for item in _candidates(event) if (one := named(service, item)) is not None]
    if not candidates:
        return None
    first = candidates[0]
    plain = next((one for one in candidates if not one.region and one.names < first.names), None)
    return first if plain is None else replace(first, names=plain.names)


def _candidates(event: AwsEvent) -> Iterator[object]:
    detail = event.detail
    asked, answered = _mapping(detail.get("requestParameters")), _mapping(detail.get("responseElements"))
    yield from event.resources[:_MOST]
    yield detail.get("name")
    yield asked.get("secretId")
    yield asked.get("name")
    # `aRN` until February 2024.
    for spelling in ("arn", "aRN", "ARN"):
        yield answered.get(spelling)
    yield _mapping(detail.get("additionalEventData")).get("SecretId")
    yield _mapping(detail.get("serviceEventDetails")).get("secretId")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value[:_MOST] if isinstance(value, list) else []


def _text(value: object, pattern: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
