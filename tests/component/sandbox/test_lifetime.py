"""Sandboxes start fast, beside each other, and never outlive their process."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pierhead_sandbox.errors import ProcessDied
from pierhead_sandbox.sandbox import Sandbox

PARENT = """
import json, threading
from pierhead_sandbox.sandbox import Sandbox
sandbox = Sandbox.start(nodes=0)
print(json.dumps({"pids": sandbox.processes.pids(), "directory": str(sandbox.directory)}), flush=True)
threading.Event().wait()
"""


def _end_in_time(handles, seconds=15):
    deadline = time.monotonic() + seconds
    waiting = set(handles)
    while waiting and (left := deadline - time.monotonic()) > 0:
        waiting.difference_update(select.select(list(waiting), [], [], left)[0])
    return not waiting


def test_a_killed_process_leaves_no_program_behind():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        told = json.loads(parent.stdout.readline())
        assert {"etcd", "kube-apiserver", "aws"} <= set(told["pids"])
        handles = [os.pidfd_open(pid) for pid in told["pids"].values()]
        parent.send_signal(signal.SIGKILL)
        assert _end_in_time(handles)
    for handle in handles:
        os.close(handle)


def test_several_are_up_at_once_and_know_nothing_of_each_other(capsys):
    def start():
        begun = time.monotonic()
        # In a thread that ends: the programs must not end with it.
        return Sandbox.start(), time.monotonic() - begun

    with ThreadPoolExecutor(2) as pool:
        started = list(pool.map(lambda _: start(), range(2)))
    sandboxes = [sandbox for sandbox, _ in started]
    try:
        with capsys.disabled():
            times = ", ".join(f"{seconds:.1f} s" for _, seconds in started)
            sys.stdout.write(f"\n  two sandboxes at once were ready after {times}\n")
        first, second = sandboxes
        assert first.server != second.server
        first.create_namespace("only-here")
        assert "only-here" in first.kubectl("get", "namespaces", "-o", "name").stdout
        assert "only-here" not in second.kubectl("get", "namespaces", "-o", "name").stdout
    finally:
        for sandbox in sandboxes:
            sandbox.stop()
    assert not any(sandbox.directory.exists() for sandbox in sandboxes)


def test_one_alone_is_measured(capsys):
    begun = time.monotonic()
    with Sandbox.start(nodes=3) as sandbox:
        seconds = time.monotonic() - begun
        assert len(sandbox.api.json("GET", "/api/v1/nodes")["items"]) == 3
    with capsys.disabled():
        sys.stdout.write(f"\n  a sandbox was ready after {seconds:.1f} s\n")


def test_a_broken_start_says_why_and_leaves_nothing(tmp_path):
    with pytest.raises(ProcessDied, match=r"(?s)kube-apiserver ended.*unknown flag: --no-such-flag"):
        Sandbox.start(tmp_path, api_server_flags=["--no-such-flag"])
    assert list(tmp_path.iterdir()) == []


def test_the_api_server_can_be_killed_and_started_again(private_sandbox):
    private_sandbox.create_namespace("kept")
    private_sandbox.restart("kube-apiserver")
    assert private_sandbox.api.json("GET", "/api/v1/namespaces/kept")["metadata"]["name"] == "kept"
