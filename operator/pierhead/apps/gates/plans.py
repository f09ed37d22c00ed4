"""A plan as people read it: what happens to which object. Pure.

Invariant: bounded whatever the plan's size, and no value of a Secret is in it: not of the objects that are
Secrets, and not where a chart has put it into other objects, now or in the revision before.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from pierhead.apps.hooks.progress import ordered
from pierhead.apps.inputs.texts import TELLING
from pierhead.engine.resource import Object
from pierhead.kube.inventory import Entry
from pierhead.kube.objects import meaningful
from pierhead.kube.plan import Action, Step

PLAN_LIMIT = 24 * 1024
"""Characters of all that is told of the objects."""

DIFF_LIMIT = 4096
"""Characters of one object's difference."""

OBJECTS_LIMIT = 200
HOOKS_LIMIT = 32

_COMPARED_LIMIT = 64 * 1024
"""Characters of YAML that are compared; of a larger object only the pointers are told."""

_WHY_LIMIT = 512
_OVERHEAD = 64
_POINTER_LIMIT = 1024

_MASK = "***"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ACTIONS = {Action.CREATE: "Create", Action.UPDATE: "Update", Action.UNTRIED: "Untried"}
_COUNTS = {"Create": "creates", "Update": "updates", "Delete": "deletes", "Untried": "untried"}


@dataclass(frozen=True, slots=True)
class Masks:
    """Texts that are not to be shown."""

    texts: frozenset[str] = field(default=frozenset(), repr=False)

    def __call__(self, text: str) -> str:
        """The text without any of them."""
        for value in sorted(self.texts, key=len, reverse=True):
            text = text.replace(value, _MASK)
        return text


def masks_of(sensitive: Iterable[str], values: Mapping[str, Any], before: Mapping[str, Any] | None) -> Masks:
    """The masks for a plan: what came from Secrets now, and what may have come from them before.

    `before` are the values of the deployed revision, if some of those were secret; which of them is not
    known any more, so each that is another one now counts.
    """
    leaves = dict(_leaves(values))
    now = frozenset(sensitive)
    earlier = {
        text
        for path, text in _leaves(before or {})
        if len(text) >= TELLING and (leaves.get(path) != text or text in now)
    }
    return Masks(now | earlier)


def described(steps: Sequence[Step], doomed: Sequence[Entry], masks: Masks) -> dict[str, Any]:
    """The counts and objects of `status.plan`."""
    told = [_told(step, masks) for step in steps if step.action in _ACTIONS]
    told += [{"object": entry.label, "action": "Delete"} for entry in doomed]
    counts = dict.fromkeys(("creates", "updates", "deletes"), 0)
    for item in told:
        name = _COUNTS[item["action"]]
        counts[name] = counts.get(name, 0) + 1
    shown = _bounded(told)
    report: dict[str, Any] = {**counts}
    if shown:
        report["objects"] = shown
    if len(shown) < len(told):
        report["omitted"] = len(told) - len(shown)
    return report


def hooks_told(hooks: Sequence[Mapping[str, Any]], operation: Literal["install", "upgrade"]) -> list[str]:
    """The hooks that an operation runs, in the order in which it does."""
    return [
        f"{event}: {hooks[index]['kind']} {hooks[index]['name']}"
        for event in (f"pre-{operation}", f"post-{operation}")
        for index in ordered(hooks, event)
    ][:HOOKS_LIMIT]


def difference(live: Object | None, wanted: Object, masks: Masks) -> str | None:
    """The unified difference of two objects' YAML; None where they are too large to be compared."""
    before, after = _shown(live, wanted)
    texts = [masks(_yaml(obj)) if obj is not None else "" for obj in (before, after)]
    if max(map(len, texts)) > _COMPARED_LIMIT:
        return None
    one, other = (text.splitlines() for text in texts)
    lines = list(difflib.unified_diff(one, other, lineterm="", n=2))[2:]
    text = "\n".join(lines)
    return text if len(text) <= DIFF_LIMIT else text[: DIFF_LIMIT - 2].rsplit("\n", 1)[0] + "\n…"


def _told(step: Step, masks: Masks) -> dict[str, Any]:
    told: dict[str, Any] = {"object": step.entry.label, "action": _ACTIONS[step.action]}
    if step.changes:
        told["changes"] = [masks(pointer)[:_POINTER_LIMIT] for pointer in step.changes]
    if step.why:
        told["why"] = masks(step.why)[:_WHY_LIMIT]
    wanted = step.answer if step.action is Action.UPDATE and step.answer is not None else step.object
    if step.action is not Action.UPDATE or step.live is not None:
        diff = difference(step.live, wanted, masks)
        if diff:
            told["diff"] = diff
    return told


def _bounded(told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As much as fits: first which objects there are, then what changes in them, then how."""
    shown: list[dict[str, Any]] = []
    room = PLAN_LIMIT
    for item in told[:OBJECTS_LIMIT]:
        room -= len(item["object"]) + _OVERHEAD
        if room < PLAN_LIMIT // 2:
            break
        shown.append({"object": item["object"], "action": item["action"]})
    for name in ("why", "changes", "diff"):
        for short, item in zip(shown, told, strict=False):
            size = len(json.dumps(item.get(name, "")))
            if name in item and size <= room:
                short[name] = item[name]
                room -= size
    return shown


def _shown(live: Object | None, wanted: Object) -> tuple[Object | None, Object]:
    before = None if live is None else _plain(live)
    after = _plain(wanted)
    if after.get("kind") != "Secret" or after.get("apiVersion") != "v1":
        return before, after
    for name in ("data", "stringData"):
        old, new = ((obj or {}).get(name) or {} for obj in (before, after))
        for obj, values, mark in ((before, old, "before"), (after, new, "after")):
            if obj is not None and values:
                changed = {
                    key for key in values if old.get(key) != new.get(key) and key in old and key in new
                }
                obj[name] = {key: f"{_MASK} ({mark})" if key in changed else _MASK for key in values}
    return before, after


def _plain(obj: Object) -> dict[str, Any]:
    """What is worth comparing; kubectl's copy of the whole object would hold what is masked elsewhere."""
    plain = meaningful(obj)
    annotations = plain["metadata"].get("annotations") or {}
    if _LAST_APPLIED in annotations:
        kept = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
        plain["metadata"] = {**plain["metadata"], "annotations": kept}
    return plain


def _yaml(obj: Mapping[str, Any]) -> str:
    return yaml.dump(dict(obj), Dumper=yaml.CSafeDumper, sort_keys=True, width=200, allow_unicode=True)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif value is not None and not isinstance(value, bool):
        yield path, str(value)
