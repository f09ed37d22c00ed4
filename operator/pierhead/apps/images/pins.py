"""Chosen images in rendered objects.

Invariant: objects and manifest are pinned alike, so what is applied again from the stored manifest is what
was applied first; what no pin is about stays as it was rendered, byte for byte.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pierhead.apps.inputs.documents import DocumentError, load
from pierhead.render.protocol import Hook, RenderedObject, Rendering

_CONTAINERS = frozenset({"containers", "initContainers", "ephemeralContainers"})
"""Fields that hold containers in a pod's spec, and in custom resources that follow its example."""

_DOCUMENT = re.compile(r"^---\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pin:
    """An image name, and the tag and digest it is to have."""

    name: str
    tag: str
    digest: str

    @property
    def image(self) -> str:
        """What a container is given."""
        return f"{self.name}:{self.tag}@{self.digest}"


def pinned(rendering: Rendering, pins: Iterable[Pin]) -> tuple[Rendering, frozenset[str]]:
    """The rendering with the images of these names pinned, and the names that were found in it."""
    by_name = {pin.name: pin for pin in pins}
    found: set[str] = set()

    def one(obj: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = _pinned(obj, by_name, found)
        return made

    objects = tuple(RenderedObject(one(item.object), item.source) for item in rendering.objects)
    hooks = tuple(_hook(hook, one(hook.object), by_name) for hook in rendering.hooks)
    made = replace(rendering, objects=objects, hooks=hooks, manifest=pinned_text(rendering.manifest, by_name))
    return made, frozenset(found)


def pinned_text(manifest: str, pins: Mapping[str, Pin]) -> str:
    """A manifest of several documents with its images pinned."""
    parts = _DOCUMENT.split(manifest)
    return "---\n".join(_document(part, pins) for part in parts)


def _hook(hook: Hook, obj: dict[str, Any], pins: Mapping[str, Pin]) -> Hook:
    if obj is hook.object:
        return hook
    return replace(hook, object=obj, manifest=_document(hook.manifest, pins))


def _document(text: str, pins: Mapping[str, Pin]) -> str:
    """One YAML document with its images pinned: in its own words where they still say the same."""
    if not any(name in text for name in pins):
        return text
    try:
        before = load(text)
    except DocumentError:
        return text
    wanted = _pinned(before, pins, set())
    if wanted is before:
        return text
    changed = _IMAGE.sub(lambda line: _line(line, pins), text)
    try:
        if load(changed) == wanted:
            return changed
    except DocumentError:
        pass
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("# Source:"))
    return f"{head}{json.dumps(wanted, ensure_ascii=False)}\n"


_IMAGE = re.compile(
    r"""^([ ]*(?:-[ ]+)*(?:"image"|image):[ ]+)(["']?)([^\s"'#]+)\2([ ]*(?:#.*)?)$""", re.MULTILINE
)


def _line(line: "re.Match[str]", pins: Mapping[str, Pin]) -> str:
    start, quote, image, rest = line.groups()
    pin = pins.get(_name(image))
    return line.group(0) if pin is None else f"{start}{quote}{pin.image}{quote}{rest}"


def _pinned(value: Any, pins: Mapping[str, Pin], found: set[str]) -> Any:
    """The value with its containers' images pinned; the very same one where nothing changes."""
    if isinstance(value, dict):
        if value.get("kind") == "CustomResourceDefinition":
            return value
        made = {
            key: _containers(item, pins, found) if key in _CONTAINERS else _pinned(item, pins, found)
            for key, item in value.items()
        }
        return made if any(made[key] is not item for key, item in value.items()) else value
    if isinstance(value, list):
        items = [_pinned(item, pins, found) for item in value]
        return items if any(one is not other for one, other in zip(items, value, strict=True)) else value
    return value


def _containers(value: Any, pins: Mapping[str, Pin], found: set[str]) -> Any:
    if not isinstance(value, list):
        return _pinned(value, pins, found)
    made: Sequence[Any] = [_container(item, pins, found) for item in value]
    return made if any(one is not other for one, other in zip(made, value, strict=True)) else value


def _container(value: Any, pins: Mapping[str, Pin], found: set[str]) -> Any:
    image = value.get("image") if isinstance(value, dict) else None
    pin = pins.get(_name(image)) if isinstance(image, str) else None
    if pin is None:
        return _pinned(value, pins, found)
    found.add(pin.name)
    return value if image == pin.image else {**value, "image": pin.image}


def _name(image: str) -> str:
    """An image without its tag and digest; a registry's port is no tag."""
    name = image.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name
