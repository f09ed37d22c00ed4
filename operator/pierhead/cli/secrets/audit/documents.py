"""The values of one document, and which of them look like secrets.

Invariants: pure; what Kubernetes writes itself, what is encrypted, and what its author has allowed is passed
over; a value lives no longer than its judgement.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pierhead.cli.secrets.audit.findings import Finding, Holder
from pierhead.cli.secrets.audit.shapes import Verdict, by_shape, judge, placeholder
from pierhead.cli.secrets.audit.trees import NoTree, Path, Tree, trees
from pierhead.model.patterns import compiled

IGNORE: Final = "pierhead.dev/audit"
"""Annotation: `Ignore` passes over an object, other text over the keys that it lists with commas."""

ALLOW: Final = "pierhead:allow"
"""Comment that passes over its line, or the one below."""

_ENCRYPTED: Final = frozenset({"SealedSecret"})
_DESCRIBING: Final = frozenset({"CustomResourceDefinition"})
_OWN_FIELDS: Final = frozenset({"status", "metadata", "apiVersion", "kind"})
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_PEM_BEGINS: Final = "-----BEGIN "
_PEM_ENDS: Final = "-----END "
_HELM: Final = "helm.sh/release.v1"
_PLAIN: Final = Verdict("SecretManifest", "is in the manifest of a Secret, which encrypts nothing")
_GENERATED: Final = Verdict("SecretGenerator", "is written out for a secretGenerator")
_LINE: Final = r"""^\s*(?:export\s+|-\s+|--?)?["']?([A-Za-z_][\w.-]{0,127})["']?\s*[:=]\s*(\S.*)$"""
_OPTION: Final = r"^-{0,2}([A-Za-z_][\w.-]{0,127})=(.+)$"


@dataclass(frozen=True, slots=True)
class Value:
    """A value, and what it is called. It is in no representation."""

    path: Path
    key: str
    text: str = field(repr=False)
    line: int | None = None


def findings(tree: Tree, holder: Holder) -> Iterator[Finding]:
    """What in a document looks like a secret; `holder` is the file, or the object where there is no file."""
    root = _mapping(tree.value)
    if root.get("kind") == "List" and isinstance(root.get("items"), list):
        for index in range(len(root["items"])):
            yield from findings(_below(tree, ("items", str(index)), root["items"][index]), holder)
        return
    metadata = _mapping(root.get("metadata"))
    annotations = _mapping(metadata.get("annotations"))
    ignored = str(annotations.get(IGNORE) or "")
    encrypted = "mac" in _mapping(root.get("sops"))
    if ignored == "Ignore" or encrypted or root.get("kind") in _ENCRYPTED | _DESCRIBING:
        return
    if root.get("apiVersion") and root.get("kind"):
        holder = Holder(
            holder.file,
            str(root["kind"]),
            metadata.get("namespace") or holder.namespace,
            str(metadata.get("name") or ""),
        )
    allowed = {key.strip() for key in ignored.split(",")}
    for value, verdict in _judged(root or tree.value, tree):
        if value.key not in allowed:
            yield Finding(holder, ".".join(value.path), value.key, verdict, value.line)


def line_findings(text: str, holder: Holder) -> Iterator[Finding]:
    """What looks like a secret in a text that is no document, such as a chart's template."""
    for value in _lines(Value((), "", text, 1), numbered=True):
        verdict = judge(value.key, value.text)
        if verdict is not None:
            yield Finding(holder, value.key, value.key, verdict, value.line)


def env_files(tree: Tree) -> list[str]:
    """Files that a Kustomization makes Secrets of, line by line."""
    generators = _mapping(tree.value).get("secretGenerator")
    found: list[str] = []
    for generator in generators if isinstance(generators, list) else ():
        envs = _mapping(generator).get("envs")
        found += [name for name in envs if isinstance(name, str)] if isinstance(envs, list) else []
        one = _mapping(generator).get("env")
        found += [one] if isinstance(one, str) else []
    return found


def _below(tree: Tree, head: Path, value: Any) -> Tree:
    """A part of a document as a document."""
    size = len(head)
    lines = {path[size:]: line for path, line in tree.lines.items() if path[:size] == head}
    return Tree(value, lines, {path[size:] for path in tree.blocks if path[:size] == head})


def _judged(root: Any, tree: Tree) -> Iterator[tuple[Value, Verdict]]:
    if not isinstance(root, Mapping):
        yield from _judge_all(_values(root, (), tree))
        return
    if root.get("kind") == "Secret" and root.get("apiVersion") == "v1":
        yield from _of_secret(root, tree)
        return
    generators = root.get("secretGenerator")
    if isinstance(generators, list):
        yield from _of_generators(generators, tree)
        root = {key: value for key, value in root.items() if key != "secretGenerator"}
    is_object = "apiVersion" in root and "kind" in root
    for key, value in root.items():
        if not (is_object and key in _OWN_FIELDS):
            yield from _judge_all(_values({key: value}, (), tree))
    annotations = _mapping(_mapping(root.get("metadata")).get("annotations"))
    for key, text in annotations.items():
        path = ("metadata", "annotations", key)
        verdict = by_shape(text) if isinstance(text, str) and key != _LAST_APPLIED else None
        if verdict is not None:
            yield Value(path, key, text, tree.lines.get(path)), verdict


def _judge_all(values: Iterator[Value]) -> Iterator[tuple[Value, Verdict]]:
    for value in values:
        verdict = judge(value.key, value.text)
        if verdict is not None:
            yield value, verdict


def _of_secret(root: Mapping[str, Any], tree: Tree) -> Iterator[tuple[Value, Verdict]]:
    """Every value of a Secret's manifest, which is one whatever it looks like."""
    if root.get("type") == _HELM:
        return
    for place in ("data", "stringData"):
        for key, raw in _mapping(root.get(place)).items():
            text = str(raw or "")
            if place == "data" and not placeholder(text):
                text = _decoded(text)
            if text.strip() and not placeholder(text.strip()):
                path = (place, key)
                yield Value(path, key, text, tree.lines.get(path)), judge(key, text) or _PLAIN


def _of_generators(generators: list[Any], tree: Tree) -> Iterator[tuple[Value, Verdict]]:
    for index, generator in enumerate(generators):
        literals = _mapping(generator).get("literals")
        for number, literal in enumerate(literals if isinstance(literals, list) else ()):
            key, _, text = str(literal or "").partition("=")
            text = text.strip("\"'")
            if text and not placeholder(text):
                path = ("secretGenerator", str(index), "literals", str(number))
                yield Value(path, key, text, tree.lines.get(path)), judge(key, text) or _GENERATED


def _values(value: Any, path: Path, tree: Tree) -> Iterator[Value]:
    """The texts of a document, each with what it is called."""
    if isinstance(value, Mapping):
        if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
            here = (*path, "value")
            yield from _inner(Value(here, value["name"], value["value"], tree.lines.get(here)), tree)
            value = {key: item for key, item in value.items() if key not in {"name", "value"}}
        for key, item in value.items():
            here = (*path, key)
            if isinstance(item, str):
                yield from _inner(Value(here, key, item, tree.lines.get(here)), tree)
            else:
                yield from _values(item, here, tree)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            here = (*path, str(index))
            if isinstance(item, str):
                option = compiled(_OPTION).search(item)
                key, text = (option.group(1), option.group(2)) if option else ("", item)
                yield from _inner(Value(here, key, text, tree.lines.get(here)), tree)
            else:
                yield from _values(item, here, tree)


def _inner(value: Value, tree: Tree) -> Iterator[Value]:
    """A text, or what is in one that is a file."""
    if value.text.lstrip()[:1] in {"{", "["}:
        try:
            nested = list(trees(value.text))
        except NoTree:
            nested = []
        if nested and isinstance(nested[0].value, Mapping | list):
            for inner in _values(nested[0].value, value.path, Tree()):
                yield replace(inner, line=value.line)
            return
    if "\n" in value.text.strip() and by_shape(value.text) is None:
        yield from _lines(value, numbered=value.path in tree.blocks)
    else:
        yield value


def _lines(value: Value, *, numbered: bool) -> Iterator[Value]:
    in_pem = False
    for number, line in enumerate(value.text.split("\n")):
        began = in_pem
        in_pem = _PEM_ENDS not in line and (in_pem or _PEM_BEGINS in line)
        if began:
            continue
        match = compiled(_LINE).search(line[:4096])
        key, text = (match.group(1), _unquoted(match.group(2))) if match else ("", line)
        place = (value.line or 1) + number if numbered else value.line
        yield Value((*value.path, key) if key else value.path, key, text, place)


def _unquoted(text: str) -> str:
    text = text.strip().rstrip(",").rstrip()
    if text[:1] in {'"', "'"}:
        return text[1:].partition(text[0])[0]
    return text.partition(" #")[0].rstrip()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=False).decode(errors="replace")
    except (binascii.Error, ValueError):
        return text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
