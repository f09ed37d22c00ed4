"""CEL expressions that tenants write over objects.

Invariant: an expression is judged when it is compiled, and costs a bounded time and memory whatever the
object: everybody shares the process that evaluates it, and the evaluator itself knows no budget. What
is missing in the object makes an expression false; anything else that goes wrong names the spec's field.
Source of the language: github.com/google/cel-spec; of the pattern of use: Flux, `healthCheckExprs`.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any

import cel
from pydantic import StringConstraints

from pierhead.engine.outcome import Invalid

LONGEST = 1024
"""Characters of one expression."""

REASON = "InvalidExpression"
"""Of the Invalid that says what is wrong with an expression."""

ExpressionText = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
"""A field that holds an expression."""

LONGEST_VALUE = 65_536
"""Characters of the JSON of an expression's value."""

_SHOWN = 64
_BUDGET = 20_000_000
"""Values that one evaluation may touch: about half a second. Measured: 30 ns each."""

_TEXT_UNIT = 8
"""Characters that count as one value."""

_DEEPEST = 2
_MOST_MAPS = 2
_MOST_ADDITIONS = 8
_MOST_REPETITIONS = 1000
_MACROS = frozenset({"all", "exists", "existsOne", "exists_one", "filter", "map"})
_FUNCTIONS = frozenset(
    {
        "contains",
        "double",
        "duration",
        "dyn",
        "endsWith",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "int",
        "matches",
        "max",
        "min",
        "size",
        "startsWith",
        "string",
        "timestamp",
        "type",
        "uint",
    }
)
_TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})

_LITERAL_OR_COMMENT = re.compile(
    r"""(?P<raw>\bb?rb?(?:"[^"\n]*"|'[^'\n]*'))"""
    r"""|(?P<text>(?:\bb)?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))"""
    r"""|(?P<comment>//[^\n]*)""",
    re.IGNORECASE,
)
_TRIPLE = re.compile(r"\"\"\"|'''")
_MATCHES = re.compile(r"\bmatches\s*\(")
_PATTERN = re.compile(r"\bmatches\s*\(\s*'(\d+)'\s*\)")
_ESCAPE = re.compile(r"\\(?!\\)")
_REPETITION = re.compile(r"\{\s*(\d+)\s*(?:,\s*(\d*)\s*)?\}")
_CALL = re.compile(r"([A-Za-z_]\w*)?\s*\(|\)")
_BOUND = re.compile(r"\b(?:all|exists|existsOne|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,")
_NAME = re.compile(r"[A-Za-z_]\w*")
_FUNCTION = re.compile(r"[Ff]unction(?::)? '(\w+)'")
_POSITION = re.compile(r"<input>:\d+:(\d+): (.*)")


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression."""

    text: str
    field: str
    """Path of the spec field that holds it."""

    _program: cel.Program = dataclass_field(compare=False)
    _source: cel.Program = dataclass_field(compare=False)
    _depth: int
    _steps: int
    _growth: int

    def holds(self, **variables: Any) -> bool:
        """Whether it is true of these variables, JSON values each; false where one lacks a field it reads.

        Raises Invalid, naming the field, for a value of a wrong type, an answer that is no boolean, or an
        object so large that the evaluation would take too long.
        """
        try:
            return bool(self._answer(self._program, variables))
        except LookupError:
            return False

    def value(self, **variables: Any) -> Any:
        """Its JSON value for these variables, JSON values each.

        Raises Invalid, naming the field, for what `holds` does, for a variable that lacks a field it reads,
        and for an answer that is no JSON or over `LONGEST_VALUE` characters.
        """
        try:
            answer = self._answer(self._source, variables)
        except LookupError as error:
            missing = str(error.args[0])[:_SHOWN] if error.args else ""
            raise _invalid(f"there is no {missing!r} in what it reads", self.field) from None
        try:
            text = json.dumps(answer, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise _invalid("its value is no JSON: turn it into a text with string()", self.field) from None
        if len(text) > LONGEST_VALUE:
            raise _invalid(f"its value has {len(text)} characters, at most {LONGEST_VALUE}", self.field)
        return json.loads(text)

    def _answer(self, program: cel.Program, variables: dict[str, Any]) -> Any:
        """Raises Invalid, and LookupError for a field that a variable lacks."""
        size, longest = _extent(variables)
        reach = max(longest, len(self.text) if self._depth else 1) * self._growth
        if self._steps * self._growth * size * (reach**self._depth) > _BUDGET:
            raise _invalid("would take too long on an object of this size: iterate over less", self.field)
        try:
            return program.execute(variables)
        except LookupError:
            raise
        except RuntimeError as error:
            raise _invalid(_refused(error), self.field) from None
        except (ArithmeticError, TypeError, ValueError) as error:
            raise _invalid(_first_line(error), self.field) from None


def compiled(text: str, *, field: str, variables: tuple[str, ...] = ("object",)) -> Expression:
    """The expression in `text`, which may use these variables and no others.

    Raises Invalid, naming `field`, for what is no CEL, or may cost too much.
    """
    bare, literals = _without_literals(text, field)
    calls = _depth_of_macros(bare)
    maps, additions = len(re.findall(r"\bmap\s*\(", bare)), bare.count("+")
    for found, most, what in (
        (len(text), LONGEST, "characters"),
        (calls, _DEEPEST, "levels of nested all, exists, filter or map"),
        (maps, _MOST_MAPS, "uses of map"),
        (additions, _MOST_ADDITIONS, "additions"),
    ):
        if found > most:
            raise _invalid(f"has {found} {what}, and at most {most} are evaluated", field)
    _check_patterns(bare, literals, field)
    try:
        source = cel.compile(text)
        # A line of its own for the closing parenthesis: the text may end in a comment.
        program = cel.compile(f"({text}\n) ? true : false")
    except ValueError as error:
        raise _invalid(_syntax(error), field) from None
    _check_names(source, frozenset(variables) | frozenset(_BOUND.findall(bare)), field)
    return Expression(
        text=text,
        field=field,
        _program=program,
        _source=source,
        _depth=calls,
        _steps=len(_NAME.findall(bare)),
        _growth=2**additions,
    )


class Expressions:
    """The expressions used lately, each compiled once."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, str, tuple[str, ...]], Expression] = OrderedDict()

    def compiled(self, text: str, *, field: str, variables: tuple[str, ...] = ("object",)) -> Expression:
        """As the function of this name."""
        key = (text, field, variables)
        found = self._kept.pop(key, None) or compiled(text, field=field, variables=variables)
        self._kept[key] = found
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return found


def _without_literals(text: str, field: str) -> tuple[str, list[str]]:
    """The text with its literals numbered instead, `'0'`, `'1'`, and without comments; and the literals."""
    literals: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        if found["comment"] is not None:
            return ""
        literals.append(found.group())
        return f"'{len(literals) - 1}'"

    bare = _LITERAL_OR_COMMENT.sub(numbered, text)
    if _TRIPLE.search(text) or "`" in bare:
        raise _invalid("has a text in three quotes or a name in backticks, which is not supported", field)
    return bare, literals


def _depth_of_macros(bare: str) -> int:
    """How deep calls of macros are nested in a text without literals."""
    open_calls: list[bool] = []
    deepest = 0
    for call in _CALL.finditer(bare):
        if call.group().endswith("("):
            open_calls.append(call.group(1) in _MACROS)
            deepest = max(deepest, sum(open_calls))
        elif open_calls:
            open_calls.pop()
    return deepest


def _check_patterns(bare: str, literals: list[str], field: str) -> None:
    """Regular expressions are written out and repeat little: they are compiled at every evaluation."""
    patterns = [literals[int(number)] for number in _PATTERN.findall(bare)]
    odd = any(_ESCAPE.search(pattern.replace("\\\\", "")) for pattern in patterns if pattern[0] in "\"'")
    if odd or len(_MATCHES.findall(bare)) != len(patterns):
        raise _invalid("matches takes one text, written out, with no escape but \\\\", field)
    repetitions = 1
    for low, high in _REPETITION.findall("".join(patterns)):
        repetitions *= max(1, int(low[:9]), int((high or "0")[:9]))
    if repetitions > _MOST_REPETITIONS:
        raise _invalid(f"repeats more than {_MOST_REPETITIONS} times in a regular expression", field)


def _check_names(source: cel.Program, known: frozenset[str], field: str) -> None:
    functions = {name for name in source.functions() if name.isidentifier()} - _FUNCTIONS - _MACROS
    functions = {name for name in functions if not name.startswith("_")}
    if functions:
        raise _invalid(f"there is no function {min(functions)}", field)
    unknown = set(source.variables()) - known - _TYPES
    if unknown:
        raise _invalid(f"there is no variable {min(unknown)}; there is {', '.join(sorted(known))}", field)


def _extent(variables: Mapping[str, Any]) -> tuple[int, int]:
    """How many values there are, long texts counted by their length, and the longest list or map."""
    count, longest = 0, 1
    waiting: list[Any] = list(variables.values())
    while waiting:
        value = waiting.pop()
        count += 1
        if isinstance(value, dict):
            longest = max(longest, len(value))
            waiting.extend(value.values())
            count += sum(map(len, value)) // _TEXT_UNIT
        elif isinstance(value, list):
            longest = max(longest, len(value))
            waiting.extend(value)
        elif isinstance(value, str):
            count += len(value) // _TEXT_UNIT
    return count, longest


def _syntax(error: ValueError) -> str:
    found = _POSITION.search(str(error))
    return f"is no CEL: at {found.group(1)}: {found.group(2)[:200]}" if found else "is no CEL"


def _refused(error: RuntimeError) -> str:
    """What a function would not take, without what it was given: that may be a secret's."""
    named = _FUNCTION.search(str(error))
    if named is None:
        return "cannot be evaluated"
    return f"the function {named.group(1)} does not take what it is given here"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__


def _invalid(message: str, field: str) -> Invalid:
    return Invalid(message, reason=REASON, field=field)
