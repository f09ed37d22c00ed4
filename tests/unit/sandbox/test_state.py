"""Named sandboxes between commands."""

import signal
import subprocess
import sys

import pytest

from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.state import NamedSandbox, Record

SUPERVISOR = """
import os, sys, threading
from pierhead_sandbox.state import NamedSandbox, Record
named = NamedSandbox(sys.argv[1])
lock = named.take_lock()
named.write(Record(pid=os.getpid(), started="now", ready=sys.argv[2] == "ready"))
print("locked", flush=True)
threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PIERHEAD_CACHE", str(tmp_path))


@pytest.fixture
def named():
    return NamedSandbox("one")


@pytest.fixture
def supervisor(request):
    arguments = [sys.executable, "-c", SUPERVISOR, "one", getattr(request, "param", "ready")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_without_state_it_is_down(named):
    assert named.phase() == ("down", None)
    assert named.stop() is False
    assert NamedSandbox.all() == []


@pytest.mark.parametrize(
    ("supervisor", "phase"), [("ready", "up"), ("not yet", "starting")], indirect=["supervisor"]
)
def test_with_a_supervisor_it_is_up_or_starting(named, supervisor, phase):
    assert named.supervisor() == supervisor.pid
    assert named.phase()[0] == phase
    assert [each.name for each in NamedSandbox.all()] == ["one"]


def test_asking_does_not_take_the_lock(named, supervisor):
    assert named.supervisor() == named.supervisor() == supervisor.pid
    assert named.take_lock(patience=0) is None


def test_a_killed_supervisor_shows_as_crashed_and_is_cleaned(named, supervisor):
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    assert named.phase()[0] == "crashed"
    named.clean()
    assert named.phase() == ("down", None)


def test_a_record_of_another_process_is_not_believed(named, supervisor):
    named.write(Record(pid=supervisor.pid + 1, started="earlier", ready=True))
    assert named.phase()[0] == "starting"


def test_cleaning_leaves_a_living_one_alone(named, supervisor):
    named.clean()
    assert named.phase()[0] == "up"


def test_stopping_ends_the_supervisor(named, supervisor):
    assert named.stop() is True
    assert supervisor.wait(10) == -signal.SIGTERM
    assert named.phase() == ("down", None)


def test_a_supervisor_that_gave_up_says_why(named):
    named.write(Record(pid=1, started="now", failure="etcd ended"))
    phase, record = named.phase()
    assert phase == "failed"
    assert record is not None
    assert record.failure == "etcd ended"


def test_half_a_record_is_no_record(named):
    named.directory.mkdir()
    (named.directory / "state.json").write_text('{"pid": ')
    assert named.phase() == ("down", None)


def test_the_environment_file_can_be_sourced(named):
    named.directory.mkdir()
    values = {"KUBECONFIG": "/a b/'c'", "AWS_REGION": "eu-west-1"}
    named.write_environment(values)
    script = f'. {named.environment_file} && printf \'%s|%s\' "$KUBECONFIG" "$AWS_REGION"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "|".join(values.values())
    assert named.environment_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "../a", "a" * 41])
def test_a_name_is_a_dns_label(name):
    with pytest.raises(SandboxError, match="cannot name a sandbox"):
        NamedSandbox(name)


def test_the_lock_is_free_for_us_after_its_holder(named):
    lock = named.take_lock(patience=0)
    assert lock is not None
    lock.close()
    assert named.supervisor() is None
