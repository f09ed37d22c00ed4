"""Regular expressions that authors of objects write.

Invariant: a pattern is matched in time that is linear in the text's length, whoever wrote it, and its program
takes at most a mebibyte.
"""

from functools import lru_cache
from typing import Any

_PROGRAM_BYTES = 1 << 20


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """A stored pattern, with the methods of a pattern of `re`. Raises ValueError for what is none."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 (3 MiB, for those who use it)

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PROGRAM_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise ValueError("is not a regular expression (RE2 syntax)") from None
