"""What AWS takes for calls.

Invariant: as in `pierhead.cli.prices`.
"""

from pathlib import Path

from pydantic import Field

from pierhead.cli.prices import PriceList, prices_of


class Prices(PriceList):
    """Prices for 10,000 calls. Storage of secrets and KMS's share are not in them."""

    date: str = "2026-08"
    """When they were read."""

    secret_calls: float = Field(default=0.05, ge=0, alias="secretCallsPer10000")
    """Secrets Manager. Source: AWS, "Secrets Manager pricing"; the same in most regions."""

    parameter_calls: float = Field(default=0.0, ge=0, alias="parameterCallsPer10000")
    """Parameter Store at standard throughput, standard parameters."""


def prices(path: Path | None) -> Prices:
    """The file's prices, or those that are known here. Raises CommandError for what is no such file."""
    return prices_of(Prices, path)
