"""YAML and JSON with the lines that their values stand on.

Invariant: bounded: what is nested too deeply is no tree, and what is named twice is looked at once, so that
no document costs more than its text is long.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

_DEEPEST: Final = 64
_TAG: Final = "tag:yaml.org,2002:"
_BLOCKS: Final = frozenset({"|", ">"})

Path = tuple[str, ...]


@dataclass(slots=True)
class Tree:
    """One document: its values, all scalars as text, and where each begins."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    """Line from 1; of a block, its first line of text."""

    blocks: set[Path] = field(default_factory=set)
    """Texts whose lines are lines of the file."""


class NoTree(Exception):
    """The text is no YAML, or too deeply nested to be looked at as such."""


def trees(text: str) -> Iterator[Tree]:
    """The documents of a text. Raises NoTree."""
    if _depth(text) > _DEEPEST:
        raise NoTree
    try:
        for node in yaml.compose_all(text, Loader=yaml.CSafeLoader):
            if node is not None:
                tree = Tree()
                tree.value = _grown(node, (), tree, set())
                yield tree
    except (yaml.YAMLError, RecursionError, ValueError):
        raise NoTree from None


def _grown(node: yaml.Node, path: Path, tree: Tree, seen: set[int]) -> Any:
    tree.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        if node.style in _BLOCKS:
            tree.lines[path] += 1
            tree.blocks.add(path)
        return None if node.tag in {f"{_TAG}null", f"{_TAG}bool"} else str(node.value)
    if id(node) in seen or len(path) > _DEEPEST:
        return None
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            found[name] = _grown(value, (*path, name), tree, seen)
        return found
    return [_grown(item, (*path, str(index)), tree, seen) for index, item in enumerate(node.value)]


def _depth(text: str) -> int:
    """How deeply brackets are nested at most, texts in quotes included; PyYAML's parser has no bound."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return 0
    depth = most = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            most = max(most, depth)
        elif letter in "]}":
            depth -= 1
    return most


def tree_of(obj: Mapping[str, Any]) -> Tree:
    """An object of the cluster, which has no lines."""
    return Tree(_text(obj))


def _text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_text(item) for item in value]
    return None if value is None or isinstance(value, bool) else str(value)
