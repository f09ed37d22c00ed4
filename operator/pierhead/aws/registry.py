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

    @property
    def host(self) -> str:
        """The host that serves it in every region."""
        suffix = ".cn" if self.region.startswith("cn-") else ""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com{suffix}"

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


@dataclass(frozen=True, slots=True)
class EcrLogin:
    """Who a registry knows, until when. The password is in no representation of it."""

    username: str
    password: str = field(repr=False)
    host: str
    """Host of the registry of the account that was asked."""

    asked_at: datetime
    expires_at: datetime

    @property
    def renew_at(self) -> datetime:
        """When whoever keeps it elsewhere should have the next: a third of its life is left then."""
        return self.expires_at - (self.expires_at - self.asked_at) / 3


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    login: EcrLogin | None = None


class EcrLogins:
    """Logins by identity and region."""

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._entries: OrderedDict[tuple[object, str], _Entry] = OrderedDict()

    async def login(self, client: AwsClient, *, fresh: bool = False) -> tuple[str, str]:
        """Username and password, as the identity of an `ecr` client; `fresh` after one was refused.

        They are good for a while, and are asked for at every use. Raises the classes of
        `pierhead.aws.errors`.
        """
        known = self._entry(client).login if fresh else None
        found = await self._login(
            client, lambda login: login != known and self._now() < login.expires_at - EARLY
        )
        return found.username, found.password

    async def lasting(self, client: AwsClient) -> EcrLogin:
        """A login that need not be renewed yet, to be kept elsewhere. Raises as `login` does."""
        return await self._login(client, lambda login: self._now() < login.renew_at)

    async def _login(self, client: AwsClient, good: Callable[[EcrLogin], bool]) -> EcrLogin:
        entry = self._entry(client)
        async with entry.lock:
            # Whoever waited for the lock may find what they came for.
            if entry.login is None or not good(entry.login):
                entry.login = await _ask(client, self._now())
            return entry.login

    def _entry(self, client: AwsClient) -> _Entry:
        key = (client.identity, client.region)
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        if len(self._entries) > MOST_LOGINS:
            self._entries.popitem(last=False)
        return entry


async def _ask(client: AwsClient, now: datetime) -> EcrLogin:
    answer = await client.call("get_authorization_token")
    try:
        given = answer["authorizationData"][0]
        username, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        expires_at: datetime = given["expiresAt"]
        host = str(given["proxyEndpoint"]).removeprefix("https://")
    except (LookupError, TypeError, binascii.Error, UnicodeDecodeError):
        raise Unavailable("GetAuthorizationToken: ECR gave no token") from None
    return EcrLogin(username, password, host, now, expires_at)
