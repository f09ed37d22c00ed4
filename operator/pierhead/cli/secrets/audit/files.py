"""A folder of manifests, values and .env files.

Invariant: bounded in files, bytes and depth; links are not followed out of the folder; a file that cannot be
read is told, and costs the others nothing.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pierhead.cli.failures import CommandError
from pierhead.cli.secrets.audit.documents import ALLOW, env_files, findings, line_findings
from pierhead.cli.secrets.audit.findings import Finding, Holder
from pierhead.cli.secrets.audit.trees import NoTree, Tree, trees

LARGEST: Final = 1024 * 1024
MOST_FILES: Final = 20_000
_SKIPPED: Final = frozenset({".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__", ".terraform"})
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_LOCKS: Final = frozenset({"package-lock.json", "composer.lock", "npm-shrinkwrap.json"})


@dataclass(slots=True)
class Scan:
    """What was found in files."""

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    warnings: list[str] = field(default_factory=list)


def scan(root: Path, namespace: str | None = None) -> Scan:
    """Looks at a folder, or at one file. Raises CommandError where there is none."""
    if not root.exists():
        raise CommandError(f"{root}: there is no such file or folder")
    found = Scan()
    forced: set[Path] = set()
    paths = [root] if root.is_file() else list(_paths(root, found))
    for path in paths:
        shown = str(path if root.is_file() else path.relative_to(root))
        text = _text(path, shown, found)
        if text is None:
            continue
        found.files += 1
        holder = Holder(shown, namespace=namespace)
        dotenv = _is_dotenv(path)
        documents = [] if dotenv else _documents(text)
        if documents is None or dotenv:
            here = list(line_findings(text, holder))
        else:
            here = [one for tree in documents for one in findings(tree, holder)]
            forced |= {_beside(path, name) for tree in documents for name in env_files(tree)}
        found.findings += _unallowed(here, text)
    inside = root.resolve() if root.is_dir() else root.resolve().parent
    for path in sorted(forced - {path.resolve() for path in paths}):
        if path.is_relative_to(inside):
            _forced(path, inside, namespace, found)
    return found


def _forced(path: Path, root: Path, namespace: str | None, found: Scan) -> None:
    """A file with a name of its own that a Kustomization makes a Secret of."""
    shown = str(path.relative_to(root))
    text = _text(path, shown, found) if path.is_file() else None
    if text is not None:
        found.files += 1
        found.findings += _unallowed(list(line_findings(text, Holder(shown, namespace=namespace))), text)


def _beside(path: Path, name: str) -> Path:
    return (path.parent / name).resolve()


def _paths(root: Path, found: Scan) -> Iterator[Path]:
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not _is_cache(name))
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_symlink() or name in _LOCKS or not (path.suffix in _SUFFIXES or _is_dotenv(path)):
                continue
            count += 1
            if count > MOST_FILES:
                found.warnings.append(f"only the first {MOST_FILES} files were looked at")
                return
            yield path


def _is_cache(name: str) -> bool:
    return name.startswith(".") and name.endswith("_cache")


def _is_dotenv(path: Path) -> bool:
    return path.name == ".env" or path.name.startswith(".env.") or path.suffix == ".env"


def _text(path: Path, shown: str, found: Scan) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        found.warnings.append(f"{shown} was not looked at: {error.strerror}")
        return None
    if len(content) > LARGEST:
        found.warnings.append(f"{shown} was not looked at: it has more than {LARGEST} bytes")
        return None
    return content.decode(errors="replace")


def _documents(text: str) -> list[Tree] | None:
    try:
        return list(trees(text))
    except NoTree:
        return None


def _unallowed(found: list[Finding], text: str) -> list[Finding]:
    """Without what a comment allows."""
    if ALLOW not in text:
        return found
    lines = text.split("\n")

    def allowed(number: int | None) -> bool:
        if number is None or not 0 < number <= len(lines):
            return False
        above = lines[number - 2].strip() if number > 1 else ""
        return ALLOW in lines[number - 1] or (above.startswith("#") and ALLOW in above)

    return [one for one in found if not allowed(one.line)]
