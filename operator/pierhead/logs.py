"""One log for the whole process: ours and kopf's, JSON or text, on standard error.

Invariant: no level logs a body, and no traceback carries an exception's text; both could hold a secret.
What is logged of an exception is its classes and where it was raised.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Literal, TextIO

import structlog

from pierhead.engine.failures import described

# kopf logs bodies at DEBUG and a line for every event at INFO; aiohttp's and botocore's DEBUG quote requests.
_QUIETER: Mapping[str, int] = MappingProxyType(
    {
        "kopf": logging.INFO,
        "kopf.objects": logging.WARNING,
        "aiohttp": logging.WARNING,
        "asyncio": logging.WARNING,
        "boto3": logging.CRITICAL,
        "botocore": logging.CRITICAL,
        "urllib3": logging.CRITICAL,
    }
)


def configure(
    level: str = "INFO", form: Literal["json", "text"] = "json", stream: TextIO | None = None
) -> None:
    """Sends every record of `level` and above to the stream, one a line."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _describe_exception,
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _QUIETER.items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelNamesMapping()[level]))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _renderer(form: Literal["json", "text"]) -> structlog.typing.Processor:
    if form == "json":
        return structlog.processors.JSONRenderer()
    return structlog.processors.LogfmtRenderer(
        key_order=["time", "level", "event"], drop_missing=True, bool_as_flag=False
    )


def _describe_exception(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Puts classes and frames in the place of a traceback, which would end in the exception's text."""
    found = event.pop("exc_info", None)
    record = event.get("_record")
    if record is not None:
        found = found or record.exc_info
        # Otherwise the formatter would print it after the line.
        record.exc_info = record.exc_text = None
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event.update(described(error))
    return event
