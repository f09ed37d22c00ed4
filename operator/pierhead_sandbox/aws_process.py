"""The AWS stand-in as a program of the sandbox: `python -m pierhead_sandbox.aws_process ANNOUNCE`.

Invariant: the file ANNOUNCE appears, whole, only when the stand-in answers at the URL it holds. A process
of its own keeps moto's threads and memory out of whoever starts the sandbox, and gives each sandbox
its own AWS: moto's world is one a process.
"""

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.processes import Processes

NAME = "aws"
REGION = "us-east-1"


class AwsProcess:
    """The stand-in's process, started at once and asked for its URL later."""

    def __init__(self, processes: Processes, directory: Path) -> None:
        self._announcement = directory / "aws.url"
        jobs = directory / "aws-jobs"
        jobs.mkdir()
        command = [sys.executable, "-m", "pierhead_sandbox.aws_process", str(self._announcement), str(jobs)]
        processes.start(NAME, command, needed=True)

    @property
    def answers(self) -> bool:
        """Whether the URL is known."""
        return self._announcement.is_file()

    @property
    def url(self) -> str:
        """For AWS_ENDPOINT_URL. Raises SandboxError before it answers."""
        try:
            return self._announcement.read_text()
        except FileNotFoundError:
            raise SandboxError("the AWS stand-in does not answer yet") from None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that send AWS clients here, with credentials that mean nothing anywhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "pierhead-sandbox",
            "AWS_SECRET_ACCESS_KEY": "pierhead-sandbox",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }


def main(arguments: list[str]) -> None:
    """`arguments`: the file to announce the URL in, and a folder for the logs of jobs that really run."""
    # Imported here: the parent wants the class above without moto.
    from pierhead_sandbox.aws.server import AwsStandIn  # noqa: PLC0415

    announcement, jobs = map(Path, arguments)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with AwsStandIn.start(directory=jobs) as stand_in:
        temporary = announcement.with_suffix(".new")
        temporary.write_text(stand_in.url)
        temporary.rename(announcement)
        ended.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
