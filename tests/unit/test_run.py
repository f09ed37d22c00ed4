"""How the process finds its credentials, and what it says of settings it cannot use."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import Invalid
from pierhead.kinds import open_services
from pierhead.kube.client import Client
from pierhead.kube.credentials import CredentialsError
from pierhead.run import log_in
from pierhead.settings import Settings

KUBECONFIG = """
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: me, user: {token: abc}}]
"""


def test_a_kubeconfig_is_used_outside_of_a_cluster(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    assert log_in({"KUBECONFIG": str(path)}).server == "https://127.0.0.1:6443"


def test_the_home_directorys_kubeconfig_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(KUBECONFIG)
    assert log_in({"HOME": str(tmp_path)}).server == "https://127.0.0.1:6443"


def test_without_any_credentials_it_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"not in a pod.*no kubeconfig at"):
        log_in({"HOME": str(tmp_path)})


def run_with(**environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "pierhead", "run"],
        env={**kept, "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_setting_that_cannot_be_used_is_named_and_not_quoted() -> None:
    ended = run_with(PIERHEAD_WORKERS="hunter2", PIERHEAD_PROBE_ADDRESS="nowhere")
    assert ended.returncode == 2
    assert "PIERHEAD_WORKERS: " in ended.stderr
    assert "PIERHEAD_PROBE_ADDRESS: " in ended.stderr
    assert "hunter2" not in ended.stderr


def test_a_process_without_credentials_ends_with_a_line_about_it() -> None:
    ended = run_with(PIERHEAD_LOG_FORMAT="text")
    assert ended.returncode == 2
    assert "cannot log in" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_what_others_load_for_the_command_line_is_not_in_memory() -> None:
    ended = run_with(PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert {"kopf", "structlog.dev"} <= loaded
    assert not loaded & {"kubernetes.config", "rich.console", "typer.main"}


def test_every_kind_loads_in_the_process_without_what_the_command_line_needs() -> None:
    program = """
import importlib, sys, types
import pierhead.__main__ as door
sys.modules["pierhead.run"] = types.SimpleNamespace(run=lambda: None)
sys.argv[1:] = ["run"]
door.main()
del sys.modules["pierhead.run"]
for name in ("run", "apps.assembly", "secrets.reconcile", "batch.reconcile"):
    importlib.import_module(f"pierhead.{name}")
print([name for name in ("typer", "prompt_toolkit", "rich", "kubernetes", "re2") if sys.modules.get(name)])
"""
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "[]"


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run_with(KUBECONFIG=str(path), PIERHEAD_PROBE_ADDRESS=address, PIERHEAD_LOG_FORMAT="text")
    assert ended.returncode == 1
    assert "cannot start" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "rule", [{"namespaces": ["a"]}, {"namespaces": [], "powers": ["*"], "values": ["*"]}]
)
async def test_a_malformed_policy_is_named_by_its_setting(rule: dict[str, object]) -> None:
    settings = Settings(aws_policy=(rule,), kinds=("BatchJob",))
    with pytest.raises(Invalid, match="PIERHEAD_AWS_POLICY"):
        async with open_services(settings, cast("Client", None), Metrics("test")):
            pass
