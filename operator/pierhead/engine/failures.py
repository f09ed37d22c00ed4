"""What may be said about an exception nobody foresaw.

Invariant: its text and its values go nowhere, because they may hold a secret; where it was raised, and what
class it is, go to the log.
"""

import traceback


def described(error: BaseException) -> dict[str, object]:
    """Log fields: the classes from the outermost to the first cause, and the frames of each."""
    chain: list[str] = []
    frames: list[str] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 5:  # noqa: PLR2004 (deep enough to find any bug)
        chain.append(type(current).__qualname__)
        frames.extend(
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)[-20:]
        )
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return {"error": " <- ".join(chain), "frames": frames}
