"""The command line as a process, against the session's sandbox."""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.errors
        return json.loads(self.output)

    @property
    def documents(self) -> list[Any]:
        assert self.code == 0, self.errors
        return list(yaml.safe_load_all(self.output))


class CommandLine:
    """Runs `pierhead app …`, or another group, in one namespace, with nothing of this machine's setup."""

    def __init__(
        self, environment: dict[str, str], namespace: str, home: Path, *, group: str = "app"
    ) -> None:
        self._group = group
        self._environment = {**environment, "HOME": str(home)}
        self._namespace = namespace
        self._said: list[str] = []

    def sinks(self) -> Iterator[tuple[str, str]]:
        """What was printed, where no secret value may be."""
        yield "command", "\n".join(self._said)

    async def __call__(self, *arguments: str, given: str = "", cluster: bool = True) -> Done:
        place = ("--namespace", self._namespace) if cluster else ()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pierhead", self._group, *arguments, *place),
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate(given.encode())
        self._said += [output.decode(), errors.decode()]
        return Done(process.returncode or 0, output.decode(), errors.decode())
