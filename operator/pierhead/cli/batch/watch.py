"""`watch`: how a BatchJob gets on, until it ends.

Invariant: it learns by a watch of the API server and asks for nothing again; what it draws between two
changes is the same facts at a later time. Its exit code is the BatchJob's end.
"""

import asyncio
from contextlib import AbstractContextManager, aclosing, nullcontext
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.ledgers.record import ledger_in
from pierhead.cli.batch import views
from pierhead.cli.batch.grid import picture_of
from pierhead.cli.batch.options import NameArgument, PatienceOption
from pierhead.cli.batch.picture import line, picture
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.conditions import condition
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.following import versions
from pierhead.cli.place import Place
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.errors import Forbidden, NotFound
from pierhead.kube.resources import BATCH_JOBS, CONFIG_MAPS
from pierhead.model import seconds


def watch(
    name: NameArgument,
    place: Place,
    timeout: PatienceOption = None,
) -> None:
    """Watch a BatchJob until it is Complete (exit code 0) or Failed (1): bar, counts, grid of indexes.

    Where the output is no terminal, a line for each change.
    """
    console = Console()
    screen = _Screen(console) if console.is_terminal else _Lines()

    async def work(cluster: Cluster) -> Object:
        screen.show(await cluster.one(BATCH_JOBS, name))
        try:
            async with (
                asyncio.timeout(None if timeout is None else seconds(timeout)),
                aclosing(versions(cluster, BATCH_JOBS, name)) as found,
            ):
                with screen.open():
                    async for obj in found:
                        if obj is None:
                            raise CommandError(f"BatchJob {name} was deleted")
                        screen.show(obj, await _record(cluster, obj) if console.is_terminal else None)
                        if views.is_finished(obj):
                            return obj
        except TimeoutError:
            raise CommandError(
                f"BatchJob {name} has not ended within {timeout}", ExitCode.TIMED_OUT
            ) from None
        raise AssertionError("a watch has no end of its own")

    obj = on(place, work)
    if views.holds(obj, "Failed"):
        reason, message = (condition(obj, "Failed").get(part) for part in ("reason", "message"))
        raise CommandError(
            f"BatchJob {name} failed: {reason}: {message}; `pierhead batch get {name}` shows what failed"
        )


async def _record(cluster: Cluster, obj: Object) -> Ledger | None:
    """The exact record, where the status' texts are shortened and the caller may read it."""
    name = (views.status_of(obj).get("indexRecord") or {}).get("configMap")
    if not name or picture_of(obj).told_until is None:
        return None
    try:
        found = await cluster.client.get(CONFIG_MAPS, name, cluster.namespace)
        return ledger_in(found, views.size_of(obj))
    except (NotFound, Forbidden, Invalid):
        return None


class _Lines:
    """For pipes and logs."""

    def __init__(self) -> None:
        self._last = ""

    def open(self) -> AbstractContextManager[object]:
        return nullcontext()

    def show(self, obj: Object, _record: Ledger | None = None) -> None:
        text = line(obj, datetime.now(UTC))
        if text != self._last:
            typer.echo(text)
            self._last = text


class _Screen:
    """For people: drawn again four times a second, so that time passes and a new size is filled."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._obj: Object | None = None
        self._record: Ledger | None = None

    def open(self) -> AbstractContextManager[object]:
        return Live(console=self._console, get_renderable=self._picture, refresh_per_second=4)

    def show(self, obj: Object, record: Ledger | None = None) -> None:
        self._obj, self._record = obj, record

    def _picture(self) -> Text:
        if self._obj is None:
            return Text()
        width, height = self._console.size
        return picture(self._obj, datetime.now(UTC), width=width, height=height, record=self._record)
