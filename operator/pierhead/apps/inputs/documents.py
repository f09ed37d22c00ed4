"""YAML as Helm reads it, from people who may be careless or hostile.

Invariant: a plain scalar becomes what Go's parser makes of it, so a manifest or values file means here what
it means to Helm: `12:30` and `=` are texts, `0o17` is 15, `y` is true, a date is a text. What comes out can
be walked: aliases that multiply beyond reason, loops and endless nesting are refused, the last before the
parser meets it, whose C code recurses without a limit.
Source: go.yaml.in/yaml/v2, `resolve.go`, and sigs.k8s.io/yaml.
"""

import math
import re
from typing import Any

import yaml

DEEPEST = 200
"""Levels of nesting; the API server's own objects have a few dozen."""

MOST_REPEATED = 100_000
"""Values that may come of aliases, beside those that are written out."""

_NUMBER = "tag:pierhead.dev,2026:number"
_BOOL = "tag:yaml.org,2002:bool"
_LARGEST = 2**64
_LARGEST_PLAIN = 1e21
"""From here on Go writes a whole number with an exponent."""

_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9][0-9]*|0)")
_SHORT = 60
_LONG_RUN = re.compile(rf"[ \t?:-]{{{_SHORT},}}")
_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")


class DocumentError(Exception):
    """What is wrong with a text, and where; never the text, which may hold secrets."""


class _Loader(yaml.CSafeLoader):
    """PyYAML's safe loader with Go's rules for plain scalars."""


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    rules = (
        (_BOOL, "|".join((*_TRUE, *_FALSE)), "yYnNtTfFoO"),
        ("tag:yaml.org,2002:null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("tag:yaml.org,2002:float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "+-."),
        ("tag:yaml.org,2002:merge", "<<", "<"),
        (_NUMBER, r"[-+.0-9][-+.0-9a-fA-FxXoO_]*", "-+.0123456789"),
    )
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, firsts in rules:
        for first in firsts:
            found.setdefault(first, []).append((tag, re.compile(f"(?:{pattern})$")))
    return found


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    text: str = loader.construct_scalar(node)
    plain = text if text.startswith(".") else text.replace("_", "")
    matched = _INTEGER.fullmatch(plain)
    if matched is not None:
        sign, digits = matched.groups()
        found = _integer(digits) * (-1 if sign == "-" else 1)
        if -_LARGEST // 2 <= found < _LARGEST:
            return found
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        if math.isfinite(number):
            return int(number) if number.is_integer() and abs(number) < _LARGEST_PLAIN else number
    return text


def _integer(digits: str) -> int:
    octal = len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567"
    if octal:
        return int(digits, 8)
    return int(digits, 0) if digits[0] == "0" else int(digits[:32])


def _bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    text: str = loader.construct_scalar(node)
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise DocumentError(f"not a boolean{_place(node.start_mark)}")


_Loader.yaml_implicit_resolvers = _resolvers()
_Loader.add_constructor(_NUMBER, _number)
_Loader.add_constructor(_BOOL, _bool)


def load(text: str) -> Any:
    """The only document of a text, to be walked as anybody likes; None for an empty one.

    Raises DocumentError.
    """
    document = load_index(text)
    _check(document)
    return document


def load_index(text: str) -> Any:
    """As `load`, for what is too large to be checked: to look things up in, and not to walk.

    Raises DocumentError.
    """
    try:
        _check_nesting(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except yaml.MarkedYAMLError as error:
        raise DocumentError(f"not YAML: {error.problem}{_place(error.problem_mark)}") from None
    except yaml.YAMLError:
        raise DocumentError("not YAML: it has characters YAML forbids") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        # A scalar whose explicit tag does not fit it; PyYAML takes that for granted.
        raise DocumentError("not YAML: a value is not what its tag says") from None
    except RecursionError:
        raise _too_deep() from None


def _check_nesting(text: str) -> None:
    """Raises DocumentError where libyaml's composer would run out of the thread's stack, and crash.

    No flow collection nests deeper than there are brackets; no block collection deeper than twice the marks
    and spaces before it on its line. Only where both do not tell, the parser's events are followed.
    """
    brackets = text.count("[") + text.count("{")
    if brackets < DEEPEST - 2 * _SHORT and _LONG_RUN.search(text) is None:
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise _too_deep()
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_deep() -> DocumentError:
    return DocumentError(f"nested more than {DEEPEST} levels deep")


def _place(mark: Any) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""


def _check(document: Any) -> None:
    sizes: dict[int, int] = {}
    written = 0

    def size_of(value: Any, above: frozenset[int], depth: int) -> int:
        nonlocal written
        if not isinstance(value, dict | list):
            return 1
        known = sizes.get(id(value))
        if known is not None:
            return known
        if id(value) in above:
            raise DocumentError("an alias stands for something it is part of")
        if depth > DEEPEST:
            raise _too_deep()
        items = value.values() if isinstance(value, dict) else value
        inside = above | {id(value)}
        total = 1
        for item in items:
            total += size_of(item, inside, depth + 1)
        written += 1 + len(value)
        sizes[id(value)] = total
        return total

    total = size_of(document, frozenset(), 0)
    if total - written > MOST_REPEATED:
        raise DocumentError(f"its aliases stand for more than {MOST_REPEATED} values")
