"""What AWS takes for calls.

Invariant: a price has the month it was read in, and anyone can give others: no figure is shown without that.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pierhead.cli.failures import CommandError


class Prices(BaseModel):
    """Prices for 10,000 calls. Storage of secrets and KMS's share are not in them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: str = "2026-08"
    """When they were read."""

    currency: str = Field(default="USD", max_length=8)

    secret_calls: float = Field(default=0.05, ge=0, alias="secretCallsPer10000")
    """Secrets Manager. Source: AWS, "Secrets Manager pricing"; the same in most regions."""

    parameter_calls: float = Field(default=0.0, ge=0, alias="parameterCallsPer10000")
    """Parameter Store at standard throughput, standard parameters."""


def prices(path: Path | None) -> Prices:
    """The file's prices, or those that are known here. Raises CommandError for what is no such file."""
    if path is None:
        return Prices()
    try:
        given: Any = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        date = str(given.get("date", f"as {path.name} says"))
        return Prices.model_validate({**given, "date": date})
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, ValidationError):
        raise CommandError(
            f"{path} is no list of prices: date, currency, secretCallsPer10000, parameterCallsPer10000"
        ) from None
