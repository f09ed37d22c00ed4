"""Which tag an image is to have, as a pure function of the policy, the repository and the scans.

Invariant: what is chosen is the first tag in the policy's order that is not held, but never one that comes
before the present choice in that order while that one is still there: going back is a person's decision.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from pierhead.apps.model.images import ImageUpdate, TagPattern
from pierhead.model.patterns import compiled
from pierhead.versions import Version, VersionRange

HELD_LIMIT = 10
"""Tags that are looked at behind each other because those before them are held."""

_RANKS: Mapping[str, int] = MappingProxyType(
    {"NONE": 0, "UNTRIAGED": 1, "UNDEFINED": 1, "INFORMATIONAL": 1, "LOW": 2, "MEDIUM": 3, "HIGH": 4}
)
_HIGHEST = 5


@dataclass(frozen=True, slots=True)
class Scan:
    """What ECR says of one image; `counts` are findings by severity."""

    finished: bool
    status: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Held:
    """A tag that is held back."""

    tag: str
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A tag and what it stands for."""

    tag: str
    digest: str
    reason: str
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """No tag can be chosen."""

    matching: bool
    """Whether any tag matches the policy."""

    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a policy, and the images whose scans it rests on."""

    outcome: Choice | Nothing | None
    """None while the only candidate's digest or scan is not known."""

    scans: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """The tags whose digests it rests on."""


def choose(
    policy: ImageUpdate,
    tags: Mapping[str, str | None],
    present: Choice | None,
    scan_of: Callable[[str], Scan | None],
) -> Judged:
    """`tags` are the repository's, with their digests if known; `present` is the choice in force."""
    ordered = candidates(policy, tags)
    search = _Search(policy, tags, present if present and present.tag in ordered else None, scan_of)
    for tag in ordered:
        judged = search.judge(tag)
        if judged is not None:
            return judged
        if len(search.held) == HELD_LIMIT:
            break
    return search.ended(matching=bool(ordered))


class _Search:
    """A look at one tag after the other, the best first."""

    def __init__(
        self,
        policy: ImageUpdate,
        tags: Mapping[str, str | None],
        present: Choice | None,
        scan_of: Callable[[str], Scan | None],
    ) -> None:
        self._policy = policy
        self._tags = tags
        self._present = present
        self._scan_of = scan_of
        self._asked: list[str] = []
        self._looked: list[str] = []
        self.held: list[Held] = []

    def judge(self, tag: str) -> Judged | None:
        """What comes of the search where it ends with this tag; None where the tag is held."""
        self._looked.append(tag)
        digest, present = self._tags[tag], self._present
        if digest is None or (present is not None and (tag, digest) == (present.tag, present.digest)):
            return self._stay()
        if self._policy.max_severity is not None:
            self._asked.append(digest)
            scan = self._scan_of(digest)
            if scan is None:
                return self._stay()
            reason = objection(scan, self._policy.max_severity)
            if reason is not None:
                self.held.append(Held(tag, reason))
                return self._stay() if present is not None and tag == present.tag else None
        return self._judged(Choice(tag, digest, self._praise(), tuple(self.held)))

    def ended(self, *, matching: bool) -> Judged:
        """What comes of a search that found nothing."""
        if self._present is not None:
            return self._stay()
        return self._judged(Nothing(matching=matching, held=tuple(self.held)))

    def _stay(self) -> Judged:
        """The present choice, if there is one, or to wait for an answer."""
        if self._present is None:
            return self._judged(None)
        reason = f"kept: {self.held[0].tag} is held" if self.held else self._praise()
        return self._judged(Choice(self._present.tag, self._present.digest, reason, tuple(self.held)))

    def _judged(self, outcome: Choice | Nothing | None) -> Judged:
        return Judged(outcome, tuple(self._asked), tuple(self._looked))

    def _praise(self) -> str:
        semver = self._policy.semver
        which = f"highest version in {semver}" if semver is not None else "last tag that matches"
        return f"{which} that is not held" if self.held else which


def candidates(policy: ImageUpdate, tags: Iterable[str]) -> list[str]:
    """The tags that match, the best first."""
    if policy.semver is not None:
        allowed = _parsed(policy.semver)
        # A tag has no `+`: `_` is written for it.
        parsed = ((Version.parse(tag.replace("_", "+")), tag) for tag in tags)
        versions = [(version, tag) for version, tag in parsed if version is not None]
        return [tag for version, tag in sorted(versions, reverse=True) if allowed.allows(version)]
    assert policy.regexp is not None, "the model holds exactly one"  # noqa: S101
    return _matching(policy.regexp, tags)


def objection(scan: Scan, worst_allowed: str) -> str | None:
    """Why an image is held; None where nothing is found that is worse than allowed."""
    if not scan.finished:
        return f"its scan is not finished ({scan.status})"
    limit = _RANKS.get(worst_allowed, _HIGHEST)
    ranked = sorted((-_RANKS.get(name, _HIGHEST), name) for name, count in scan.counts.items() if count)
    worse = [name for rank, name in ranked if -rank > limit]
    if not worse:
        return None
    return "findings: " + ", ".join(f"{scan.counts[name]} {name}" for name in worse)


def _matching(regexp: TagPattern, tags: Iterable[str]) -> list[str]:
    pattern = compiled(regexp.pattern)
    keyed: list[tuple[tuple[int, str], str]] = []
    for tag in tags:
        found = pattern.search(tag)
        if found is None:
            continue
        key = found.group(1) if pattern.groups else tag
        if key is None:
            continue
        if regexp.order == "Alphabetical":
            keyed.append(((0, key), tag))
        elif key.isascii() and key.isdigit():
            keyed.append(((int(key), ""), tag))
    return [tag for _, tag in sorted(keyed, reverse=True)]


@lru_cache(maxsize=256)
def _parsed(text: str) -> VersionRange:
    return VersionRange(text)
