"""Programs end with their parent, however it ends."""

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pierhead_sandbox import die_with_parent
from pierhead_sandbox.errors import ProcessDied, SandboxError
from pierhead_sandbox.processes import Processes

SHELL = shutil.which("sh") or "/bin/sh"
SLEEP = [shutil.which("sleep") or "/bin/sleep", "600"]


def ended(handle: int, seconds: float = 10) -> bool:
    return bool(select.select([handle], [], [], seconds)[0])


@pytest.fixture
def processes(tmp_path):
    with Processes(tmp_path) as started:
        yield started


def test_a_program_that_ends_by_itself_is_reported_with_the_tail_of_its_log(processes):
    program = processes.start("broken", [SHELL, "-c", "echo no such flag >&2; exit 3"], needed=True)
    assert program.wait(10)
    with pytest.raises(ProcessDied, match=r"(?s)broken ended with status 3.*no such flag"):
        processes.check()


def test_a_program_that_is_not_needed_may_end(processes):
    program = processes.start("guest", [SHELL, "-c", "exit 3"])
    assert program.wait(10)
    processes.check()
    with pytest.raises(ProcessDied):
        program.check()


def test_stopping_ends_what_the_programs_started_too(tmp_path):
    processes = Processes(tmp_path)
    script = f"{SLEEP[0]} 600 & echo $!; wait"
    program = processes.start("family", [SHELL, "-c", script])
    while not program.tail():
        processes.check()
    grandchild = os.pidfd_open(int(program.tail()))
    processes.stop()
    assert ended(grandchild)
    os.close(grandchild)
    assert not program.running


def test_gentle_programs_may_say_goodbye(tmp_path):
    processes = Processes(tmp_path)
    script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do :; done"
    program = processes.start("polite", [SHELL, "-c", script])
    while "ready" not in program.tail():
        processes.check()
    processes.stop(gentle=["polite"])
    assert program.tail().endswith("bye")


def test_a_program_survives_the_thread_that_asked_for_it(processes):
    asked = threading.Thread(target=processes.start, args=("sleeper", SLEEP))
    asked.start()
    asked.join()
    program = processes["sleeper"]
    handle = os.pidfd_open(program.pid)
    assert not ended(handle, seconds=0.3)
    os.close(handle)
    assert program.running


def test_restart_gives_the_same_program_a_new_process(processes):
    before = processes.start("sleeper", SLEEP).pid
    after = processes.restart("sleeper").pid
    assert after != before
    assert processes.pids() == {"sleeper": after}


def test_a_name_cannot_run_twice(processes):
    processes.start("sleeper", SLEEP)
    with pytest.raises(SandboxError, match="runs already"):
        processes.start("sleeper", SLEEP)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_programs_die_with_their_parent(tmp_path, number):
    script = (
        "import sys, threading, pathlib\n"
        "from pierhead_sandbox.processes import Processes\n"
        "processes = Processes(pathlib.Path(sys.argv[1]))\n"
        # From a thread that ends at once: the kernel's signal follows the forking thread.
        "asked = threading.Thread(target=processes.start, args=('sleeper', sys.argv[2:]))\n"
        "asked.start(); asked.join()\n"
        "print(processes['sleeper'].pid, flush=True)\n"
        "threading.Event().wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), *SLEEP], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    handle = os.pidfd_open(int(parent.stdout.readline()))
    assert not ended(handle, seconds=0)
    parent.send_signal(number)
    assert ended(handle)
    os.close(handle)
    parent.wait()
    parent.stdout.close()


def test_nothing_is_run_for_a_parent_that_is_gone_already(tmp_path):
    trace = tmp_path / "ran"
    stranger = os.getppid()
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            Path(die_with_parent.__file__),
            str(stranger),
            SHELL,
            "-c",
            f"echo >{trace}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "parent ended" in done.stderr
    assert not trace.exists()
