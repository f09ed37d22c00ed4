"""What an object's conditions say.

Invariant: pure, and total: an object that nobody has looked at yet has no conditions, and is not current.
"""

from collections.abc import Mapping
from typing import Any


def condition(obj: Mapping[str, Any], kind: str = "Ready") -> Mapping[str, Any]:
    """A condition; empty when there is none of this type."""
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind:
            found: Mapping[str, Any] = entry
            return found
    return {}


def is_current(obj: Mapping[str, Any]) -> bool:
    """Whether the status speaks of the spec as it is."""
    seen = (obj.get("status") or {}).get("observedGeneration")
    return bool(seen == obj["metadata"].get("generation"))
