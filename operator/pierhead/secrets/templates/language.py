"""What a template may say.

Invariants: the text is parsed by Jinja2 and never compiled or run by it; a construct that is not listed here
is refused by its name, whatever Jinja2 makes of it; what has passed is bounded in depth, so it can be walked
by recursion.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from pierhead.engine.properties import Fault, shown
from pierhead.secrets.templates.filters.table import FILTERS

DEPTH_LIMIT: Final = 32
"""Deepest nesting of statements, expressions and filters in one template."""

_LARGEST_NUMBER: Final = 2**63
_LONGEST_REPORT: Final = 160
_COMPARISONS: Final = frozenset({"eq", "ne", "in", "notin"})

_ATTRIBUTE: Final = 'access by . or [ ]; use the filter get, or "…" | key for a key with dots or dashes'
_NAMES: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Getattr: _ATTRIBUTE,
    nodes.Getitem: _ATTRIBUTE,
    nodes.Slice: "a slice",
    nodes.Call: "a call; only filters are there to be called",
    nodes.Concat: "~; write one output after the other",
    nodes.Mod: "%",
    nodes.Mul: "*",
    nodes.Pow: "**",
    nodes.Add: "+",
    nodes.Sub: '-; a key with dashes is "…" | key',
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Neg: "a negative number; write it as text",
    nodes.Pos: "+",
    nodes.Tuple: "( , ); write a list as [ , ]",
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% from %}",
    nodes.Extends: "{% extends %}",
    nodes.Block: "{% block %}",
    nodes.Macro: "{% macro %}",
    nodes.CallBlock: "{% call %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.With: "{% with %}",
    nodes.Scope: "{% autoescape %}",
}


class _Refused(Exception):
    """A construct that is not in the language."""

    def __init__(self, node: nodes.Node, what: str) -> None:
        super().__init__(what)
        self.line = node.lineno
        self.what = what


def parse(text: str) -> nodes.Template | Fault:
    """The template in a text, or what of it is refused, with its line."""
    environment = Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701 (makes no HTML)
    fault = None
    try:
        template = environment.parse(text)
        _check(template, 0)
    except TemplateSyntaxError as error:
        fault = _invalid(error.lineno, (error.message or "is not a template")[:_LONGEST_REPORT])
    except _Refused as error:
        fault = _invalid(error.line, error.what)
    except (RecursionError, MemoryError):
        fault = _invalid(None, "is nested too deeply")
    except (ValueError, OverflowError):
        fault = _invalid(None, "has a number that is too long")
    return template if fault is None else fault


def _invalid(line: int | None, message: str) -> Fault:
    place = "" if line is None else f"line {line}: "
    return Fault("TemplateInvalid", f"{place}{message}")


def _check(node: nodes.Node, depth: int) -> None:
    """Returns when everything in the node is in the language. Raises _Refused."""
    if depth > DEPTH_LIMIT:
        raise _Refused(node, "is nested too deeply")
    for child in _parts(node):
        _check(child, depth + 1)


def _parts(node: nodes.Node) -> Iterator[nodes.Node]:  # noqa: C901, PLR0912 (one branch a construct)
    """What has to be checked in a node that is itself in the language. Raises _Refused."""
    match node:
        case nodes.Template() | nodes.Output():
            yield from node.iter_child_nodes()
        case nodes.TemplateData(data=str(value)) | nodes.Const(value=str(value)):
            if not _encodable(value):
                raise _Refused(node, "has half a surrogate pair, which no text can hold")
        case nodes.Const(value=None | bool()):
            pass
        case nodes.Const(value=int(value)):
            if value > _LARGEST_NUMBER:
                raise _Refused(node, "has a number that is too long; write it as text")
        case nodes.Const():
            raise _Refused(node, "a number with a point is not in the language; write it as text")
        case nodes.Name(ctx="load"):
            pass
        case nodes.List() | nodes.And() | nodes.Or() | nodes.Not() | nodes.CondExpr() | nodes.If():
            yield from node.iter_child_nodes()
        case nodes.Dict():
            for pair in node.items:
                if not isinstance(pair.key, nodes.Const) or not isinstance(pair.key.value, str):
                    raise _Refused(pair, "a mapping's names are texts in quotes")
                yield pair.key
                yield pair.value
        case nodes.Compare(ops=[nodes.Operand(op=op)]) if op in _COMPARISONS:
            yield node.expr
            yield node.ops[0].expr
        case nodes.Compare():
            raise _Refused(node, "of comparisons, ==, !=, in and not in are in the language, one at a time")
        case nodes.Test(name="defined", args=[], kwargs=[], dyn_args=None, dyn_kwargs=None):
            yield node.node
        case nodes.Test():
            raise _Refused(node, f"there is no test {shown(str(node.name))}; the only one is defined")
        case nodes.Filter():
            yield from _filter(node)
        case nodes.For():
            yield from _loop(node)
        case _:
            what = _NAMES.get(type(node), type(node).__name__)
            raise _Refused(node, f"not in the language: {what}")


def _filter(node: nodes.Filter) -> Iterator[nodes.Node]:
    rule = FILTERS.get(node.name)
    if rule is None:
        raise _Refused(node, f"there is no filter {shown(str(node.name))}")
    if node.node is None or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise _Refused(node, f"filter {node.name}: arguments have no names and are not unpacked")
    if not rule.least <= len(node.args) <= rule.most:
        raise _Refused(node, f"filter {node.name}: is written {rule.usage}")
    for argument in rule.constants:
        given = [node.node, *node.args][argument : argument + 1]
        if given and not isinstance(given[0], nodes.Const):
            raise _Refused(node, f"filter {node.name}: is written {rule.usage}, with a constant there")
    yield node.node
    yield from node.args


def _loop(node: nodes.For) -> Iterator[nodes.Node]:
    if node.else_ or node.test is not None or node.recursive:
        raise _Refused(node, "a loop has no else, no if of its own and is not recursive")
    if not targets(node):
        raise _Refused(node, "a loop is written for item in list, or for name, item in mapping")
    yield node.iter
    yield from node.body


def targets(loop: nodes.For) -> tuple[str, ...]:
    """The one or two names that a loop sets; empty where it sets anything else."""
    target = loop.target
    names = target.items if isinstance(target, nodes.Tuple) else [target]
    if len(names) > 2 or not all(isinstance(name, nodes.Name) for name in names):  # noqa: PLR2004
        return ()
    return tuple(name.name for name in names if isinstance(name, nodes.Name))


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
