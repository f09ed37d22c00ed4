"""How the process finds its credentials, and what it says of settings it cannot use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pierhead.kube.credentials import CredentialsError
from pierhead.run import log_in

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
