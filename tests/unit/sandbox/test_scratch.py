"""Folders of sandboxes whose owner was killed."""

import signal
import subprocess
import sys

from pierhead_sandbox.scratch import Scratch, sweep


def _killed_owner(parent):
    script = (
        "import sys, pathlib, threading\n"
        "from pierhead_sandbox.scratch import Scratch\n"
        "scratch = Scratch(pathlib.Path(sys.argv[1]))\n"
        "(scratch.path / 'data').write_text('x')\n"
        "print(scratch.path, flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, parent], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        path = owner.stdout.readline().strip()
        owner.send_signal(signal.SIGKILL)
    return parent / path


def test_the_next_sandbox_removes_what_a_killed_one_left_and_nothing_else(tmp_path):
    living = Scratch(tmp_path)
    dead = _killed_owner(tmp_path)
    assert dead.is_dir()
    fresh = Scratch(tmp_path)
    assert not dead.exists()
    assert living.path.is_dir()
    assert fresh.path.is_dir()
    living.remove()
    fresh.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_private(tmp_path):
    scratch = Scratch(tmp_path / "parent")
    assert scratch.path.stat().st_mode & 0o777 == 0o700
    assert scratch.path.parent.stat().st_mode & 0o777 == 0o700
    scratch.remove()


def test_sweeping_nothing_is_fine(tmp_path):
    sweep(tmp_path / "missing")
