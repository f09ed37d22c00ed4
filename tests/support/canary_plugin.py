"""P1 in every test that puts a value into AWS: when it ends, the value is nowhere but in the Secret.

A pytest plug-in. Operators log as in production, at DEBUG. After each test all values that were written to
the stand-ins of its sandboxes are looked for in the log, in the text of every exception that was logged, on
standard output and error, in the audit log and the output of the sandboxes' programs, in the metrics of
operators that run, and in the `sinks()` of its fixtures: Events, statuses and annotations. A value that is
found fails the test.
"""

import io
import logging
import traceback
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from pierhead import logs
from pierhead_sandbox.operator_process import OperatorProcess
from pierhead_sandbox.sandbox import Sandbox
from support.canary import Traces

_KEY = pytest.StashKey["Canary"]()
_NOT_OURS = "aws.log"
"""The stand-in's own: AWS may know the values."""


class Canary:
    """What the tests of this process let out."""

    def __init__(self) -> None:
        self.log = io.StringIO()
        self.tracebacks: list[str] = []
        self.pardoned: set[str] = set()
        self._values: dict[bytes, str] = {}
        self._traces: Traces | None = None
        self._handler: logging.Handler | None = None
        self._read: dict[Path, int] = {}

    def begin(self) -> None:
        """Starts with nothing logged, the way production logs."""
        self.log.seek(0)
        self.log.truncate()
        self.tracebacks.clear()
        self.pardoned.clear()
        self._values.clear()
        self._traces = None
        root = logging.getLogger()
        if self._handler in root.handlers and self._keep_traceback in structlog.get_config()["processors"]:
            return
        others = [handler for handler in root.handlers if handler is not self._handler]
        logs.configure("DEBUG", "json", self.log)
        (self._handler,) = root.handlers
        root.handlers += others
        structlog.configure(processors=[self._keep_traceback, *structlog.get_config()["processors"]])

    def pardon(self, *sinks: str) -> None:
        """What is in these sinks was put there by the test itself."""
        self.pardoned |= set(sinks)

    def watch(self, *values: bytes, name: str = "") -> None:
        """Looks for these values too; `name` is what they were written to."""
        self._values |= dict.fromkeys(values, name)
        self._traces = None

    def arrived(self, fixtures: dict[str, Any]) -> None:
        """What sandboxes have said so far was said of other tests."""
        for sandbox in _of(fixtures, Sandbox):
            self._read |= {path: path.stat().st_size for path in _logs(sandbox)}

    def leaks(self, fixtures: dict[str, Any], printed: str = "") -> dict[str, list[str]]:
        """The forms of values that are found, by where."""
        for sandbox in _of(fixtures, Sandbox):
            for name, value in sandbox.aws.written_secrets():
                self.watch(value, name=name)
        if self._traces is None:
            keys = {key for one in fixtures.values() if hasattr(one, "keys_seen") for key in one.keys_seen()}
            self._traces = Traces(self._values, known=" ".join(self._values.values()), keys=keys)
        found: dict[str, list[str]] = {}
        for name, text in self._sinks(fixtures, printed) if self._traces else ():
            if name.partition(" ")[0] not in self.pardoned and (forms := self._traces.found_in(text)):
                found.setdefault(name, []).extend(forms)
        return found

    def _sinks(self, fixtures: dict[str, Any], printed: str) -> Iterator[tuple[str, str]]:
        yield "log", self.log.getvalue()
        yield "tracebacks", "\n".join(self.tracebacks)
        yield "output", printed
        for sandbox in _of(fixtures, Sandbox):
            if sandbox.audit_log is not None:
                sandbox.flush_audit_log()
            for path in _logs(sandbox):
                with path.open("rb") as file:
                    file.seek(self._read.get(path, 0))
                    yield f"file {path.name}", file.read().decode(errors="replace")
        for operator in _of(fixtures, OperatorProcess):
            if operator.running:
                yield "metrics", operator.metrics()
        for fixture in fixtures.values():
            if hasattr(fixture, "sinks"):
                yield from fixture.sinks()

    def _keep_traceback(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        error = event.get("exc_info")
        if isinstance(error, BaseException):
            self.tracebacks.append("".join(traceback.format_exception(error)))
        elif error:
            self.tracebacks.append(traceback.format_exc())
        return event


def _of(fixtures: dict[str, Any], kind: type[Any]) -> list[Any]:
    """The fixtures of this type, and those in lists."""
    flat = [
        one
        for value in fixtures.values()
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, kind)
    ]
    return list({id(one): one for one in flat}.values())


def _logs(sandbox: Sandbox) -> list[Path]:
    return [path for path in sandbox.directory.glob("*.log") if path.name != _NOT_OURS]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_KEY] = Canary()


@pytest.fixture
def canary(request: pytest.FixtureRequest) -> Canary:
    """The search for leaked values, for tests that leak some themselves."""
    return request.config.stash[_KEY]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    item.config.stash[_KEY].begin()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    item.config.stash[_KEY].arrived(getattr(item, "funcargs", {}))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    report = yield
    if report.outcome != "passed" or call.when == "setup":
        return report
    canary = item.config.stash[_KEY]
    # While fixtures are taken down too, things are logged.
    fixtures = getattr(item, "funcargs", {}) if call.when == "call" else {}
    found = canary.leaks(fixtures, report.capstdout + report.capstderr)
    if found:
        # Said once is enough.
        canary.pardon(*(name.partition(" ")[0] for name in found))
        report.outcome = "failed"
        report.longrepr = "secret values have leaked:\n" + "\n".join(
            f"  {name}: {', '.join(sorted(set(forms)))}" for name, forms in found.items()
        )
    return report
