"""What a translation into an AppRelease is made of.

Invariant: no field of what is translated is dropped silently: each is either taken, or told of in a warning.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pierhead.engine.resource import Object
from pierhead.model import API_VERSION

_EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SELECTOR = re.compile(r"\s*([\w./-]+)\s*={1,2}\s*([\w.-]*)\s*")

MOST_RETRIES = 10


@dataclass(slots=True)
class Translation:
    """An AppRelease, what it is not equal in, and how it is handed over."""

    into: ClassVar[str] = "an AppRelease"

    name: str
    namespace: str
    spec: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    hold: str = ""
    """Why this is not to be applied yet: what is translated would work against it."""

    extras: list[Object] = field(default_factory=list)
    """Objects that the AppRelease names, to be made before it."""

    def warn(self, text: str) -> None:
        """Tells of something that has no equal, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    @property
    def app_release(self) -> Object:
        """The whole object; fields without a value are left out."""
        return {
            "apiVersion": API_VERSION,
            "kind": "AppRelease",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": without_nothing(self.spec),
        }


class Warned(Protocol):
    """What a translation makes."""

    into: ClassVar[str]
    """What that is."""

    def warn(self, text: str) -> None:
        """Tells of something that has no equal."""


class Fields:
    """The fields of one mapping, of which each has to be taken."""

    def __init__(self, value: Mapping[str, Any] | None, at: str, translation: Warned) -> None:
        self._value = dict(value or {})
        self._at = at
        self._translation = translation
        self._taken: set[str] = set()

    def take(self, name: str, default: Any = None) -> Any:
        """A field's value."""
        self._taken.add(name)
        value = self._value.get(name)
        return default if value is None else value

    def section(self, name: str) -> "Fields":
        """A mapping in a field; its own fields have to be taken too."""
        return Fields(self.take(name), f"{self._at}.{name}", self._translation)

    def without_equal(self, name: str, why: str, *, unless: Any = None) -> None:
        """Takes a field that has no equal; tells so where it is set to anything but `unless`."""
        value = self.take(name)
        if value not in (None, unless, [], {}, False):
            self._translation.warn(f"{self._at}.{name}: {why}")

    def end(self) -> None:
        """Tells of every field that nobody took."""
        for name in sorted(self._value.keys() - self._taken):
            if self._value[name] not in (None, [], {}, False):
                self._translation.warn(
                    f"{self._at}.{name} has no equal in {self._translation.into}, and is left out"
                )


def without_nothing(value: Any) -> Any:
    """Without the fields that are None, at any depth."""
    if isinstance(value, Mapping):
        return {name: without_nothing(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nothing(item) for item in value]
    return value


def version_of(text: str) -> dict[str, str]:
    """A chart's version: exact, or a range."""
    return {"version": text} if _EXACT.fullmatch(text) else {"semver": text or "*"}


def is_exact(text: str) -> bool:
    """Whether a text is one version and no range."""
    return _EXACT.fullmatch(text) is not None


def is_commit(text: str) -> bool:
    """Whether a text is a full commit id."""
    return _COMMIT.fullmatch(text) is not None


def path_of(text: str | None) -> str:
    """A path as an AppRelease has it: relative, without `./` before it; `.` for the root."""
    parts = [part for part in (text or "").split("/") if part not in {"", "."}]
    return "/".join(parts) or "."


def labels_of(selector: str) -> dict[str, str] | None:
    """The labels of a selector such as `a=b,c=d`; None for any other selector."""
    matches = [_SELECTOR.fullmatch(part) for part in selector.split(",")]
    if not all(matches):
        return None
    return {match[1]: match[2] for match in matches if match is not None}


def metadata_overlay(labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a kustomization that set metadata of objects, and not of their pod templates."""
    made: dict[str, Any] = {}
    if labels:
        made["labels"] = [{"pairs": dict(labels)}]
    if annotations:
        lines = "".join(f"    {quoted(name)}: {quoted(text)}\n" for name, text in sorted(annotations.items()))
        patch = f"apiVersion: any\nkind: any\nmetadata:\n  name: any\n  annotations:\n{lines}"
        made["patches"] = [{"target": {"name": ".*"}, "patch": patch}]
    return made


def quoted(text: str) -> str:
    """A text as YAML in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def joined(overlays: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Kustomizations in one, their lists one after another."""
    made: dict[str, Any] = {}
    for overlay in overlays:
        for name, value in overlay.items():
            made[name] = [*made.get(name, []), *value] if isinstance(value, list) else value
    return made
