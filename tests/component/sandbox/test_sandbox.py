"""The control plane is a real one."""

import json
import socket
import ssl
import struct
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pierhead_sandbox.errors import ApiFailure, SandboxError

_LISTENING = "0A"


def test_a_deployment_becomes_available(sandbox, namespace):
    sandbox.kubectl("-n", namespace, "create", "deployment", "web", "--image=any", "--replicas=2")
    sandbox.kubectl("-n", namespace, "wait", "deployment/web", "--for=condition=Available", "--timeout=60s")
    pods = json.loads(sandbox.kubectl("-n", namespace, "get", "pods", "-o", "json").stdout)["items"]
    assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]


def test_a_job_completes(sandbox, namespace):
    sandbox.kubectl("-n", namespace, "create", "job", "once", "--image=any")
    sandbox.kubectl("-n", namespace, "wait", "job/once", "--for=condition=Complete", "--timeout=60s")


def test_owned_objects_are_collected_with_their_owner(sandbox, namespace):
    sandbox.kubectl("-n", namespace, "create", "deployment", "web", "--image=any")
    sandbox.kubectl("-n", namespace, "wait", "deployment/web", "--for=condition=Available", "--timeout=60s")
    sandbox.kubectl("-n", namespace, "delete", "deployment", "web", "--cascade=foreground", "--timeout=60s")
    assert sandbox.kubectl("-n", namespace, "get", "replicasets", "-o", "name").stdout == ""


def test_it_reports_the_pinned_version(sandbox):
    version = json.loads(sandbox.kubectl("version", "-o", "json").stdout)
    assert version["serverVersion"]["gitVersion"] == version["clientVersion"]["gitVersion"]
    assert version["serverVersion"]["minor"] == "36"


def test_the_kubeconfig_of_a_service_account_is_that_account(sandbox, namespace):
    path = sandbox.service_account_kubeconfig(namespace, "default")
    who = json.loads(sandbox.kubectl("--kubeconfig", str(path), "auth", "whoami", "-o", "json").stdout)
    assert who["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        sandbox.kubectl("--kubeconfig", str(path), "get", "secrets")
    assert "forbidden" in refused.value.stderr
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_account_that_does_not_exist_is_said_so(sandbox, namespace):
    with pytest.raises(ApiFailure, match="404"):
        sandbox.service_account_kubeconfig(namespace, "nobody")


def test_each_test_gets_a_fresh_namespace(sandbox, namespace):
    answer = sandbox.api.json("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
    assert answer["metadata"]["namespace"] == namespace
    assert sandbox.api.json("GET", f"/api/v1/namespaces/{namespace}/configmaps")["items"][1:] == []


def test_strict_tls_from_python_is_satisfied(sandbox):
    context = ssl.create_default_context(cafile=sandbox.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(sandbox.client_cert, sandbox.client_key)
    address = urlsplit(sandbox.server)
    with (
        socket.create_connection((address.hostname, address.port)) as plain,
        context.wrap_socket(plain, server_hostname=address.hostname) as connection,
    ):
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_nothing_listens_beyond_loopback(sandbox):
    for name, pid in sandbox.processes.pids().items():
        for address in _listening(pid):
            assert address.startswith("127."), f"{name} listens on {address}"


def test_requests_are_counted_in_total_and_by_who_asked(sandbox, namespace):
    before, mine = sandbox.request_counts(), sandbox.request_counts("counted/1")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}}
    for _ in range(5):
        sandbox.api.text("POST", path, body, user_agent="counted/1.0")
    sandbox.api.text("POST", path + "?dryRun=All", body, user_agent="counted/1.0")
    sandbox.api.text("GET", path, user_agent="other")

    mine = sandbox.request_counts("counted/1") - mine
    assert sorted((kind.verb, kind.resource, kind.writes, count) for kind, count in mine.items()) == [
        ("create", "configmaps", False, 1),
        ("create", "configmaps", True, 5),
    ]
    total = sandbox.request_counts() - before
    assert sum(count for kind, count in total.items() if kind.resource == "configmaps" and kind.writes) >= 5


def _listening(pid):
    """Local IPv4 and IPv6 addresses that the process listens on."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = str(link.readlink())
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and fields[9] in sockets:
                packed = bytes.fromhex(fields[1].partition(":")[0])
                words = struct.unpack(f"<{len(packed) // 4}I", packed)
                yield socket.inet_ntop(family, struct.pack(f">{len(words)}I", *words))


def test_who_asked_needs_the_audit_log(sandbox, monkeypatch):
    monkeypatch.setattr(sandbox, "audit_log", None)
    with pytest.raises(SandboxError, match="audit=True"):
        sandbox.request_counts("kubectl")
