"""Where the sandbox keeps things.

Invariant: nothing is written inside the checkout, and what a cache folder's entry is called depends
on everything that went into it, so an entry is never changed once it is there.
"""

import os
from pathlib import Path

from pierhead_sandbox.errors import SandboxError


def cache_directory() -> Path:
    """`$PIERHEAD_CACHE`, or `~/.cache/pierhead`. Created when missing."""
    named = os.environ.get("PIERHEAD_CACHE")
    path = Path(named).expanduser().resolve() if named else Path.home() / ".cache" / "pierhead"
    path.mkdir(parents=True, exist_ok=True)
    return path


def named_sandboxes_directory() -> Path:
    """Where the sandboxes started by `pierhead-sandbox up` keep their state, one folder a name."""
    path = cache_directory() / "sandboxes"
    path.mkdir(parents=True, exist_ok=True)
    return path


def repository() -> Path:
    """The root of the checkout this package runs from.

    Raises SandboxError when installed without one: the programs are built from the checkout's modules.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / "tools" / "kube" / "go.mod").is_file():
        raise SandboxError(
            "pierhead_sandbox builds its programs from tools/ and renderer/ of a pierhead checkout, "
            f"and there is none at {root}: install with `pip install -e .` in a checkout"
        )
    return root
