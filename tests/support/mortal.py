"""A process of the operator that can die before or after any of its writes and calls to AWS."""

import asyncio
from collections.abc import Callable
from typing import Any

from pierhead.aws.session import AwsClient, AwsSessions
from pierhead.kube.transport import Answer, Call, Transport


class Crash(BaseException):
    """The process died here."""


class Life:
    """Whether an operator's process is alive; a dead one sends nothing more."""

    def __init__(self) -> None:
        self.crashed = asyncio.Event()
        self.writes: list[str] = []
        self.dies_at: Callable[[str, str], bool] = lambda _step, _phase: False

    def step(self, what: str, phase: str) -> None:
        """Before or after a call; `what` is such as `aws submit_job` or `PATCH batchjobs/status`."""
        if not self.crashed.is_set() and self.dies_at(what, phase):
            self.crashed.set()
        if self.crashed.is_set():
            raise Crash


class MortalSessions(AwsSessions):
    """AWS sessions of a process that can die around a call."""

    life: Life

    async def invoke(self, client: AwsClient, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.life.step(f"aws {operation}", "before")
        answer = await super().invoke(client, operation, parameters)
        # A poll that brought nothing has changed nothing, and how many there are is chance.
        if operation != "receive_message" or answer.get("Messages"):
            self.life.step(f"aws {operation}", "after")
        return answer


class MortalTransport(Transport):
    """The API server's client of a process that can die around a write."""

    life: Life

    async def send(self, call: Call) -> Answer:
        if call.method == "GET":
            return await super().send(call)
        parts = call.path.split("/")
        place = parts[parts.index("namespaces") + 2 :]
        what = f"{call.method} {'/'.join([place[0], *place[2:]])}"
        self.life.step(what, "before")
        self.life.writes.append(what)
        answer = await super().send(call)
        self.life.step(what, "after")
        return answer
