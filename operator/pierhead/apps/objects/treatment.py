"""How each object of a release is treated, by the rules of the spec and the object's own annotations.

Invariant: pure. The spec wins over annotations and later rules over earlier ones; data is never recreated
on an annotation's word. An annotation that the spec overrules is not sent, for it would be a lie.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pierhead.apps.model.objects import IgnoredDifference, LabelSelector, ObjectRule, ObjectTarget
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.resources import split_api_version
from pierhead.model import FIELD_MANAGER, GROUP

FORCE = f"{GROUP}/force"
PRUNE = f"{GROUP}/prune"
APPLY = f"{GROUP}/apply"
IGNORE = f"{GROUP}/ignore-differences"
_DATA = frozenset({("apps", "StatefulSet"), ("", "PersistentVolumeClaim")})
_BOOLEAN: Mapping[str, bool] = {"true": True, "false": False}
_APPLY: Mapping[str, bool] = {"IfAbsent": True, "Always": False}
_POINTER = re.compile(r"(/([^/~]|~[01])+)+")
_MOST_POINTERS = 32
_IDENTITY = ("/apiVersion", "/kind", "/metadata/name", "/metadata/namespace", "/metadata")


@dataclass(frozen=True, slots=True)
class Ignored:
    """Fields to leave as they are, and the place in the spec or the object that says so."""

    difference: IgnoredDifference
    at: str


@dataclass(frozen=True, slots=True)
class Treatment:
    """What holds for one object."""

    force: bool = False
    prune: bool = True
    once: bool = False
    """Created where absent, and never changed."""

    ignored: tuple[Ignored, ...] = ()

    autoscaled: bool = False
    """Whether an autoscaler of the release sets its replicas."""

    @property
    def needs_live(self) -> bool:
        """Whether what is applied depends on what is there."""
        return self.once or self.autoscaled or bool(self.ignored)


PLAIN = Treatment()


def treatment_of(obj: Mapping[str, Any], rules: Sequence[ObjectRule]) -> Treatment:
    """The treatment of a rendered object, or of a live one of which at least the metadata is known.

    Raises Invalid, naming the object and the annotation, for a value that means nothing.
    """
    annotations = obj["metadata"].get("annotations") or {}
    matching = [(index, rule) for index, rule in enumerate(rules) if _matches(rule.target, obj)]
    if not matching and not any(key in annotations for key in (FORCE, PRUNE, APPLY, IGNORE)):
        return PLAIN
    force = _read(obj, FORCE, _BOOLEAN)
    prune = _read(obj, PRUNE, _BOOLEAN)
    once = _read(obj, APPLY, _APPLY)
    recreate = False
    ignored = _annotated(obj)
    for index, rule in matching:
        force = force if rule.force is None else rule.force
        prune = prune if rule.prune is None else rule.prune
        once = once if rule.apply is None else rule.apply == "IfAbsent"
        recreate = recreate if rule.recreate_data is None else rule.recreate_data
        for at, difference in enumerate(rule.ignore_differences or ()):
            ignored.append(_checked(difference, f"spec.objectRules[{index}].ignoreDifferences[{at}]"))
    group, _ = split_api_version(obj["apiVersion"])
    return Treatment(
        force=bool(force) and (recreate or (group, obj["kind"]) not in _DATA),
        prune=prune is not False,
        once=bool(once),
        ignored=tuple(ignored),
    )


def truthful(obj: Object, rules: Sequence[ObjectRule]) -> Object:
    """The object without annotations of ours that a rule of the spec overrules."""
    annotations = obj["metadata"].get("annotations") or {}
    given = {key: annotations[key] for key in (FORCE, PRUNE, APPLY) if key in annotations}
    if not given or not rules:
        return obj
    said: dict[str, bool] = {}
    for rule in rules:
        if _matches(rule.target, obj):
            told = {FORCE: rule.force, PRUNE: rule.prune}
            told[APPLY] = None if rule.apply is None else rule.apply == "IfAbsent"
            said |= {key: value for key, value in told.items() if value is not None}
    meanings = {FORCE: _BOOLEAN, PRUNE: _BOOLEAN, APPLY: _APPLY}
    lies = {key for key, text in given.items() if key in said and meanings[key].get(text) is not said[key]}
    if not lies:
        return obj
    kept = {key: value for key, value in annotations.items() if key not in lies}
    return {**obj, "metadata": {**obj["metadata"], "annotations": kept}}


def _read(obj: Mapping[str, Any], annotation: str, meanings: Mapping[str, bool]) -> bool | None:
    text = (obj["metadata"].get("annotations") or {}).get(annotation)
    if text is None:
        return None
    if text not in meanings:
        raise Invalid(
            f"{_label(obj)}: the annotation {annotation} is one of {', '.join(meanings)}",
            reason="InvalidAnnotation",
        )
    return meanings[text]


def _annotated(obj: Mapping[str, Any]) -> list[Ignored]:
    text = (obj["metadata"].get("annotations") or {}).get(IGNORE) or ""
    pointers = re.split(r"[\s,]+", text.strip()) if text.strip() else []
    bad = next((pointer for pointer in pointers if not _POINTER.fullmatch(pointer)), None)
    if bad is not None or len(pointers) > _MOST_POINTERS:
        why = f"{bad[:100]!r} is no JSON pointer" if bad is not None else f"at most {_MOST_POINTERS} pointers"
        raise Invalid(f"{_label(obj)}: the annotation {IGNORE}: {why}", reason="InvalidAnnotation")
    at = f"{_label(obj)}: the annotation {IGNORE}"
    return [_checked(IgnoredDifference(pointer=pointer), at) for pointer in pointers]


def _checked(difference: IgnoredDifference, at: str) -> Ignored:
    if difference.manager == FIELD_MANAGER:
        raise Invalid(f"{at}: {FIELD_MANAGER} is who applies the release", reason="InvalidRule")
    if difference.pointer in _IDENTITY:
        raise Invalid(
            f"{at}: {difference.pointer} is what tells the object from others", reason="InvalidRule"
        )
    return Ignored(difference, at)


def _matches(target: ObjectTarget | None, obj: Mapping[str, Any]) -> bool:
    if target is None:
        return True
    group, _ = split_api_version(obj["apiVersion"])
    told = ((target.group, group), (target.kind, obj["kind"]), (target.name, obj["metadata"].get("name")))
    if any(wanted is not None and wanted != found for wanted, found in told):
        return False
    return target.label_selector is None or _selects(
        target.label_selector, obj["metadata"].get("labels") or {}
    )


def _selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in (selector.match_labels or {}).items()):
        return False
    for requirement in selector.match_expressions or ():
        value, values = labels.get(requirement.key), requirement.values or ()
        holds = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds[requirement.operator]:
            return False
    return True


def _label(obj: Mapping[str, Any]) -> str:
    metadata = obj["metadata"]
    place = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
    return f"{obj['kind']} {place}"
