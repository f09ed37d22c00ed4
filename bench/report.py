"""What a benchmark found, for people and for programs.

Invariant: the last line on standard output is one JSON object that begins with the agreed keys, in their
order; everything else a benchmark says goes before it.
"""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.lab import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run."""

    benchmark: str
    n: int
    seconds: float
    """From the first apply of the custom resources until the last one is Ready."""
    limit_seconds: float | None
    """The bare client loop, in the same run; None where there is nothing to compare with."""
    api_requests_per_object: float
    """The operator's own, a custom resource."""
    aws_calls_per_object: float
    cpu_seconds: float
    """Operator and renderers."""
    peak_rss_mib: float
    """Operator and renderers, the sum of their peaks."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        benchmark: str,
        measured: Measured,
        *,
        n: int,
        limit_seconds: float | None = None,
        objects: int | None = None,
        seconds: float | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> "Result":
        """The result of what was measured.

        There are `n` custom resources, unless `objects` says otherwise; `figures` come first among the rest.
        """
        count = objects or n
        return cls(
            benchmark=benchmark,
            n=n,
            seconds=measured.seconds if seconds is None else seconds,
            limit_seconds=limit_seconds,
            api_requests_per_object=measured.api_requests.total() / count,
            aws_calls_per_object=measured.aws_calls.total() / count,
            cpu_seconds=measured.cpu_seconds,
            peak_rss_mib=measured.after.peak_rss_mib,
            extra={**(figures or {}), **measured.extra(count)},
        )

    @property
    def ratio(self) -> float | None:
        """How many times the limit's time it took."""
        return self.seconds / self.limit_seconds if self.limit_seconds else None

    def line(self) -> str:
        """The JSON object."""
        agreed = {
            "benchmark": self.benchmark,
            "n": self.n,
            "seconds": round(self.seconds, 3),
            "limit_seconds": _rounded(self.limit_seconds, 3),
            "ratio": _rounded(self.ratio, 2),
            "api_requests_per_object": round(self.api_requests_per_object, 3),
            "aws_calls_per_object": round(self.aws_calls_per_object, 4),
            "cpu_seconds": round(self.cpu_seconds, 2),
            "peak_rss_mib": round(self.peak_rss_mib, 1),
        }
        return json.dumps({**agreed, **machine(), **self.extra})

    def table(self) -> Table:
        """The same for people."""
        table = Table(
            "", "", box=box.SIMPLE_HEAD, show_header=False, title=f"{self.benchmark}, n = {self.n:,}"
        )
        table.columns[1].justify = "right"
        rows: list[tuple[str, Any]] = [
            ("time until the last is Ready", f"{self.seconds:.1f} s"),
            ("the same by a bare client loop", _text(self.limit_seconds, " s")),
            ("ratio", _text(self.ratio)),
            ("the operator's API requests a custom resource", f"{self.api_requests_per_object:.2f}"),
            ("AWS calls a custom resource", f"{self.aws_calls_per_object:.3f}"),
            ("CPU time, operator and renderers", f"{self.cpu_seconds:.1f} s"),
            ("peak memory, operator and renderers", f"{self.peak_rss_mib:.0f} MiB"),
        ]
        for name, value in rows:
            table.add_row(name, value)
        table.add_section()
        for name, value in {**self.extra, **machine()}.items():
            table.add_row(name.replace("_", " "), _cell(value), style="dim")
        return table

    def show(self) -> None:
        """Prints both."""
        Console().print(self.table())
        print(self.line(), flush=True)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _text(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.1f}{unit}"


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name} {count}" for name, count in value.items())
    return str(value)


def machine() -> dict[str, Any]:
    """What it ran on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "python": platform.python_version(),
    }
