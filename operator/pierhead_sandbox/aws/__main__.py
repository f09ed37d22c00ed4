"""`python -m pierhead_sandbox.aws`: the AWS stand-in as a process.

Invariant: prints its URL, and writes it to the port file in one step, only when it answers; ends on SIGTERM
or SIGINT, and with `--exit-with-stdin` when whoever holds its standard input is gone.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from pierhead_sandbox.aws.server import AwsStandIn


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m pierhead_sandbox.aws")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="gets the URL once the server answers")
    parser.add_argument("--directory", type=Path, help="keeps logs of jobs that run as processes")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input closes")
    options = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    if options.exit_with_stdin:
        threading.Thread(target=_watch_stdin, args=(done,), daemon=True).start()
    with AwsStandIn.start(options.port, directory=options.directory) as stand_in:
        if options.port_file is not None:
            partial = options.port_file.with_name(options.port_file.name + ".partial")
            partial.write_text(stand_in.url)
            partial.replace(options.port_file)
        print(stand_in.url, flush=True)
        done.wait()


def _watch_stdin(done: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        continue
    done.set()


if __name__ == "__main__":
    main()
