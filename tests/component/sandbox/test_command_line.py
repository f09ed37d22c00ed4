"""`pierhead-sandbox`, as a person runs it."""

import json
import os
import secrets
import select
import signal
import subprocess
import sys

import pytest

from pierhead_sandbox.state import NamedSandbox


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pierhead_sandbox", *arguments], capture_output=True, text=True, check=False
    )


def status(name):
    return json.loads(run("status", "--json", "--name", name).stdout)


@pytest.fixture
def name():
    fresh = f"test-{secrets.token_hex(4)}"
    yield fresh
    named = NamedSandbox(fresh)
    named.stop()
    (named.directory.parent / f"{fresh}.lock").unlink(missing_ok=True)


def test_up_exec_status_down(name):
    started = run("up", "--name", name)
    assert started.returncode == 0, started.stderr
    environment_file = started.stdout.strip()

    again = run("up", "--name", name)
    assert (again.returncode, again.stdout.strip()) == (0, environment_file)
    assert "up already" in again.stderr

    described = status(name)
    assert described["phase"] == "up"
    assert "kube-apiserver" in described["programs"]

    nodes = run("exec", "--name", name, "--", "kubectl", "get", "nodes", "-o", "name")
    assert nodes.stdout == "node/node-1\n"
    assert run("exec", "--name", name, "--", "sh", "-c", "exit 7").returncode == 7
    assert run("exec", "--name", name, "--", "no-such-command").returncode == 127
    sourced = subprocess.run(
        ["/bin/sh", "-c", f". {environment_file}; echo $KUBECONFIG; echo $AWS_ENDPOINT_URL"],
        capture_output=True,
        text=True,
        check=True,
    )
    kubeconfig, endpoint = sourced.stdout.split()
    assert os.access(kubeconfig, os.R_OK)
    assert endpoint.startswith("http://127.0.0.1:")

    handles = [os.pidfd_open(pid) for pid in described["programs"].values()]
    assert run("down", "--name", name).returncode == 0
    # `down` returns when everything has ended, not before.
    assert set(select.select(handles, [], [], 0)[0]) == set(handles)
    for handle in handles:
        os.close(handle)
    assert status(name)["phase"] == "down"


def test_a_killed_supervisor_is_recognised_cleaned_and_replaced(name):
    assert run("up", "--name", name).returncode == 0
    supervisor = NamedSandbox(name).supervisor()
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    assert status(name)["phase"] == "crashed"
    assert status(name)["phase"] == "down"
    refused = run("exec", "--name", name, "--", "true")
    assert refused.returncode == 1
    assert f"sandbox {name} is down; start it with" in refused.stderr
    assert run("up", "--name", name).returncode == 0
    assert status(name)["phase"] == "up"


def test_a_sandbox_that_lost_a_program_ends_and_says_why(name):
    assert run("up", "--name", name).returncode == 0
    supervisor = NamedSandbox(name).supervisor()
    assert supervisor is not None
    handle = os.pidfd_open(supervisor)
    os.kill(status(name)["programs"]["kube-scheduler"], signal.SIGKILL)
    assert select.select([handle], [], [], 30)[0]
    os.close(handle)
    described = status(name)
    assert described["phase"] == "failed"
    assert "kube-scheduler ended with status -9" in described["failure"]


def test_a_bad_name_is_one_message():
    done = run("up", "--name", "No_Good")
    assert done.returncode == 1
    assert done.stderr.startswith("pierhead-sandbox: 'No_Good' cannot name a sandbox")
    assert "Traceback" not in done.stderr


def test_down_without_a_sandbox_is_fine(name):
    done = run("down", "--name", name)
    assert done.returncode == 0
    assert "was not up" in done.stderr
