"""Files of plain HTTP servers, such as classic Helm repositories.

Invariant: nothing of a server's answer but the asked-for file ever leaves this module: error texts are
ours, because a tenant chooses the address and an answer may come from somewhere private.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    NotModifiedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import HTTPStore

from pierhead.engine.outcome import Denied, Invalid, Transient

_STATUS = re.compile(r"status code: (\d{3})")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file as a server gave it."""

    content: bytes
    entity_tag: str | None
    """For the next conditional request; None where the server gives none."""


class HTTPFiles:
    """Fetches single files over http and https."""

    def __init__(self, *, timeout: timedelta = timedelta(seconds=30)) -> None:
        self._timeout = timeout

    async def fetch(self, url: str, *, limit: int, entity_tag: str | None = None) -> Fetched | None:
        """The file at `url`; None when it still is the one with `entity_tag`.

        Raises Invalid for a file that does not exist or is over `limit` bytes, Denied for 401 and 403,
        Transient for anything else that goes wrong.
        """
        parts = urlsplit(url)
        store = HTTPStore.from_url(
            urlunsplit((parts.scheme, parts.netloc, "/", "", "")),
            client_options={
                "allow_http": parts.scheme == "http",
                "timeout": self._timeout,
                "connect_timeout": timedelta(seconds=10),
            },
            retry_config={"max_retries": 0, "retry_timeout": self._timeout},
        )
        try:
            answer = await obstore.get_async(
                store, parts.path.lstrip("/"), options={"if_none_match": entity_tag} if entity_tag else None
            )
            content = bytearray()
            async for chunk in answer.stream():
                content += memoryview(chunk)
                if len(content) > limit:
                    raise Invalid(f"{_shown(url)} is over {limit} bytes", reason="SourceTooLarge")
        except NotModifiedError:
            return None
        except (NotFoundError, FileNotFoundError):
            raise Invalid(f"{_shown(url)} does not exist (404)", reason="SourceNotFound") from None
        except (UnauthenticatedError, PermissionDeniedError):
            raise Denied(f"{_shown(url)} is not for us (401 or 403)", reason="SourceDenied") from None
        except (BaseError, OSError) as error:
            raise Transient(f"{_shown(url)} {_cause(error)}", reason="SourceUnreachable") from None
        return Fetched(bytes(content), answer.meta["e_tag"])


def _shown(url: str) -> str:
    """The address without credentials or query."""
    parts = urlsplit(url)
    return (
        urlunsplit((parts.scheme, parts.hostname or "", parts.path, "", ""))
        if parts.username
        else url.split("?", maxsplit=1)[0]
    )


def _cause(error: Exception) -> str:
    status = _STATUS.search(str(error))
    return f"answered with status {status.group(1)}" if status else "cannot be reached"
