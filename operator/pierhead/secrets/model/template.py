"""How the Secret is made of what was read.

Invariant: a template decides what is in the Secret's keys and nothing else of it: neither type nor metadata.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.model import Model, Rule
from pierhead.secrets.model.limits import MOST_KEYS
from pierhead.secrets.model.sources import DataKey

TemplateText = Annotated[str, StringConstraints(max_length=65536)]


class Template(Model):
    """How the Secret is made of what was read."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.data.all(key, key != '.' && !key.startsWith('..'))",
            "a key must not be . and not begin with ..",
            lambda template: all(key != "." and not key.startswith("..") for key in template.data),
        ),
    )

    data: dict[DataKey, TemplateText] = Field(min_length=1, max_length=MOST_KEYS)
    """Text of keys, in as much of Jinja2's language as docs/templates.md describes: the name of a key of
    `spec.data` or `spec.dataFrom` between double braces is its value."""

    merge_policy: Literal["Replace", "Merge"] | None = None
    """Whether the Secret has only the keys of the template (`Replace`), or the keys that were read as well
    (`Merge`), of which the template's win. Defaults to Replace."""
