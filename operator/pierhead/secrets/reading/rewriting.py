"""From the names that AWS has to the keys of a Secret. Pure.

Invariants: the order of the names changes nothing; two names never become one key; the time it takes is
linear in the names and bounded, whoever wrote the patterns.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pierhead.engine.properties import Fault, shown
from pierhead.model.patterns import compiled
from pierhead.secrets.model.rewriting import Rewrite

NAME_LIMIT: Final = 1024
"""Characters of a name, before, between and after the steps."""

WORK_LIMIT: Final = 5_000_000
"""Characters times size of a pattern's program, for one step: a tenth of a second of matching at worst."""

KEY_RULE: Final = "keys have letters, digits, -, _ and . only, at most 253"

# Source: Kubernetes, `IsConfigMapKey`.
_KEY: Final = re.compile(r"(?!\.$|\.\.)[-._a-zA-Z0-9]{1,253}")
_GROUP: Final = re.compile(r"\$(?:(\$)|(\d{1,2})|\{(\d{1,2})\}|\{(\w+)\})", re.ASCII)


def keys_of(names: Iterable[str], steps: Sequence[Rewrite], *, what: str) -> dict[str, str] | Fault:
    """The key of each name; `what` a name is, such as `property`, is for the fault."""
    ordered = sorted(names)
    keys = dict(zip(ordered, ordered, strict=True))
    for number, step in enumerate(steps):
        problem = _unfit(keys, what) or _rewrite(keys, step, what)
        if problem is not None:
            return Fault(problem.reason, f"rewrite[{number}]: {problem.message}")
    owners: dict[str, str] = {}
    for name, key in keys.items():
        if not _KEY.fullmatch(key):
            return Fault("BadKey", f"{what} {shown(name)} cannot be a key{_as(name, key)}: {KEY_RULE}")
        if key in owners:
            text = f"{what} {shown(owners[key])} and {what} {shown(name)} both become the key {shown(key)}"
            return Fault("KeyCollision", text)
        owners[key] = name
    return keys


def _rewrite(keys: dict[str, str], step: Rewrite, what: str) -> Fault | None:
    """Carries one step out in place, or says why it cannot be."""
    try:
        pattern = compiled(step.pattern)
    except ValueError as error:
        return Fault("BadPattern", f"the pattern {error}")
    missing = _missing_group(pattern, step.replace)
    if missing is not None:
        return Fault("BadPattern", f"replace names the group {missing}, which the pattern does not have")
    if sum(map(len, keys.values())) * pattern.programsize > WORK_LIMIT:
        return Fault("BadPattern", "the pattern takes too long for so many names; make it smaller")
    for name, key in keys.items():
        changed = _replaced(pattern, step.replace, key)
        if len(changed) > NAME_LIMIT:
            return Fault("BadKey", f"{what} {shown(name)} becomes longer than {NAME_LIMIT} characters")
        keys[name] = changed
    return None


def _replaced(pattern: Any, template: str, text: str) -> str:
    """The text with every match replaced, as Go and RE2 do: no empty match right behind another one."""
    end = -1

    def replacement(match: Any) -> str:
        nonlocal end
        behind, end = end, match.end()
        return "" if match.start() == match.end() == behind else _expanded(match, template)

    return str(pattern.sub(replacement, text))


def _expanded(match: Any, template: str) -> str:
    def group(found: re.Match[str]) -> str:
        dollar, plain, braced, name = found.groups()
        if dollar:
            return dollar
        return match.group(name or int(plain or braced)) or ""

    return _GROUP.sub(group, template)


def _missing_group(pattern: Any, template: str) -> str | None:
    for _, plain, braced, name in _GROUP.findall(template):
        number = plain or braced
        if number and int(number) > pattern.groups:
            return str(number)
        if name and name not in pattern.groupindex:
            return str(name)
    return None


def _unfit(keys: dict[str, str], what: str) -> Fault | None:
    """Why a pattern cannot be looked for: RE2 takes UTF-8, which half a surrogate pair is not."""
    for name, key in keys.items():
        if len(key) > NAME_LIMIT:
            return Fault("BadKey", f"{what} {shown(name)} is longer than {NAME_LIMIT} characters")
        if any("\ud800" <= character <= "\udfff" for character in key):
            return Fault("BadKey", f"{what} {shown(name)} has half a surrogate pair, which no text can hold")
    return None


def _as(name: str, key: str) -> str:
    return "" if key == name else f", as {shown(key)}"
