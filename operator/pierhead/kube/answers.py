"""What requests ask for beside the object, and what answers hold beside it.

Invariant: an object that comes out of here names its apiVersion and kind, however it was asked for.
"""

from dataclasses import dataclass
from datetime import datetime

from pierhead.engine.resource import Object
from pierhead.kube.resources import ResourceType

PLAIN = "application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list. `resource_version` is that of the whole list, the same for all its pages."""

    items: list[Object]
    resource_version: str
    first: bool
    """Whether the list begins here: again, when the API server had forgotten how to go on."""
    last: bool


@dataclass(frozen=True, slots=True)
class ApplyAnswer:
    """What a server-side apply made, or by a dry run would make."""

    object: Object
    created: bool
    date: datetime | None
    """The API server's clock when it answered."""
    seconds: float
    """How long that took."""


def accept_for(metadata_only: bool) -> str:
    """The Accept header for one object."""
    return _METADATA if metadata_only else PLAIN


def selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    """The query of a list or watch."""
    given = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in given.items() if value}


def typed(obj: Object, resource: ResourceType) -> Object:
    """The object under its own kind: items of lists carry none, metadata-only answers another's."""
    return {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
