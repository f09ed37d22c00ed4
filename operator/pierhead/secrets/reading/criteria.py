"""Which secrets and parameters a `find` means. Pure.

Invariant: AWS's filters only narrow a list, as they compare beginnings; what is taken is decided here.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

from pierhead.aws.secretlists import Criteria, ListedSecret
from pierhead.engine.properties import Fault
from pierhead.model.patterns import compiled
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.model.limits import FIND_LIMIT, FOUND_NAME_LENGTH, MOST_FOUND

WORK_LIMIT: Final = 50_000_000
"""Characters of names times size of a pattern's program: a second of matching at worst."""

# Source: Secrets Manager API reference, `Filter`. A `!` in front would turn it round.
_FILTER: Final = re.compile(r"[a-zA-Z0-9 :_@/+=.-]{1,512}", re.ASCII)
_MOST_VALUES: Final = 10


def narrowed(find: FindSource, beginnings: Sequence[str]) -> Criteria:
    """What AWS narrows the list of secrets by; `beginnings` are those of the names that may be read."""
    names = (find.name_prefix,) if find.name_prefix is not None else tuple(beginnings)
    # One tag is enough, as tags are compared here; and keys and values are not compared together there.
    key, value = next(iter(sorted((find.tags or {}).items())), ("", ""))
    return Criteria(
        names=names if len(names) <= _MOST_VALUES and all(map(_FILTER.fullmatch, names)) else (),
        tag_keys=(key,) if _FILTER.fullmatch(key) else (),
        tag_values=(value,) if _FILTER.fullmatch(value) else (),
    )


def names_that_match(find: FindSource, names: Iterable[str]) -> list[str] | Fault:
    """The names that meet what is said of names, in alphabetical order."""
    below = find.below if find.path is not None else find.name_prefix or ""
    found = sorted(name for name in names if name.startswith(below))
    if find.name_regexp is None:
        return found
    try:
        pattern = compiled(find.name_regexp)
    except ValueError as error:
        return Fault("BadPattern", f"nameRegexp {error}")
    if sum(map(len, found)) * pattern.programsize > WORK_LIMIT:
        return Fault("BadPattern", "nameRegexp takes too long for so many names; give a namePrefix")
    return [name for name in found if pattern.search(name)]


def has_tags(find: FindSource, secret: ListedSecret) -> bool:
    """Whether the secret has the tags, with exactly these values."""
    return all(secret.tags.get(key) == value for key, value in (find.tags or {}).items())


def too_much(names: Sequence[str], already: Sequence[str], *, entries: int) -> Fault | None:
    """Why these names are too many, beside those of lines before and so many entries of `spec.data`."""
    most = MOST_FOUND - entries
    if len(names) + len(already) > most:
        return Fault("TooMuchFound", f"finds {len(names)}; {most} in all are the most: narrow it")
    length, longest = sum(map(len, (*names, *already))), most * FOUND_NAME_LENGTH
    if length > longest:
        text = f"the names that are found have {length} characters; {longest} in all are the most"
        return Fault("TooMuchFound", text)
    return None


def described(find: FindSource) -> str:
    """The criteria in one line, another one for every other criteria, of at most `FIND_LIMIT` characters."""
    parts = [
        f"{name} {value}"
        for name, value in (
            ("path", find.path),
            ("namePrefix", find.name_prefix),
            ("nameRegexp", find.name_regexp),
            ("tags", ",".join(f"{key}={value}" for key, value in sorted((find.tags or {}).items()))),
        )
        if value
    ]
    text = " ".join(parts)
    if len(text) <= FIND_LIMIT:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: FIND_LIMIT - len(digest) - 2]}… {digest}"
