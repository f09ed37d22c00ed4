"""Objects that an AppRelease names.

Invariant: they are of its own namespace and read as its own account, and what is missing or forbidden names
the field that asked for it.
"""

from collections.abc import Mapping
from typing import Any

from pierhead.engine.outcome import Transient
from pierhead.kube.client import Client
from pierhead.kube.errors import Forbidden, NotFound
from pierhead.kube.resources import ResourceType


async def read_reference(
    client: Client, resource: ResourceType, name: str, namespace: str, *, at: str
) -> Mapping[str, Any]:
    """An object the spec names under `at`.

    Raises, naming the field, Transient when there is none, since it may yet come, and Forbidden.
    """
    try:
        return await client.get(resource, name, namespace)
    except Forbidden as error:
        error.field = at
        raise
    except NotFound as error:
        raise Transient(
            f"{resource.kind} {name} does not exist", reason="ReferenceNotFound", field=at
        ) from error
