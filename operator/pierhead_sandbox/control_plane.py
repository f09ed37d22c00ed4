"""etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok, as programs of this machine.

Invariant: everything listens on loopback only, on ports reserved before; when `start` returns, pods can
be created in the `default` namespace and become Ready.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pierhead_sandbox import kubeconfig
from pierhead_sandbox.api import Api
from pierhead_sandbox.certificates import Authority, KeyPair, signing_key
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.ports import Reservation
from pierhead_sandbox.processes import Processes

_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 90.0
_PORT_SHARING = "--permit-port-sharing=true"

# Who asked for what; and what was written of Events, of our kinds, and of the workloads that we restart, so
# that a value that leaked there is found. Never a Secret, nor a whole AppRelease, whose sources would be most
# of the log. What the control plane itself does is left out: it would be much of it, and nobody counts it.
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "kwok"]
- level: None
  userGroups: ["system:serviceaccounts:kube-system"]
- level: Metadata
  verbs: [get, list, watch]
- level: RequestResponse
  resources:
  - {group: pierhead.dev, resources: [syncedsecrets, syncedsecrets/status]}
- level: Request
  resources:
  - {group: "", resources: [events]}
  - {group: events.k8s.io, resources: [events]}
  - {group: pierhead.dev, resources: [appreleases/status, batchjobs/status]}
  - {group: apps, resources: [deployments, statefulsets, daemonsets]}
  - {group: batch, resources: [cronjobs]}
- level: Metadata
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a control plane is made of."""

    programs: Mapping[str, Path]
    kwok_stages: Sequence[Path]
    audit: bool
    api_server_flags: Sequence[str]


class ControlPlane:
    """A running control plane; its programs belong to `processes`."""

    def __init__(self, directory: Path, layout: Layout, processes: Processes) -> None:
        self._directory = directory
        self._layout = layout
        self.audit_log = directory / "audit.log" if layout.audit else None
        self._processes = processes
        self._ports = {
            name: Reservation()
            for name in ("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
        }
        self._certificates = self._directory / "certificates"
        self._certificates.mkdir()
        self._authority = Authority(self._certificates)
        self.server = f"https://{self._ports['kube-apiserver'].address}"
        self.ca_file = self._authority.files.certificate
        self.admin = self._authority.client("admin", "pierhead-sandbox-admin", "system:masters")
        self.cluster = kubeconfig.Cluster(self.server, self.ca_file)
        self.api = Api.with_certificate(self.server, self.ca_file, self.admin.certificate, self.admin.key)

    def start(self, nodes: int) -> None:
        """Start all of it and wait until it can run pods on `nodes` nodes.

        Raises ProcessDied when a program ends, SandboxError when one does not get ready in time.
        """
        self._start_etcd()
        self._start_api_server()
        self.wait_for("the API server", lambda: self.api.succeeds("/readyz"))
        self._start_controller_manager()
        self._start_scheduler()
        if nodes:
            self._start_kwok()
        for number in range(1, nodes + 1):
            self.api.json("POST", "/api/v1/nodes", _node(f"node-{number}"))
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self.wait_for("the default ServiceAccount", lambda: self.api.succeeds(account))
        self.wait_for("the nodes", self._nodes_ready)

    def close(self) -> None:
        """Give the ports back."""
        for reservation in self._ports.values():
            reservation.close()

    def wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        """Poll until `ready`. Raises ProcessDied when a program ends, SandboxError when time is up."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not ready():
            self._processes.check()
            if time.monotonic() > deadline:
                raise SandboxError(f"{what} did not get ready in {_PATIENCE_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _start_etcd(self) -> None:
        client, peer = self._ports["etcd"].address, self._ports["etcd-peer"].address
        self._run(
            "etcd",
            f"--data-dir={self._directory / 'etcd'}",
            f"--listen-client-urls=http://{client}",
            f"--advertise-client-urls=http://{client}",
            f"--listen-peer-urls=http://{peer}",
            f"--initial-advertise-peer-urls=http://{peer}",
            f"--initial-cluster=default=http://{peer}",
            "--unsafe-no-fsync=true",
            "--socket-reuse-port=true",
            "--log-level=warn",
        )

    def _start_api_server(self) -> None:
        serving = self._authority.serving("kube-apiserver")
        private, public = signing_key(self._certificates, "service-accounts")
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://{self._ports['etcd'].address}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._ports['kube-apiserver'].port}",
            _PORT_SHARING,
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={self.ca_file}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--endpoint-reconciler-type=none",
            *self._audit_flags(),
            *self._layout.api_server_flags,
        )

    def _audit_flags(self) -> Sequence[str]:
        if self.audit_log is None:
            return ()
        policy = self._directory / "audit-policy.yaml"
        policy.write_text(_AUDIT_POLICY)
        return (
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
            # One file, whole: what was rotated away would not be counted.
            "--audit-log-maxsize=0",
        )

    def _start_controller_manager(self) -> None:
        self._run(
            "kube-controller-manager",
            *self._component_flags("kube-controller-manager"),
            f"--root-ca-file={self.ca_file}",
            f"--service-account-private-key-file={self._certificates / 'service-accounts.key'}",
            f"--cluster-signing-cert-file={self.ca_file}",
            f"--cluster-signing-key-file={self._authority.files.key}",
            "--use-service-account-credentials=true",
            "--kube-api-qps=5000",
            "--kube-api-burst=10000",
        )

    def _start_scheduler(self) -> None:
        self._run("kube-scheduler", *self._component_flags("kube-scheduler"))

    def _component_flags(self, name: str) -> Sequence[str]:
        file = self._kubeconfig(name, self._authority.client(name, f"system:{name}"))
        return (
            f"--kubeconfig={file}",
            f"--authentication-kubeconfig={file}",
            f"--authorization-kubeconfig={file}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports[name].port}",
            _PORT_SHARING,
            f"--cert-dir={self._directory / name}",
            "--leader-elect=false",
        )

    def _start_kwok(self) -> None:
        pair = self._authority.client("kwok", "kwok", "system:masters")
        stages = self._directory / "kwok-stages.yaml"
        stages.write_text("\n---\n".join(path.read_text() for path in self._layout.kwok_stages))
        self._run(
            "kwok",
            f"--kubeconfig={self._kubeconfig('kwok', pair)}",
            f"--config={stages}",
            "--manage-all-nodes=true",
            "--cidr=10.64.0.0/16",
            "--node-ip=127.0.0.1",
            "--node-lease-duration-seconds=40",
        )

    def _kubeconfig(self, name: str, pair: KeyPair) -> Path:
        path = self._certificates / f"{name}.kubeconfig"
        return kubeconfig.write_for_certificate(path, self.cluster, pair)

    def _run(self, name: str, *arguments: str) -> None:
        self._processes.start(name, [str(self._layout.programs[name]), *arguments], needed=True)

    def _nodes_ready(self) -> bool:
        return all(
            any(each["type"] == "Ready" and each["status"] == "True" for each in _conditions(node))
            for node in self.api.json("GET", "/api/v1/nodes")["items"]
        )


def _conditions(node: Mapping[str, Mapping[str, list[dict[str, str]]]]) -> list[dict[str, str]]:
    return node.get("status", {}).get("conditions", [])


def _node(name: str) -> dict[str, object]:
    resources = {"cpu": "1000", "memory": "1Ti", "pods": "10000", "ephemeral-storage": "1Ti"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "type": "kwok",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": resources, "allocatable": resources},
    }
