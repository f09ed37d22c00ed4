"""Event patterns, as EventBridge matches them. Pure.

Invariant: a pattern is checked once, where it is written, and then any JSON is matched without an error.
Source: Amazon EventBridge user guide, "Event patterns" and "Comparison operators".
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pierhead.engine.outcome import Invalid

MOST_RULES: Final = 1000
_DEEPEST: Final = 20
_ABSENT: Final = object()
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def check(pattern: Mapping[str, Any], field: str) -> None:
    """Raises Invalid, naming the part of `field`, for what EventBridge would not take."""
    if not pattern:
        raise Invalid("an empty pattern matches nothing", field=field)
    if _checked(pattern, field, 0) > MOST_RULES:
        raise Invalid(f"has over {MOST_RULES} conditions", field=field)


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a checked pattern matches an event."""
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(matches(one, event) for one in wanted):
                return False
            continue
        value = event.get(name, _ABSENT)
        if isinstance(wanted, Mapping):
            inner = value if isinstance(value, Mapping) else {}
            if not matches(wanted, inner):
                return False
        elif not _any_of(wanted, value):
            return False
    return True


def _any_of(conditions: list[Any], value: Any) -> bool:
    values = value if isinstance(value, list) and value else [value]
    return any(_holds(condition, one) for condition in conditions for one in values)


def _holds(condition: Any, value: Any) -> bool:
    if not isinstance(condition, Mapping):
        return value is not _ABSENT and _same(condition, value)
    ((operator, bound),) = condition.items()
    if operator == "exists":
        return bool(bound) == (value is not _ABSENT and not isinstance(value, Mapping | list))
    if value is _ABSENT:
        return False
    return _OPERATORS[operator](bound, value)


def _same(one: Any, other: Any) -> bool:
    # In JSON true is not 1.
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _anything_but(bound: Any, value: Any) -> bool:
    if isinstance(bound, Mapping):
        ((operator, inner),) = bound.items()
        options = inner if isinstance(inner, list) else [inner]
        return not any(_OPERATORS[operator](option, value) for option in options)
    return not any(_same(one, value) for one in (bound if isinstance(bound, list) else [bound]))


def _prefix(bound: Any, value: Any) -> bool:
    if isinstance(bound, Mapping):
        return isinstance(value, str) and value.lower().startswith(bound["equals-ignore-case"].lower())
    return isinstance(value, str) and value.startswith(bound)


def _suffix(bound: Any, value: Any) -> bool:
    if isinstance(bound, Mapping):
        return isinstance(value, str) and value.lower().endswith(bound["equals-ignore-case"].lower())
    return isinstance(value, str) and value.endswith(bound)


def _numeric(bound: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(bound[::2], bound[1::2], strict=True)
    return all(_COMPARISONS[comparison](value, limit) for comparison, limit in pairs)


def _wildcard(bound: str, value: Any) -> bool:
    """Each part is looked for behind the one before, so no pattern costs more than the text is long."""
    if not isinstance(value, str):
        return False
    first, *rest = [part.replace("\0", "*") for part in bound.replace(r"\*", "\0").split("*")]
    if not rest:
        return value == first
    *middle, last = rest
    if not value.startswith(first) or len(value) < len(first) + len(last) or not value.endswith(last):
        return False
    at, end = len(first), len(value) - len(last)
    for part in middle:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": lambda bound, value: isinstance(value, str) and value.lower() == bound.lower(),
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
}


def _checked(pattern: Any, field: str, depth: int) -> int:
    """The number of conditions in a part of a pattern."""
    if depth > _DEEPEST:
        raise Invalid(f"is nested more than {_DEEPEST} levels deep", field=field)
    if isinstance(pattern, Mapping):
        count = 0
        for name, inner in pattern.items():
            at = f"{field}.{name}"
            if name == "$or":
                if (
                    not isinstance(inner, list)
                    or not inner
                    or not all(isinstance(one, Mapping) for one in inner)
                ):
                    raise Invalid("takes a list of patterns", field=at)
                count += sum(_checked(one, at, depth + 1) for one in inner)
            else:
                count += _checked(inner, at, depth + 1)
        return count
    if not isinstance(pattern, list) or not pattern:
        raise Invalid("takes a list of values, or further names", field=field)
    for condition in pattern:
        _check_condition(condition, field)
    return len(pattern)


def _check_condition(condition: Any, field: str) -> None:
    if isinstance(condition, list):
        raise Invalid("takes values and comparisons, not lists of them", field=field)
    if not isinstance(condition, Mapping):
        return
    if len(condition) != 1:
        raise Invalid("a comparison has one operator", field=field)
    ((operator, bound),) = condition.items()
    fault = _fault_of(operator, bound)
    if fault:
        raise Invalid(fault, field=field)


def _fault_of(operator: str, bound: Any) -> str:
    if operator not in _FAULTS:
        return f"there is no comparison {operator[:40]!r}; there is {', '.join(sorted(_FAULTS))}"
    return _FAULTS[operator](bound)


def _fault_of_text(bound: Any) -> str:
    return "" if isinstance(bound, str) else "the comparison takes a text"


def _fault_of_end(bound: Any) -> str:
    if not isinstance(bound, Mapping):
        return _fault_of_text(bound)
    inner = list(bound.items())
    fits = len(inner) == 1 and inner[0][0] == "equals-ignore-case" and isinstance(inner[0][1], str)
    return "" if fits else "prefix and suffix take a text, or equals-ignore-case with one"


def _fault_of_wildcard(bound: Any) -> str:
    return "wildcard takes no two * in a row" if "**" in str(bound) else _fault_of_text(bound)


def _fault_of_numeric(bound: Any) -> str:
    most = 4
    fits = (
        isinstance(bound, list)
        and 0 < len(bound) <= most
        and len(bound) % 2 == 0
        and all(comparison in _COMPARISONS for comparison in bound[::2] if isinstance(comparison, str))
        and all(isinstance(comparison, str) for comparison in bound[::2])
        and all(isinstance(limit, int | float) and not isinstance(limit, bool) for limit in bound[1::2])
    )
    return "" if fits else 'numeric takes one or two of =, <, <=, >, >= each with a number: [">", 0, "<=", 5]'


def _fault_of_anything_but(bound: Any) -> str:
    if isinstance(bound, Mapping):
        inner = list(bound.items())
        if len(inner) != 1 or inner[0][0] not in {"prefix", "suffix", "wildcard", "equals-ignore-case"}:
            return "anything-but takes values, or one of prefix, suffix, wildcard, equals-ignore-case"
        options = inner[0][1] if isinstance(inner[0][1], list) else [inner[0][1]]
        return next((fault for option in options if (fault := _fault_of(inner[0][0], option))), "")
    values = bound if isinstance(bound, list) else [bound]
    fits = bool(values) and not any(isinstance(one, Mapping | list) for one in values)
    return "" if fits else "anything-but takes a value or a list of values"


_FAULTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "anything-but": _fault_of_anything_but,
    "equals-ignore-case": _fault_of_text,
    "exists": lambda bound: "" if isinstance(bound, bool) else "exists takes true or false",
    "numeric": _fault_of_numeric,
    "prefix": _fault_of_end,
    "suffix": _fault_of_end,
    "wildcard": _fault_of_wildcard,
}
