"""CPU time and peak memory of a process and its children, from /proc.

Invariant: figures are the kernel's own counts since each process began, so nothing is missed between two
looks; a child that has ended counts in its parent's CPU time.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_SIZE = re.compile(r"^(Vm\w+):\s+(\d+) kB$", re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat after the command's name. Source: proc_pid_stat(5).
_PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 1, 11, 12, 13, 14


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process."""

    cpu_seconds: float
    """Its own and that of its children that have ended."""

    peak_rss_mib: float
    rss_mib: float = 0.0
    """Now."""


@dataclass(frozen=True, slots=True)
class TreeUsage:
    """Of a process and its children."""

    process: Usage
    children: tuple[Usage, ...]

    @property
    def cpu_seconds(self) -> float:
        """Of all together."""
        return self.process.cpu_seconds + sum(child.cpu_seconds for child in self.children)

    @property
    def peak_rss_mib(self) -> float:
        """Sum of the peaks: an upper bound of what all had at one time."""
        return self.process.peak_rss_mib + sum(child.peak_rss_mib for child in self.children)

    @property
    def rss_mib(self) -> float:
        """Of all together, now."""
        return self.process.rss_mib + sum(child.rss_mib for child in self.children)


def usage_of(pid: int, proc: Path = Path("/proc")) -> TreeUsage:
    """The process and its direct children. Raises FileNotFoundError when it is gone."""
    children = [child for child in _processes(proc) if _stat(proc, child)[_PARENT] == str(pid)]
    return TreeUsage(_usage(proc, pid), tuple(_usage(proc, child) for child in children))


def _processes(proc: Path) -> list[int]:
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit() and (entry / "stat").exists()]


def _usage(proc: Path, pid: int) -> Usage:
    fields = _stat(proc, pid)
    ticks = sum(int(fields[at]) for at in (_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM))
    sizes = dict(_SIZE.findall((proc / str(pid) / "status").read_text()))
    peak, now = (int(sizes.get(name, 0)) / 1024 for name in ("VmHWM", "VmRSS"))
    return Usage(ticks / _TICKS, peak, now)


def _stat(proc: Path, pid: int) -> list[str]:
    """Fields behind the command's name, which may hold spaces and brackets itself."""
    try:
        return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        # It ended since it was listed.
        return ["", ""]
