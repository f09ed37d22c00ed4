"""One log for everything, which repeats no exception's text."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pierhead import logs

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._QUIETER}
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        raise KeyError(SECRET) from error


def test_ours_and_others_records_look_alike() -> None:
    stream = io.StringIO()
    logs.configure("INFO", "json", stream)
    structlog.get_logger("pierhead.x").info("synced", kind="Widget", objects=3)
    logging.getLogger("kopf.y").warning("watch %s", "restarted")
    ours, other = lines(stream)
    assert (ours["event"], ours["kind"], ours["logger"], ours["level"]) == (
        "synced",
        "Widget",
        "pierhead.x",
        "info",
    )
    assert (other["event"], other["logger"], other["level"]) == ("watch restarted", "kopf.y", "warning")
    assert str(ours["time"]).endswith("Z")


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_told_by_its_classes_and_where_it_was_raised(form: str) -> None:
    stream = io.StringIO()
    logs.configure("DEBUG", "json" if form == "json" else "text", stream)
    try:
        fail()
    except KeyError as error:
        structlog.get_logger("pierhead.x").error("failed", exc_info=True)
        logging.getLogger("other").exception("failed too")
        logging.getLogger("other").exception("and again", exc_info=error)
    text = stream.getvalue()
    assert text.count("KeyError <- ValueError") == 3
    assert text.count("fail") >= 3
    assert SECRET not in text
    assert len(text.splitlines()) == 3


def test_kopf_never_logs_bodies_or_every_event() -> None:
    stream = io.StringIO()
    logs.configure("DEBUG", "json", stream)
    logging.getLogger("kopf._core.reactor").debug("body: %s", SECRET)
    logging.getLogger("kopf.objects").info("Handler 'observe' succeeded.")
    logging.getLogger("botocore.endpoint").debug("request: %s", SECRET)
    structlog.get_logger("pierhead.x").debug("ours")
    assert [line["event"] for line in lines(stream)] == ["ours"]


def test_what_is_below_the_level_is_not_logged() -> None:
    stream = io.StringIO()
    logs.configure("WARNING", "json", stream)
    structlog.get_logger("pierhead.x").info("no")
    logging.getLogger("kopf").info("no")
    assert stream.getvalue() == ""
