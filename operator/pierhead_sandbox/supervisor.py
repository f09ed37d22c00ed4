"""The process behind `pierhead-sandbox up`: it holds one sandbox until it is told to end.

Invariant: the name's lock is held from before the first program starts until after the last has ended,
and a sandbox that lost a program is ended as a whole, with the cause on record: it is never half there.
"""

import argparse
import datetime as dt
import os
import shutil
import signal
import sys
import threading
from dataclasses import replace
from types import FrameType

from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.recipes import HELM
from pierhead_sandbox.sandbox import Sandbox
from pierhead_sandbox.state import NamedSandbox, Record

ALREADY_UP = 3
_CHECK_SECONDS = 1.0


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 told to end, 1 the sandbox failed, ALREADY_UP another supervisor has the name."""
    parser = argparse.ArgumentParser(prog="pierhead_sandbox.supervisor")
    parser.add_argument("name")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--audit", action="store_true")
    options = parser.parse_args(arguments)
    named = NamedSandbox(options.name)
    lock = named.take_lock()
    if lock is None:
        return ALREADY_UP
    with lock:
        return _supervise(named, nodes=options.nodes, audit=options.audit)


def _supervise(named: NamedSandbox, *, nodes: int, audit: bool) -> int:
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    shutil.rmtree(named.directory, ignore_errors=True)
    record = Record(pid=os.getpid(), started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))
    named.write(record)
    try:
        binaries = Binaries()
        with Sandbox.start(nodes=nodes, audit=audit, binaries=binaries) as sandbox:
            _link_programs(named, binaries)
            named.write_environment(sandbox.environment)
            named.write(
                replace(
                    record,
                    ready=True,
                    server=sandbox.server,
                    environment=sandbox.environment,
                    programs=sandbox.processes.pids(),
                )
            )
            while not ended.wait(_CHECK_SECONDS):
                sandbox.processes.check()
    except SandboxError as error:
        named.environment_file.unlink(missing_ok=True)
        named.write(replace(record, failure=str(error)))
        print(error, file=sys.stderr)
        return 1
    return 0


def _link_programs(named: NamedSandbox, binaries: Binaries) -> None:
    """Give the programs a person wants at hand their plain names."""
    named.programs_directory.mkdir(exist_ok=True)
    for name in ("kubectl", HELM):
        path = binaries.find(name)
        link = named.programs_directory / name
        link.unlink(missing_ok=True)
        if path is not None:
            link.symlink_to(path)


if __name__ == "__main__":
    sys.exit(main())
