"""Start a program that the kernel kills when its parent is gone: `die_with_parent.py PARENT_PID PROGRAM …`.

Invariant: there is no moment at which the parent can end and the program stay. The kernel is asked
for the signal first; a parent that ended before that shows as another parent, and then nothing is run.
Run as a file, with the standard library only, and replaced by the program at once.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """`arguments`: the parent's process id, then the program (an absolute path) and its arguments."""
    parent, program = int(arguments[0]), arguments[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(number)}")
    if os.getppid() != parent:
        sys.exit("the parent ended before the program started")
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
