"""What an apply would change, as differences of YAML.

Invariant: pure; what only the API server writes is no difference, and no value of a Secret is shown.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pierhead.cli.masking import masked_pair, without
from pierhead.cli.output import as_yaml
from pierhead.engine.resource import Object
from pierhead.kube.inventory import Entry
from pierhead.kube.objects import meaningful
from pierhead.kube.plan import Action, Step

_LINES_AROUND = 3


def change_of(step: Step, hidden: Iterable[str]) -> dict[str, Any]:
    """What a step of an explained plan would do; `hidden` are values that no line may have."""
    wanted = step.answer if step.action is Action.UPDATE and step.answer is not None else step.object
    return {
        "object": step.entry.label,
        "action": step.action.value,
        "why": step.why or None,
        "diff": difference(step.live, wanted, hidden),
    }


def deletion_of(entry: Entry, live: Object, hidden: Iterable[str]) -> dict[str, Any]:
    """An object that is no longer rendered."""
    return {"object": entry.label, "action": "Delete", "why": None, "diff": difference(live, None, hidden)}


def difference(live: Object | None, wanted: Object | None, hidden: Iterable[str]) -> str:
    """The unified difference of two objects, of which either may be missing."""
    name = _name(wanted or live or {})
    before, after = masked_pair(live, wanted)
    values = tuple(hidden)
    lines = difflib.unified_diff(
        _lines(before, values),
        _lines(after, values),
        f"live/{name}" if live is not None else "/dev/null",
        f"wanted/{name}" if wanted is not None else "/dev/null",
        lineterm="",
        n=_LINES_AROUND,
    )
    return "\n".join(lines)


def _lines(obj: Object | None, hidden: Sequence[str]) -> list[str]:
    return without(as_yaml(_sorted(meaningful(obj))), hidden).splitlines() if obj is not None else []


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _name(obj: Mapping[str, Any]) -> str:
    metadata = obj.get("metadata") or {}
    return "/".join(
        part for part in (obj.get("kind"), metadata.get("namespace"), metadata.get("name")) if part
    )
