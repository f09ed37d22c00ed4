"""What can go wrong in the sandbox.

Invariant: every failure a person can do something about is a `SandboxError`, whose message says what.
"""


class SandboxError(Exception):
    """The sandbox could not do what was asked; the message is for people."""


class ProcessDied(SandboxError):
    """A program of the sandbox ended by itself; the message ends with the tail of its log."""


class ApiFailure(SandboxError):
    """The API server answered with an error. `status` is the HTTP status, `body` the answer's text."""

    def __init__(self, status: int, body: str, *, request: str) -> None:
        super().__init__(f"{request}: HTTP {status}: {body[:500]}")
        self.status = status
        self.body = body
