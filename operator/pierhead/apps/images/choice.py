"""Which tag an image is to have, as a pure function of the policy, the repository and the scans.

Invariant: what is chosen is the first tag in the policy's order that is not held, but never one that comes
before the present choice in that order while that one is still there: going back is a person's decision.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from pierhead.apps.model.images import ImageUpdate, TagPattern, compiled
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
    """None while the scan of the only candidate is not known."""

    scans: tuple[str, ...] = ()


def choose(
    policy: ImageUpdate,
    tags: Mapping[str, str],
    present: Choice | None,
    scan_of: Callable[[str], Scan | None],
) -> Judged:
    """`tags` are the repository's, with their digests; `present` is the choice in force."""
    ordered = candidates(policy, tags)
    if present is not None and present.tag not in ordered:
        present = None
    held: list[Held] = []
    asked: list[str] = []
    for tag in ordered:
        digest = tags[tag]
        if present is not None and (tag, digest) == (present.tag, present.digest):
            return Judged(_kept(policy, present, held), tuple(asked))
        reason: str | None = None
        if policy.max_severity is not None:
            asked.append(digest)
            scan = scan_of(digest)
            if scan is None:
                return Judged(_kept(policy, present, held) if present else None, tuple(asked))
            reason = objection(scan, policy.max_severity)
        if reason is None:
            return Judged(Choice(tag, digest, _praise(policy, held), tuple(held)), tuple(asked))
        held.append(Held(tag, reason))
        if present is not None and tag == present.tag:
            return Judged(_kept(policy, present, held), tuple(asked))
        if len(held) == HELD_LIMIT:
            break
    if present is not None:
        return Judged(_kept(policy, present, held), tuple(asked))
    return Judged(Nothing(matching=bool(ordered), held=tuple(held)), tuple(asked))


def candidates(policy: ImageUpdate, tags: Iterable[str]) -> list[str]:
    """The tags that match, the best first."""
    if policy.semver is not None:
        allowed = _parsed(policy.semver)
        versions = [(version, tag) for tag in tags if (version := Version.parse(tag)) is not None]
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


def _praise(policy: ImageUpdate, held: list[Held]) -> str:
    which = f"highest version in {policy.semver}" if policy.semver is not None else "last tag that matches"
    return f"{which} that is not held" if held else which


def _kept(policy: ImageUpdate, present: Choice, held: list[Held]) -> Choice:
    reason = f"kept: {held[0].tag} is held" if held else _praise(policy, held)
    return Choice(present.tag, present.digest, reason, tuple(held))
