"""`decide.py` and its parts are functions of their arguments: no clock, no randomness, no I/O, no state.

import-linter holds the imports between our modules; this holds what a module can do without importing ours.
"""

import ast
from collections.abc import Iterator

import pytest

from repository_files import ROOT, shown

KINDS = ROOT / "operator" / "pierhead"
DECISIONS = sorted([*KINDS.glob("*/decide.py"), *KINDS.glob("*/deciding/*.py")])

IMPURE_MODULES = frozenset(
    {
        "asyncio",
        "aiohttp",
        "boto3",
        "botocore",
        "kopf",
        "logging",
        "obstore",
        "os",
        "random",
        "secrets",
        "socket",
    }
    | {"structlog", "subprocess", "sys", "tempfile", "threading", "time", "uuid"}
)
IMPURE_CALLS = frozenset(
    {"open", "print", "input", "now", "utcnow", "today", "monotonic", "time_ns", "urandom"}
)


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each thing that a decision may not use."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (
                    (node.lineno, name.name) for name in names if name.name.split(".")[0] in IMPURE_MODULES
                )
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in IMPURE_MODULES:
                yield node.lineno, module
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in IMPURE_CALLS:
                yield node.lineno, name
            case ast.AsyncFunctionDef() | ast.Await() | ast.Global() | ast.Nonlocal():
                yield node.lineno, type(node).__name__


@pytest.mark.parametrize("path", DECISIONS, ids=shown)
def test_decisions_are_pure(path: object) -> None:
    assert list(impurities(ast.parse(path.read_text()))) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import random", "random"),
        ("from time import monotonic", "time"),
        ("def decide():\n    return datetime.now()", "now"),
        ("async def decide(): ...", "AsyncFunctionDef"),
        ("def decide():\n    global memory", "Global"),
        ("def decide(path):\n    return open(path)", "open"),
    ],
)
def test_what_is_not_pure_is_seen(source: str, found: str) -> None:
    assert found in [name for _, name in impurities(ast.parse(source))]
