"""How names become keys."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from pierhead.model import Model, Rule
from pierhead.model.patterns import compiled


def is_pattern(pattern: str | None) -> bool:
    """Whether it is a regular expression, or not given."""
    if pattern is None:
        return True
    try:
        compiled(pattern)
    except ValueError:
        return False
    return True


def pattern_rule(field: str) -> Rule:
    """The rule that this field holds a regular expression, if it is given. `field` is named as in YAML."""
    # CEL's `matches` takes RE2 too, and an error in it refuses the object.
    return Rule(
        f"!has(self.{field}) || type(''.matches(self.{field})) == bool",
        f"{field} is not a regular expression (RE2 syntax)",
        lambda model: is_pattern(getattr(model, _python_name(model, field))),
    )


def _python_name(model: Model, field: str) -> str:
    return next(name for name, info in type(model).model_fields.items() if (info.alias or name) == field)


class Rewrite(Model):
    """One step from names to keys."""

    __rules__: ClassVar[tuple[Rule, ...]] = (pattern_rule("pattern"),)

    pattern: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """RE2 expression; each place of the name that matches is replaced (`^` and `$` tie it to the ends)."""

    replace: Annotated[
        str,
        StringConstraints(
            max_length=256,
            pattern=r"^([^$]|\$\$|\$[0-9]{1,2}|\$\{[0-9]{1,2}\}|\$\{[A-Za-z_][A-Za-z0-9_]*\})*$",
        ),
    ]
    """What stands there instead: `$1`, `${1}` and `${name}` are groups of the pattern, `$0` is all of it,
    `$$` is a dollar."""
