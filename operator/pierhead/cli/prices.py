"""Lists of prices that people can replace by their own.

Invariant: a price has the time it was read, and anyone can give others: no figure is shown without that.
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pierhead.cli.failures import CommandError


class PriceList(BaseModel):
    """What every list of prices has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: str
    """When they were read."""

    currency: str = Field(default="USD", max_length=8)


Prices = TypeVar("Prices", bound=PriceList)


def prices_of(kind: type[Prices], path: Path | None) -> Prices:
    """The file's prices, or those that are known here. Raises CommandError for what is no such file."""
    if path is None:
        return kind.model_validate({})
    try:
        given: Any = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        date = str(given.get("date", f"as {path.name} says"))
        return kind.model_validate({**given, "date": date})
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, ValidationError):
        names = ", ".join(field.alias or name for name, field in kind.model_fields.items())
        raise CommandError(f"{path} is no list of prices: {names}") from None
