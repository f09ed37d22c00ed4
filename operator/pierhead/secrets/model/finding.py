"""Secrets and parameters that are found instead of named."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from pierhead.model import Model, Rule, at_least_one
from pierhead.secrets.model.limits import MOST_TAGS
from pierhead.secrets.model.rewriting import pattern_rule

TagKey = Annotated[str, StringConstraints(min_length=1, max_length=128)]
TagValue = Annotated[str, StringConstraints(max_length=256)]


class FindSource(Model):
    """What is looked for; all of the criteria have to be met."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        at_least_one("namePrefix", "nameRegexp", "tags", "path"),
        Rule(
            "!has(self.path) || !(has(self.namePrefix) || has(self.tags))",
            "path is for parameters; namePrefix and tags are for secrets",
            lambda find: not ({"path"} <= find.given() and {"namePrefix", "tags"} & find.given()),
        ),
        pattern_rule("nameRegexp"),
    )

    name_prefix: (
        Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[-A-Za-z0-9/_+=.@]+$")]
        | None
    ) = None
    """What the secret's name begins with."""

    name_regexp: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """RE2 expression that is looked for in the name of the secret, or in the whole name of the parameter."""

    tags: Annotated[dict[TagKey, TagValue], Field(min_length=1, max_length=MOST_TAGS)] | None = None
    """Tags that the secret has, with exactly these values."""

    path: Annotated[str, StringConstraints(max_length=1024, pattern=r"^(/[-a-zA-Z0-9_.]+)+/?$")] | None = None
    """Looks for parameters at any depth below this path instead of secrets, such as /shop/prod. The rest of a
    parameter's name, `db/password` of `/shop/prod/db/password`, is what becomes the key."""

    @property
    def below(self) -> str:
        """The path with one slash at its end; empty without one."""
        return f"{self.path.rstrip('/')}/" if self.path else ""
