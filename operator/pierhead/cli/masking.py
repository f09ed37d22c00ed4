"""What of a cluster's objects may be shown.

Invariant: no value of a Secret leaves a command, wherever it stands: in the Secret, in what kubectl noted
of it, in a difference, or in the notes of a chart.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from pierhead.apps.inputs.texts import TELLING, telling
from pierhead.engine.resource import Object

MASK = "***"
_VALUES = ("data", "stringData")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def is_secret(obj: Mapping[str, Any]) -> bool:
    """Whether it is a Secret of the core group."""
    return obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1"


def masked(obj: Object) -> Object:
    """The object without the values of a Secret."""
    if not is_secret(obj):
        return obj
    metadata = dict(obj.get("metadata") or {})
    annotations = dict(metadata.get("annotations") or {})
    if _LAST_APPLIED in annotations:
        metadata["annotations"] = {**annotations, _LAST_APPLIED: MASK}
    values = {
        field: dict.fromkeys(obj[field], MASK) for field in _VALUES if isinstance(obj.get(field), Mapping)
    }
    return {**obj, "metadata": metadata, **values}


def masked_pair(live: Object | None, wanted: Object | None) -> tuple[Object | None, Object | None]:
    """Both without the values of a Secret; a value that differs says so, and not what it is or was."""
    if not any(obj is not None and is_secret(obj) for obj in (live, wanted)):
        return live, wanted
    shown = [None if obj is None else masked(obj) for obj in (live, wanted)]
    before, after = shown
    if before is not None and after is not None and live is not None and wanted is not None:
        for field in _VALUES:
            for key in (live.get(field) or {}).keys() & (wanted.get(field) or {}).keys():
                if live[field][key] != wanted[field][key]:
                    before[field][key], after[field][key] = f"{MASK} (before)", f"{MASK} (after)"
    return before, after


def values_of(objects: Iterable[Object]) -> frozenset[str]:
    """The texts in Secrets that would tell something in other texts."""
    found: set[str] = set()
    for obj in objects:
        if is_secret(obj):
            found |= {str(value) for value in (obj.get("stringData") or {}).values()}
            found |= {_decoded(value) for value in (obj.get("data") or {}).values()}
    return frozenset(value for value in found if len(value) >= TELLING)


def texts_of(value: Any) -> frozenset[str]:
    """The texts and numbers anywhere in a value that would tell something."""
    return frozenset(telling(value))


def scrubbed(value: Any, values: Iterable[str]) -> Any:
    """A JSON value whose texts are without these values."""
    if isinstance(value, Mapping):
        return {key: scrubbed(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [scrubbed(item, values) for item in value]
    return without(value, values) if isinstance(value, str) else value


def without(text: str, values: Iterable[str]) -> str:
    """The text with these values masked."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def _decoded(value: Any) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
