"""What the templates of one SyncedSecret may cost.

Invariants: a step is paid before it is taken, and what an expression takes and gives is paid by its size, so
that no template works longer than its budget, whatever it says; nothing here tells a value.
"""

from typing import Any, Final

from pierhead.engine.outcome import Invalid

MOST_STEPS: Final = 50_000
"""Expressions and statements that are evaluated; each turn of a loop counts what is in it again."""

MOST_WORK: Final = 16 * 1024 * 1024
"""Bytes, roughly, that filters take and give, all together: a second of processor time at the most."""

TEXT_LIMIT: Final = 1024 * 1024
"""Longest text that a filter may make. Source of the number: Kubernetes, `MaxSecretSize`."""

OUTPUT_LIMIT: Final = TEXT_LIMIT
"""Bytes of all values of a Secret."""

DEPTH_LIMIT: Final = 64
"""Deepest nesting of lists and mappings."""

_NODE: Final = 16


class Refusal(Invalid):
    """A template that cannot be rendered. Its message has names of the template's, never a value."""

    default_reason = "TemplateFailed"


class Budget:
    """What is left."""

    __slots__ = ("_output", "_steps", "_work")

    def __init__(self) -> None:
        self._steps = MOST_STEPS
        self._work = MOST_WORK
        self._output = OUTPUT_LIMIT

    def step(self) -> None:
        """Pays one step. Raises Refusal when none is left."""
        self._steps -= 1
        if self._steps < 0:
            raise Refusal(f"takes more than {MOST_STEPS} steps", reason="TemplateTooCostly")

    def work(self, *values: Any) -> None:
        """Pays for these values. Raises Refusal when that is too much."""
        for value in values:
            self._work -= size(value, self._work)
            if self._work < 0:
                raise Refusal(
                    f"handles more than {MOST_WORK >> 20} MiB of text in its filters",
                    reason="TemplateTooCostly",
                )

    def output(self, count: int) -> None:
        """Pays for bytes of the Secret. Raises Refusal when that is too much."""
        self._output -= count
        if self._output < 0:
            raise Refusal(
                f"makes more than {OUTPUT_LIMIT} bytes, with the other keys; that is the most",
                reason="TooLarge",
            )


def size(value: Any, limit: int) -> int:
    """About how many bytes a value holds; counting ends soon after `limit`.

    Raises Refusal for one that is nested too deeply.
    """
    total, waiting = 0, [(value, 0)]
    while waiting and total <= limit:
        item, depth = waiting.pop()
        total += _NODE
        if isinstance(item, (str, bytes)):
            total += len(item)
        elif isinstance(item, (dict, list)):
            if depth >= DEPTH_LIMIT:
                raise Refusal("is nested too deeply")
            if isinstance(item, dict):
                total += sum(map(len, item))
                waiting.extend((member, depth + 1) for member in item.values())
            else:
                waiting.extend((member, depth + 1) for member in item)
    return total


def checked_length(length: int) -> None:
    """Returns when a filter may make a text of this many characters. Raises Refusal."""
    if length > TEXT_LIMIT:
        raise Refusal(f"would make a text of more than {TEXT_LIMIT} characters", reason="TooLarge")
