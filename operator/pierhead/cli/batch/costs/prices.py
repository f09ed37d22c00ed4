"""What AWS takes for what runs.

Invariant: as in `pierhead.cli.prices`.
"""

from pydantic import Field

from pierhead.cli.prices import PriceList


class Prices(PriceList):
    """Prices for an hour. EC2 is paid by the instance, whatever runs on it: these say what Fargate takes."""

    date: str = "2026-06"
    """When they were read."""

    vcpu_hour: float = Field(default=0.04048, ge=0, alias="vcpuHour")
    """One vCPU. Source: AWS, "Fargate pricing", Linux on x86, on demand, us-east-1."""

    gib_hour: float = Field(default=0.004445, ge=0, alias="gibHour")
    """One GiB of memory. Source: the same."""
