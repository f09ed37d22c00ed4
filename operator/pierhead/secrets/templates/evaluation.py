"""Evaluates a template that is in the language.

Invariants: every node that is evaluated is paid before; nothing is called but the filters that are listed;
whatever fails is a Refusal, which has the line and the filter and no value.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jinja2 import nodes

from pierhead.engine.properties import shown
from pierhead.secrets.decide import Lost
from pierhead.secrets.templates.budget import Budget, Refusal
from pierhead.secrets.templates.filters import credentials
from pierhead.secrets.templates.filters.table import FILTERS
from pierhead.secrets.templates.language import targets
from pierhead.secrets.templates.pkcs12 import Stores
from pierhead.secrets.templates.values import (
    Undefined,
    equal,
    from_bytes,
    kind,
    listing,
    text,
    to_bytes,
)

Scope = Mapping[str, Any]
"""The names that loops have set."""

_NOTHING: Final[Scope] = {}


class Evaluation:
    """The templates of one Secret, over one set of values."""

    def __init__(self, values: Mapping[str, bytes], lost: Lost) -> None:
        self._values = values
        self._lost = lost
        self._budget = Budget()
        self._stores = Stores()
        self.line = 0
        """Line of what is evaluated now."""

    def render(self, template: nodes.Template) -> bytes:
        """What a template gives. Raises Refusal."""
        return b"".join(self._body(template.body, _NOTHING))

    def keep(self, value: bytes) -> None:
        """Pays for a value that is in the Secret beside the templates'. Raises Refusal."""
        self._budget.output(len(value))

    def _body(self, body: list[nodes.Node], scope: Scope) -> Iterator[bytes]:
        for node in body:
            self._budget.step()
            self.line = node.lineno
            match node:
                case nodes.Output():
                    yield from self._output(node, scope)
                case nodes.If():
                    yield from self._body(self._branch(node, scope), scope)
                case nodes.For():
                    names = targets(node)
                    for values in self._turns(node, scope, len(names)):
                        inner = {**scope, **dict(zip(names, values, strict=True))}
                        yield from self._body(node.body, inner)

    def _output(self, node: nodes.Output, scope: Scope) -> Iterator[bytes]:
        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                made = part.data.encode()
            else:
                value = self._value(part, scope)
                if isinstance(value, (dict, list)):
                    raise Refusal(f"cannot write {kind(value)}; tojson, toyaml, join or get makes text of it")
                if value is None:
                    raise Refusal("cannot write null; the filter default takes its place", reason="NullValue")
                made = to_bytes(value)
            self._budget.output(len(made))
            yield made

    def _branch(self, node: nodes.If, scope: Scope) -> list[nodes.Node]:
        if self._true(node.test, scope):
            return node.body
        for other in node.elif_:
            self._budget.step()
            if self._true(other.test, scope):
                return other.body
        return node.else_

    def _turns(self, node: nodes.For, scope: Scope, names: int) -> Iterator[tuple[Any, ...]]:
        value = self._value(node.iter, scope)
        if names == 1:
            if isinstance(value, dict):
                raise Refusal("a mapping is looped over by two names: for name, item in mapping")
            items: list[tuple[Any, ...]] = [(item,) for item in listing(value)]
        else:
            if not isinstance(value, dict):
                raise Refusal(f"two names loop over a mapping, and are given {kind(value)}")
            items = list(value.items())
        self._budget.work(value)
        for item in items:
            self._budget.step()
            yield item

    def _true(self, node: nodes.Node, scope: Scope) -> bool:
        value = self._value(node, scope)
        if isinstance(value, Undefined):
            raise value.refusal()
        return bool(value)

    def _value(self, node: nodes.Node, scope: Scope) -> Any:  # noqa: C901, PLR0911 (one branch a construct)
        self._budget.step()
        self.line = node.lineno
        match node:
            case nodes.Const(value=value):
                return value
            case nodes.Name(name=name):
                return scope[name] if name in scope else self._key(name)
            case nodes.Filter():
                return self._filtered(node, scope)
            case nodes.List(items=items):
                made = [self._defined(item, scope) for item in items]
                self._budget.work(made)
                return made
            case nodes.Dict(items=pairs):
                members = {
                    text(self._value(pair.key, scope)): self._defined(pair.value, scope) for pair in pairs
                }
                self._budget.work(members)
                return members
            case nodes.Not(node=inner):
                return not self._true(inner, scope)
            case nodes.And(left=left, right=right):
                return self._true(left, scope) and self._true(right, scope)
            case nodes.Or(left=left, right=right):
                return self._true(left, scope) or self._true(right, scope)
            case nodes.Test(node=inner):
                return not isinstance(self._value(inner, scope), Undefined)
            case nodes.CondExpr():
                return self._either(node, scope)
            case nodes.Compare(expr=left, ops=[operand]):
                return self._compared(left, operand.op, operand.expr, scope)
        raise Refusal(f"not in the language: {type(node).__name__}")

    def _defined(self, node: nodes.Node, scope: Scope) -> Any:
        value = self._value(node, scope)
        if isinstance(value, Undefined):
            raise value.refusal()
        return value

    def _either(self, node: nodes.CondExpr, scope: Scope) -> Any:
        if self._true(node.test, scope):
            return self._value(node.expr1, scope)
        return "" if node.expr2 is None else self._value(node.expr2, scope)

    def _compared(self, first: nodes.Node, operator: str, second: nodes.Node, scope: Scope) -> bool:
        left, right = self._defined(first, scope), self._defined(second, scope)
        self._budget.work(left, right)
        if operator in {"eq", "ne"}:
            return equal(left, right) == (operator == "eq")
        if isinstance(right, dict):
            found = text(left) in right
        elif isinstance(right, list):
            found = any(equal(left, item) for item in right)
        else:
            found = text(left) in text(right)
        return found == (operator == "in")

    def _key(self, name: str) -> Any:
        if name not in self._values:
            if self._lost.rest or name in self._lost.keys:
                raise _gone(f"the key {shown(name)}")
            return Undefined(f"the key {shown(name)}")
        value = from_bytes(self._values[name])
        self._budget.work(value)
        return value

    def _keys(self, pattern: str) -> dict[str, Any]:
        if pattern[-1:] != "*" or "*" in pattern[:-1]:
            raise Refusal("takes the head of names and a * at its end")
        if self._lost.rest or any(name.startswith(pattern[:-1]) for name in self._lost.keys):
            raise _gone(f"a key {shown(pattern)}")
        names = sorted(name for name in self._values if name.startswith(pattern[:-1]))
        return {name: self._key(name) for name in names}

    def _filtered(self, node: nodes.Filter, scope: Scope) -> Any:
        assert node.node is not None, "the language holds it"  # noqa: S101
        value = self._value(node.node, scope)
        self.line = node.lineno
        if node.name == "default":
            missing = value is None or isinstance(value, Undefined)
            return self._value(node.args[0], scope) if missing else value
        try:
            if isinstance(value, Undefined):
                raise value.refusal()
            arguments = [self._defined(argument, scope) for argument in node.args]
            self._budget.work(value, *arguments)
            made = self._call(node.name, value, arguments)
            if not isinstance(made, Undefined):
                self._budget.work(made)
        except _Named:
            raise
        except Refusal as refusal:
            raise _Named(f"filter {node.name}: {refusal.message}", reason=refusal.reason) from None
        return made

    def _call(self, name: str, value: Any, arguments: list[Any]) -> Any:
        if name in {"key", "keys"}:
            return self._key(text(value)) if name == "key" else self._keys(text(value))
        if name == "pkcs12":
            part, password = arguments[0], text(arguments[1]) if len(arguments) > 1 else ""
            store = self._stores.open(to_bytes(value), password)
            return credentials.taken(part, store.keys, store.certificates)
        call = FILTERS[name].call
        assert call is not None, "the table has it"  # noqa: S101
        return call(value, *arguments)


def _gone(what: str) -> Refusal:
    return Refusal(
        f"{what} was there, and what it came from is no more to be had; the Secret stays as it is",
        reason="SourceGone",
    )


class _Named(Refusal):
    """A refusal that says already which filter it comes from."""
