"""What git knows of this checkout, and what is about to be committed to it."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """Files that are tracked, or would be by `git add`; all of them, or those that match a pattern."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(ROOT / name for name in sorted(listed.split("\0")) if name and (ROOT / name).is_file())


def text_of(path: Path) -> str:
    """The file's text; empty for what is no text, such as a picture."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def shown(path: Path) -> str:
    """The path as people write it."""
    return str(path.relative_to(ROOT))
