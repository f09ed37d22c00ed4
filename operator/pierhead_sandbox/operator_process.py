"""The operator as a process in a sandbox, with exactly the rights that its chart gives it.

Invariant: the process knows nothing of this one but its environment, its kubeconfig holds a token of the
chart's ServiceAccount, and it dies with the sandbox. The demo, the end-to-end tests and the benchmarks
all run it through here, so a right that the chart forgets fails every one of them.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.paths import repository
from pierhead_sandbox.ports import LOOPBACK
from pierhead_sandbox.processes import Program
from pierhead_sandbox.sandbox import Sandbox

NAMESPACE = "pierhead-system"
SERVICE_ACCOUNT = "pierhead"
USER = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
USER_AGENT = "pierhead/"
"""What the user agent of the operator's own requests begins with."""

_WORKLOADS = frozenset({"Deployment", "PodDisruptionBudget", "Service", "NetworkPolicy"})
_ESTABLISHED_SECONDS = 30
_POLL_SECONDS = 0.05
_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV")
_OK = 200
# Columns of /proc/PID/net/tcp, and the state of a socket that listens. Source: proc_pid_net(5).
_LOCAL, _STATE, _INODE = 1, 3, 9
_LISTENS = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def install(
    sandbox: Sandbox, binaries: Binaries | None = None, *, values: Mapping[str, Any] | None = None
) -> None:
    """Installs the chart's CRDs, ServiceAccount and rights, but no Pod: the process plays its part.

    `values` are the chart's. Raises SandboxError when helm or kubectl refuse, with their words.
    """
    helm = str((binaries or Binaries()).path("helm"))
    chart = str(repository() / "charts" / "pierhead")
    command = [helm, "template", SERVICE_ACCOUNT, chart, "--namespace", NAMESPACE, "--values", "-"]
    try:
        rendered = subprocess.run(
            command, input=json.dumps(dict(values or {})), capture_output=True, text=True, check=True
        ).stdout
        documents = [document for document in yaml.safe_load_all(rendered) if document]
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        kept = [namespace, *(document for document in documents if document["kind"] not in _WORKLOADS)]
        text = "\n---\n".join(json.dumps(document) for document in kept)
        sandbox.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    except subprocess.CalledProcessError as error:
        raise SandboxError(f"installing pierhead failed: {error.stderr.strip()}") from error
    names = (one["metadata"]["name"] for one in kept if one["kind"] == "CustomResourceDefinition")
    sandbox.established(*names, seconds=_ESTABLISHED_SECONDS)


class OperatorProcess:
    """One operator in a sandbox that `install` has prepared."""

    def __init__(
        self, sandbox: Sandbox, *, name: str = "operator", settings: Mapping[str, Any] | None = None
    ) -> None:
        """`name` tells several apart; `settings` are fields of the operator's Settings."""
        self._sandbox = sandbox
        self._name = name
        self._settings = dict(settings or {})
        self._program: Program | None = None

    @property
    def log(self) -> Path:
        """What the operator prints, of all its starts."""
        return self._started().log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._program is not None and self._program.running

    def start(self, *, wait: bool = True, timeout: float = 60) -> Self:
        """Starts it, again if it ended, and waits until it is ready. Raises SandboxError."""
        arguments = [sys.executable, "-m", "pierhead", "run"]
        self._program = self._sandbox.processes.start(self._name, arguments, environment=self._environment())
        if wait:
            self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout: float = 60) -> None:
        """Waits for /readyz: it leads and has seen every object, or stands by for one that leads.

        Raises SandboxError, with the end of its log, when it ends before or is late.
        """
        deadline = time.monotonic() + timeout
        while self._probe() != _OK:
            self._started().check()
            if time.monotonic() > deadline:
                tail = self._started().tail()
                raise SandboxError(f"the operator is not ready after {timeout:g} s; its log ends:\n{tail}")
            time.sleep(_POLL_SECONDS)

    def metrics(self) -> str:
        """The Prometheus text of /metrics. Raises SandboxError while it serves none."""
        address = self._address()
        if address is None:
            raise SandboxError("the operator serves no metrics yet")
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def terminate(self, timeout: float = 35) -> bool:
        """SIGTERM to the operator alone, as a kubelet sends it; whether it ended in time."""
        os.kill(self.pid, signal.SIGTERM)
        return self._started().wait(timeout)

    def kill(self) -> None:
        """SIGKILL to it and all its children, as when its node is lost; returns when it is gone."""
        self._started().kill()

    def _started(self) -> Program:
        if self._program is None:
            raise SandboxError("the operator was not started")
        return self._program

    def _probe(self) -> int:
        address = self._address()
        try:
            if address is not None:
                with urllib.request.urlopen(f"http://{address}/readyz", timeout=2) as answer:
                    return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
        return 0

    def _address(self) -> str | None:
        """Where it serves its probes. The kernel chose the port, so that no other process can have it."""
        port = listening_port(self.pid)
        return None if port is None else f"{LOOPBACK}:{port}"

    def _environment(self) -> dict[str, str]:
        settings: dict[str, Any] = {
            "log_format": "text",
            "namespace": NAMESPACE,
            "probe_address": f"{LOOPBACK}:0",
            "renderer_path": str(Binaries().path("pierhead-renderer")),
            "artifact_directory": str(self._sandbox.directory / f"{self._name}-artifacts"),
            "allow_file_sources": True,
            # All that a sandbox has is on the loopback.
            "refused_source_networks": ["169.254.0.0/16"],
            "batch_poll_seconds": 0.5,
            "batch_settle_seconds": 5,
            **self._settings,
        }
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        given = {f"PIERHEAD_{name.upper()}": _text(value) for name, value in settings.items()}
        kubeconfig = self._sandbox.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
        return {**inherited, **self._sandbox.environment, **given, "KUBECONFIG": str(kubeconfig)}


def listening_port(pid: int) -> int | None:
    """The TCP port on which a process listens; None while it listens on none, or is gone."""
    try:
        own = {inode for link in Path(f"/proc/{pid}/fd").iterdir() if (inode := _socket_of(link))}
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return None
    for columns in map(str.split, lines):
        if columns[_STATE] == _LISTENS and columns[_INODE] in own:
            return int(columns[_LOCAL].rpartition(":")[2], 16)
    return None


def _socket_of(link: Path) -> str | None:
    try:
        match = _SOCKET.fullmatch(str(link.readlink()))
    except OSError:
        # Closed since it was listed.
        return None
    return match[1] if match else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
