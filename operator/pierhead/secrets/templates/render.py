"""From the templates of a spec to what they make of values.

Invariants: whatever happens, it ends in the values of all templates or in one Fault, which names the key, the
line and the cause; no exception leaves, as its frames hold values.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pierhead.engine.properties import Fault
from pierhead.secrets.decide import Decision, Lost, with_template
from pierhead.secrets.model.template import Template
from pierhead.secrets.templates.budget import Refusal

if TYPE_CHECKING:
    from jinja2 import nodes

THREADS: Final = 4

MOST_TEXT: Final = 256 * 1024
"""Characters of all templates of one SyncedSecret."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The templates of one SyncedSecret, all of them in the language."""

    templates: Mapping[str, "nodes.Template"]
    """By key."""

    merge: bool
    """Whether the keys that were read stay beside them."""


class Templates:
    """Parses and renders for all objects of the operator, on threads of its own."""

    def __init__(self) -> None:
        # Few: what one tenant's templates take must be little of the process.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="templates")

    async def parsed(self, template: Template | None) -> Parsed | Fault | None:
        """The templates of a spec, or what is refused of them; None for none."""
        if template is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._threads, parse_all, template)

    async def through(self, templates: Parsed | None, decision: Decision, lost: Lost) -> Decision:
        """A decision whose values have gone through the templates, if there are any and it is to write."""
        if templates is None or decision.action != "Write":
            return decision
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._threads, render_all, templates, decision.data, lost)
        return with_template(decision, made, merge=templates.merge)

    def close(self) -> None:
        """Ends what waits for a thread; what runs is over soon."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def parse_all(template: Template) -> Parsed | Fault:
    """The templates of a spec, or what is refused of them; blocks."""
    from pierhead.secrets.templates.language import parse  # noqa: PLC0415 (most objects have no template)

    total = sum(map(len, template.data.values()))
    if total > MOST_TEXT:
        text = f"spec.template.data: has {total} characters; {MOST_TEXT} is the most"
        return Fault("TemplateInvalid", text)
    templates = {}
    for key, text in template.data.items():
        found = parse(text)
        if isinstance(found, Fault):
            return Fault(found.reason, f"{_place(key)}: {found.message}")
        templates[key] = found
    return Parsed(templates, merge=template.merge_policy == "Merge")


def render_all(
    templates: Parsed, values: Mapping[str, bytes], lost: Lost | None = None
) -> Mapping[str, bytes] | Fault:
    """All values of the Secret, made of the values that were read; blocks."""
    from pierhead.secrets.templates.evaluation import Evaluation  # noqa: PLC0415

    evaluation = Evaluation(values, lost or Lost())
    made: dict[str, bytes] = {}
    for key, template in templates.templates.items():
        fault = None
        try:
            made[key] = evaluation.render(template)
        except Refusal as refusal:
            fault = Fault(refusal.reason, refusal.message)
        except Exception as error:  # noqa: BLE001 (a bug, of which no text and no frame may get out)
            fault = Fault("TemplateFailed", f"fails in pierhead itself, by {type(error).__name__}")
        if fault is not None:
            return Fault(fault.reason, f"{_place(key)}: line {evaluation.line}: {fault.message}")
    if not templates.merge:
        return made
    fault = None
    rest = {key: value for key, value in values.items() if key not in made}
    try:
        for value in rest.values():
            evaluation.keep(value)
    except Refusal as refusal:
        fault = Fault(refusal.reason, f"spec.template: {refusal.message}")
    return {**rest, **made} if fault is None else fault


def _place(key: str) -> str:
    return f"spec.template.data[{key}]"
