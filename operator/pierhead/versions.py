"""Semantic versions and the ranges that charts and tags are chosen by.

Invariant: a range means here what it means to Helm, because the same text stands in charts. Source of the
rules: Masterminds/semver 3.5, `constraints.go`, whose own tests are rows of ours; SemVer 2.0.0 for the order.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import total_ordering
from types import MappingProxyType

MOST_GROUPS = 32

_WORDS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_TAIL = rf"(?:-(?P<{{0}}pre>{_WORDS}))?(?:\+(?P<{{0}}meta>{_WORDS}))?"
_VERSION = re.compile(
    r"v?(?P<major>[0-9]{1,19})(?:\.(?P<minor>[0-9]{1,19}))?(?:\.(?P<patch>[0-9]{1,19}))?" + _TAIL.format("")
)
_WILD = r"v?(?P<{0}major>[0-9xX*]+)(?:\.(?P<{0}minor>[0-9xX*]+))?(?:\.(?P<{0}patch>[0-9xX*]+))?" + _TAIL
_TERM = re.compile(r"(?P<operator>!=|>=|=>|<=|=<|~>|=|>|<|~|\^|)\s*(?P<version>" + _WILD.format("") + ")")
_RANGE = re.compile(r"\s*(?P<first>" + _WILD.format("a") + r")\s+-\s+(?P<last>" + _WILD.format("b") + r")\s*")
_SEPARATOR = re.compile(r"\s*,\s*|\s+")


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A semantic version; what follows `+` is no part of its order."""

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    text: str = ""
    """As it was written."""

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """The version a text is, also with a leading `v` or with parts left out; None for any other text."""
        found = _VERSION.fullmatch(text)
        if found is None:
            return None
        major, minor, patch = (int(found[part] or 0) for part in ("major", "minor", "patch"))
        return cls(major, minor, patch, found["pre"] or "", text)

    @property
    def _key(self) -> tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]:
        parts = self.prerelease.split(".") if self.prerelease else []
        # Numbers come before words, and a prerelease before its release.
        order = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)
        return self.major, self.minor, self.patch, not parts, order

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __lt__(self, other: "Version") -> bool:
        return self._key < other._key


@dataclass(frozen=True, slots=True)
class _Term:
    """One comparison; the parts that are left out or `x` are wild."""

    operator: str
    version: Version
    any: bool
    any_minor: bool
    any_patch: bool

    @property
    def wild(self) -> bool:
        return self.any or self.any_minor or self.any_patch

    def holds(self, version: Version) -> bool:
        return _OPERATORS[self.operator](version, self)


class VersionRange:
    """A range such as `>=1.2 <2`, `~1.4`, `^2.0.0-0 || 1.x`, `1.2 - 1.4`."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for a text that is no range."""
        rewritten = _RANGE.sub(lambda found: f">= {found['first']}, <= {found['last']} ", text)
        groups = rewritten.split("||")
        if len(groups) > MOST_GROUPS:
            raise ValueError(f"a range may have {MOST_GROUPS} alternatives")
        self._groups = [_terms(group) for group in groups]

    def allows(self, version: Version) -> bool:
        """Whether a version is in the range. A prerelease is only in one that names a prerelease."""
        return any(
            (not version.prerelease or any(term.version.prerelease for term in group))
            and all(term.holds(version) for term in group)
            for group in self._groups
        )

    def newest(self, texts: Iterable[str]) -> str | None:
        """The text of the newest version in the range; texts that are no versions do not count."""
        versions = (version for text in texts if (version := Version.parse(text)) is not None)
        # Equal ones differ in what follows `+`; which is chosen must not depend on their order.
        newest = max(filter(self.allows, versions), key=lambda found: (found, found.text), default=None)
        return newest.text if newest is not None else None


def _terms(group: str) -> list[_Term]:
    terms: list[_Term] = []
    group, at = group.strip(), 0
    while at < len(group) or not terms:
        found = _TERM.match(group, at)
        if found is None:
            raise ValueError(f"not a version range: {group!r}")
        terms.append(_term(found))
        at = found.end()
        if at < len(group):
            separator = _SEPARATOR.match(group, at)
            if separator is None or separator.end() == len(group):
                raise ValueError(f"not a version range: {group!r}")
            at = separator.end()
    return terms


def _term(found: "re.Match[str]") -> _Term:
    numbers: list[int] = []
    for name in ("major", "minor", "patch"):
        part = found[name]
        if part is None or part in {"x", "X", "*"}:
            break
        if not part.isdigit():
            raise ValueError(f"not a version: {found['version']!r}")
        numbers.append(int(part))
    given = len(numbers)
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    version = Version(major, minor, patch, found["pre"] or "")
    return _Term(found["operator"], version, given == 0, given == 1, given == 2)  # noqa: PLR2004


def _same(version: Version, term: _Term) -> bool:
    return _tilde(version, term) if term.wild else version == term.version


def _differs(version: Version, term: _Term) -> bool:
    wanted = term.version
    if term.wild and not term.any:
        if version.major != wanted.major:
            return True
        if term.any_minor:
            return False
        if version.minor != wanted.minor:
            return True
        return (version.prerelease or wanted.prerelease) != "" and version.prerelease != wanted.prerelease
    if term.any and (version.major, version.minor, version.patch) != (0, 0, 0):
        return True
    return version != wanted


def _above(version: Version, term: _Term) -> bool:
    wanted = term.version
    if not term.wild:
        return version > wanted
    if version.major != wanted.major:
        return version.major > wanted.major
    if term.any_minor:
        return False
    if term.any_patch:
        return version.minor > wanted.minor
    return version > wanted


def _at_most(version: Version, term: _Term) -> bool:
    wanted = term.version
    if not term.wild:
        return version <= wanted
    if version.major > wanted.major:
        return False
    return not (version.major == wanted.major and version.minor > wanted.minor and not term.any_minor)


def _tilde(version: Version, term: _Term) -> bool:
    wanted = term.version
    if version < wanted:
        return False
    if (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0) and not (term.any_minor or term.any_patch):
        return True
    return version.major == wanted.major and (version.minor == wanted.minor or term.any_minor)


def _caret(version: Version, term: _Term) -> bool:
    wanted = term.version
    if version < wanted:
        return False
    if wanted.major > 0 or term.any_minor or version.major > 0:
        return version.major == wanted.major
    if wanted.minor > 0 or term.any_patch or version.minor > 0:
        return version.minor == wanted.minor
    return version.patch == wanted.patch


_OPERATORS: Mapping[str, Callable[[Version, _Term], bool]] = MappingProxyType(
    {
        "": _same,
        "=": _same,
        "!=": _differs,
        ">": _above,
        "<": lambda version, term: version < term.version,
        ">=": lambda version, term: version >= term.version,
        "=>": lambda version, term: version >= term.version,
        "<=": _at_most,
        "=<": _at_most,
        "~": _tilde,
        "~>": _tilde,
        "^": _caret,
    }
)
