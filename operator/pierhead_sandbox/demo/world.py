"""The sandbox of the demo with everything in it, and the tools it is looked at with.

Invariant: an administrator's rights are used to look and to play the people around the operator; the
operator itself runs with its chart's rights only.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.demo.observed import Observed
from pierhead_sandbox.demo.shop import Shop
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.operator_process import OperatorProcess
from pierhead_sandbox.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class World:
    """What the checks of the demo look at."""

    sandbox: Sandbox
    shop: Shop
    operator: OperatorProcess
    observed: Observed

    def helm(self, *arguments: str) -> str:
        """What helm prints. Raises SandboxError with its words when it fails."""
        return run_helm(self.sandbox, *arguments)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints. Raises SandboxError with its words when it fails."""
        done = self.sandbox.kubectl(*arguments, check=False)
        if done.returncode != 0:
            raise SandboxError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> Any:
        """`kubectl get … -o json`, read."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))


def run_helm(sandbox: Sandbox, *arguments: str) -> str:
    """What helm prints. Raises SandboxError with its words when it fails."""
    home = {"HOME": str(sandbox.directory)}
    command = [str(Binaries().path("helm")), *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, **sandbox.environment, **home},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SandboxError(f"helm {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def write_environment(sandbox: Sandbox) -> Path:
    """A file to `source`: the sandbox's environment, with kubectl and helm on the PATH."""
    programs = sandbox.directory / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("kubectl", "helm"):
        link = programs / name
        if not link.is_symlink():
            link.symlink_to(Binaries().path(name))
    lines = [f"export {name}={value}" for name, value in sandbox.environment.items()]
    path = sandbox.directory / "environment"
    path.write_text("\n".join([*lines, f'export PATH="{programs}:$PATH"', ""]))
    return path
