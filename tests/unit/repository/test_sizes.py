"""No file is over 500 lines and no function over 80, in Python and in Go."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from repository_files import shown, text_of, tracked

FILE_LIMIT = 500
FUNCTION_LIMIT = 80

# gofmt puts the `func` and the closing brace of a function at the line's start.
GO_FUNCTION = re.compile(r"^func (?:\([^)]*\) )?(\w+).*?^}", re.MULTILINE | re.DOTALL)


def python_functions(text: str) -> Iterator[tuple[str, int]]:
    """Each function's name and length."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def go_functions(text: str) -> Iterator[tuple[str, int]]:
    """Each function's name and length."""
    for match in GO_FUNCTION.finditer(text):
        yield match[1], match[0].count("\n") + 1


def too_long(path: Path) -> Iterator[str]:
    text = text_of(path)
    if (lines := text.count("\n")) > FILE_LIMIT:
        yield f"{shown(path)}: {lines} lines"
    functions = python_functions(text) if path.suffix == ".py" else go_functions(text)
    for name, length in functions:
        if length > FUNCTION_LIMIT:
            yield f"{shown(path)}: {name} has {length} lines"


def test_no_file_and_no_function_is_too_long() -> None:
    found = [line for path in tracked("*.py", "*.go") for line in too_long(path)]

    assert found == []


def test_the_measure_sees_long_functions() -> None:
    python = "class A:\n    async def long(self):\n" + "        pass\n" * 90
    go = "func (a *A) long(\n\tb int,\n) error {\n" + "\tif a {\n\t}\n" * 45 + "}\nfunc short() {}\n"

    assert dict(python_functions(python)) == {"long": 91}
    assert dict(go_functions(go))["long"] == 94
