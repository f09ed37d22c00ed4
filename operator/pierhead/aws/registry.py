"""Passwords of ECR registries.

Invariant: ECR is asked once per identity, region and lifetime of its answer, however many sources wait for
it; a password is never logged or shown. Source: Amazon ECR API, GetAuthorizationToken.
"""

import asyncio
import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pierhead.aws.errors import Unavailable
from pierhead.aws.session import AwsClient

EARLY = timedelta(minutes=15)
"""How long before its end a password is replaced."""

MOST_LOGINS = 256

_HOSTS = (
    re.compile(r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d+)\.amazonaws\.com(?:\.cn)?"),
    re.compile(
        r"(\d{12})\.dkr-ecr(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d+)\.on\.(?:aws|amazonwebservices\.com\.cn)"
    ),
)
_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))


@dataclass(frozen=True, slots=True)
class EcrRegistry:
    """A private registry of ECR, as its host names it."""

    account: str
    region: str

    @classmethod
    def of(cls, host: str) -> "EcrRegistry | None":
        """The registry at a host; None for any other host."""
        for pattern in _HOSTS:
            if (found := pattern.fullmatch(host)) is not None:
                return cls(found[1], found[2])
        return None

    def arn(self, repository: str) -> str:
        """The ARN of one of its repositories."""
        partition = next((name for prefix, name in _PARTITIONS if self.region.startswith(prefix)), "aws")
        return f"arn:{partition}:ecr:{self.region}:{self.account}:repository/{repository}"


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    login: tuple[str, str] | None = None
    until: datetime | None = None


class EcrLogins:
    """Logins by identity and region."""

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._entries: OrderedDict[tuple[object, str], _Entry] = OrderedDict()

    async def login(self, client: AwsClient, *, fresh: bool = False) -> tuple[str, str]:
        """Username and password, as the identity of an `ecr` client; `fresh` after one was refused.

        Raises the classes of `pierhead.aws.errors`.
        """
        key = (client.identity, client.region)
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        if len(self._entries) > MOST_LOGINS:
            self._entries.popitem(last=False)
        refused = entry.login if fresh else None
        async with entry.lock:
            # Whoever waited for the lock may find what they came for.
            due = entry.until is None or self._now() >= entry.until
            if entry.login is None or entry.login == refused or due:
                entry.login, entry.until = await _ask(client)
            return entry.login


async def _ask(client: AwsClient) -> tuple[tuple[str, str], datetime]:
    answer = await client.call("get_authorization_token")
    try:
        given = answer["authorizationData"][0]
        username, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        until: datetime = given["expiresAt"] - EARLY
    except (LookupError, TypeError, binascii.Error, UnicodeDecodeError):
        raise Unavailable("GetAuthorizationToken: ECR gave no token") from None
    return (username, password), until
