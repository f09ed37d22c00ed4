"""One local cluster: a control plane, a node, and AWS stand-ins.

Invariant: while a `Sandbox` object is not stopped, everything it names works; when it is stopped or
its process dies, nothing of it is left running.
"""

import os
import re
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pierhead_sandbox import aws_process, kubeconfig, request_counts
from pierhead_sandbox.api import Api
from pierhead_sandbox.aws_process import AwsProcess
from pierhead_sandbox.binaries import Binaries, ensure_control_plane
from pierhead_sandbox.control_plane import ControlPlane, Layout
from pierhead_sandbox.errors import ProcessDied, SandboxError
from pierhead_sandbox.processes import Processes
from pierhead_sandbox.request_counts import RequestKind
from pierhead_sandbox.scratch import Scratch

if TYPE_CHECKING:
    from pierhead_sandbox.aws.control import AwsControl

_ATTEMPTS = 3
_PORT_TAKEN = re.compile(r"address already in use|bind: permission denied")
_TOKEN_SECONDS = 24 * 3600
_POLL_SECONDS = 0.05


class Sandbox:
    """A running sandbox. Made by `Sandbox.start`; a context manager that stops it."""

    def __init__(
        self,
        scratch: Scratch,
        processes: Processes,
        plane: ControlPlane,
        binaries: Binaries,
        stand_in: AwsProcess | None,
    ) -> None:
        self._scratch = scratch
        self._stand_in = stand_in
        self._plane = plane
        self._binaries = binaries
        self.processes = processes
        self.directory = scratch.path
        self.audit_log = plane.audit_log
        self.server = plane.server
        self.ca_file = plane.ca_file
        self.client_cert = plane.admin.certificate
        self.client_key = plane.admin.key
        self.kubeconfig = kubeconfig.write_for_certificate(
            self.directory / "kubeconfig", plane.cluster, plane.admin
        )

    @classmethod
    def start(
        cls,
        directory: Path | None = None,
        *,
        nodes: int = 1,
        aws: bool = True,
        audit: bool = False,
        api_server_flags: Sequence[str] = (),
        binaries: Binaries | None = None,
    ) -> "Sandbox":
        """Start a sandbox and wait until it can run pods.

        `directory` is the folder its own folder is made in (memory, by default); `nodes` how many
        nodes kwok plays; `aws` whether there is an AWS stand-in; `audit` keeps a log of who asked what
        of the API server. Raises SandboxError.
        """
        binaries = binaries or Binaries()
        layout = Layout(
            programs=ensure_control_plane(binaries),
            kwok_stages=binaries.kwok_stages(),
            audit=audit,
            api_server_flags=api_server_flags,
        )
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return cls._start_once(Scratch(directory), layout, binaries, nodes=nodes, aws=aws)
            except ProcessDied as error:
                if attempt == _ATTEMPTS or not _PORT_TAKEN.search(str(error)):
                    raise
        raise AssertionError("the last attempt returns or raises")

    @classmethod
    def _start_once(
        cls, scratch: Scratch, layout: Layout, binaries: Binaries, *, nodes: int, aws: bool
    ) -> "Sandbox":
        with ExitStack() as undo:
            undo.callback(scratch.remove)
            processes = Processes(scratch.path)
            undo.callback(processes.stop)
            # First, because it takes about as long as the control plane and is waited for last.
            stand_in = AwsProcess(processes, scratch.path) if aws else None
            plane = ControlPlane(scratch.path, layout, processes)
            undo.callback(plane.close)
            sandbox = cls(scratch, processes, plane, binaries, stand_in)
            plane.start(nodes)
            if stand_in is not None:
                plane.wait_for("the AWS stand-in", lambda: stand_in.answers)
            undo.pop_all()
        return sandbox

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point Kubernetes and AWS clients at this sandbox."""
        kubernetes = {"KUBECONFIG": str(self.kubeconfig)}
        return kubernetes if self._stand_in is None else {**kubernetes, **self._stand_in.environment}

    @property
    def aws(self) -> "AwsControl":
        """Counters, faults and the Batch of the AWS stand-in. Raises SandboxError when there is none."""
        # Imported here: starting a sandbox needs none of it.
        from pierhead_sandbox.aws.control import AwsControl  # noqa: PLC0415

        if self._stand_in is None:
            raise SandboxError("this sandbox was started with aws=False")
        return AwsControl(self._stand_in.url)

    @property
    def api(self) -> Api:
        """A small client with an administrator's rights."""
        return self._plane.api

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator. Raises CalledProcessError when it fails, unless `check` is off."""
        return subprocess.run(
            [str(self._binaries.path("kubectl")), *arguments],
            env={**os.environ, **self.environment, "KUBECACHEDIR": str(self.directory / "kubectl-cache")},
            input=stdin,
            capture_output=True,
            text=True,
            check=check,
        )

    def established(self, *names: str, seconds: float = 30) -> None:
        """Returns once the CRDs of these names are established. Raises SandboxError.

        Not by `kubectl wait`, which fails for a CRD that has no conditions yet.
        """
        deadline = time.monotonic() + seconds
        waiting = list(names)
        while waiting:
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{waiting[0]}"
            conditions = self.api.json("GET", path).get("status", {}).get("conditions") or ()
            if any((one["type"], one["status"]) == ("Established", "True") for one in conditions):
                waiting.pop(0)
                continue
            if time.monotonic() > deadline:
                raise SandboxError(f"the CRD {waiting[0]} is not established after {seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def service_account_kubeconfig(self, namespace: str, name: str, *, seconds: int = _TOKEN_SECONDS) -> Path:
        """A kubeconfig with a fresh token of a ServiceAccount, valid for `seconds`. Raises ApiFailure."""
        token = self.service_account_token(namespace, name, seconds=seconds)
        path = self.directory / f"{namespace}.{name}.kubeconfig"
        return kubeconfig.write_for_token(path, self._plane.cluster, token, namespace=namespace)

    def service_account_token(self, namespace: str, name: str, *, seconds: int = _TOKEN_SECONDS) -> str:
        """A fresh token of a ServiceAccount, by TokenRequest. Raises ApiFailure."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        token: str = self.api.json("POST", path, request)["status"]["token"]
        return token

    def request_counts(self, user_agent: str | None = None) -> Counter[RequestKind]:
        """Requests answered so far, by kind; subtract two counts to get those between.

        Without `user_agent` all clients' requests since the API server started. With it, those of the
        clients whose user agent starts so (not the control plane's own, which are not logged); raises
        SandboxError unless the sandbox was started with `audit`.
        """
        if user_agent is None:
            return request_counts.from_metrics(self.api.text("GET", "/metrics"))
        return request_counts.from_audit_log(self.flush_audit_log(), user_agent)

    def audit_events(self, user_agent: str) -> Iterator[dict[str, Any]]:
        """The audit log's entries for the requests of clients whose user agent starts so, one a request.

        Raises SandboxError unless the sandbox was started with `audit`.
        """
        return request_counts.audit_events(self.flush_audit_log(), user_agent)

    def flush_audit_log(self) -> Path:
        """The audit log, once it holds everything that was answered before this call.

        Raises SandboxError unless the sandbox was started with `audit`.
        """
        if self.audit_log is None:
            raise SandboxError("who asked is only known in a sandbox started with audit=True")
        self._flush_audit_log(self.audit_log)
        return self.audit_log

    def _flush_audit_log(self, log: Path) -> None:
        """Wait until the log holds everything that was answered before this call.

        An answer can reach its client a moment before its line reaches the log, so a request of our
        own is made and waited for.
        """
        size = log.stat().st_size
        marker = f"marker-{secrets.token_hex(8)}"
        self.api.text("GET", "/api/v1/namespaces/default", user_agent=marker)

        def written() -> bool:
            with log.open() as lines:
                lines.seek(size)
                return marker in lines.read()

        self._plane.wait_for("the audit log", written)

    def restart(self, program: str) -> None:
        """Kill one program of the control plane, start it again, and wait for the API server."""
        self.processes.restart(program)
        self._plane.wait_for("the API server", lambda: self.api.succeeds("/readyz"))

    def create_namespace(self, name: str) -> str:
        """Create a namespace, wait until pods can be created in it, and return its name."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.api.json("POST", "/api/v1/namespaces", body)
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        self._plane.wait_for(f"namespace {name}", lambda: self.api.succeeds(account))
        return name

    def stop(self) -> None:
        """Stop everything and remove the sandbox's folder; again is fine."""
        self.processes.stop(gentle=[aws_process.NAME])
        self._plane.close()
        self._scratch.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
