"""boto3, made safe for an event loop.

Invariants: a call to AWS never runs on the event loop, and there are never more under way than there are
threads; every call ends, by timeouts; one session per identity and one client per service and region of it,
both reused; STS is asked once per identity and lifetime of its credentials, however many calls wait.
"""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.session import Session

from pierhead.aws.assuming import Keys, Means, credentials
from pierhead.aws.errors import AccessDenied, AwsError, Unavailable, translate
from pierhead.aws.identity import OPERATOR, AwsIdentity, IdentitySession
from pierhead.aws.keyring import KeyRing
from pierhead.aws.readiness import REFUSED_SECONDS, Readiness
from pierhead.engine.outcome import Denied, ReconcileError
from pierhead.settings import Settings

__all__ = ["OPERATOR", "AwsClient", "AwsIdentity", "AwsSessions"]

IDENTITIES = 256
"""Most identities whose sessions are kept; the one used longest ago goes first."""

Count = Callable[[str, str, str], None]
"""Called with (service, operation, code) after every call, perhaps on another thread; success is `OK`."""


class Tokens(Protocol):
    """Asks for a token of a ServiceAccount for an audience. Raises ReconcileError."""

    async def __call__(self, namespace: str, name: str, /, *, audience: str) -> str:
        """The token."""


TOKEN_SECONDS = 20.0

_WORTHLESS = frozenset({"ExpiredCredentials", "InvalidCredentials"})
"""Reasons for which credentials are asked for anew."""

_T = TypeVar("_T")


class AwsClient:
    """One service in one region as one identity. Made by `AwsSessions.client`."""

    def __init__(
        self, sessions: "AwsSessions", service: str, region: str, identity: AwsIdentity, *, retries: bool
    ) -> None:
        self._sessions = sessions
        self.service = service
        self.region = region
        self.identity = identity
        self.retries = retries

    async def call(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Calls an operation by boto3's name (`describe_jobs`) and returns the answer.

        Raises the classes of `pierhead.aws.errors`. A cancelled call goes on in its thread.
        """
        return await self._sessions.invoke(self, operation, parameters)


class AwsSessions:
    """All of pierhead's ways into AWS. Endpoints and own credentials come from AWS's usual environment."""

    def __init__(
        self,
        settings: Settings,
        *,
        count: Count | None = None,
        tokens: Tokens | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tokens` serves identities that have a ServiceAccount."""
        silence()
        self._tokens = tokens
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settings = settings
        self._count = count or (lambda _service, _operation, _code: None)
        self._clock = clock
        self._threads = ThreadPoolExecutor(settings.aws_threads, thread_name_prefix="aws")
        self._loader = Loader()
        self._operator = Readiness(self._session(None), clock)
        self._assumed: OrderedDict[AwsIdentity, Readiness] = OrderedDict()
        means = Means(
            client=lambda service: self._operator.session.client(service, settings.aws_region, retries=True),
            token=self._token,
            cluster=settings.cluster_name,
            count=self._count,
        )
        self._ring = KeyRing(lambda identity: credentials(identity, means))

    def client(
        self,
        service: str,
        *,
        region: str | None = None,
        identity: AwsIdentity = OPERATOR,
        retries: bool = True,
    ) -> AwsClient:
        """A client; costs nothing until its first call. With `retries=False` a request is sent once."""
        return AwsClient(self, service, region or self._settings.aws_region, identity, retries=retries)

    async def invoke(self, client: AwsClient, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """What `AwsClient.call` does."""
        entry = self._entry(client.identity)
        self._loop = asyncio.get_running_loop()
        await entry.ready(self._run)

        def call() -> dict[str, Any]:
            boto3_client = entry.session.client(client.service, client.region, retries=client.retries)
            answer: dict[str, Any] = getattr(boto3_client, operation)(**parameters)
            return answer

        name = "".join(word.capitalize() for word in operation.split("_"))
        result = await self._run(call, name)
        self._count(client.service, name, result.code if isinstance(result, AwsError) else "OK")
        if isinstance(result, AwsError):
            if result.reason in _WORTHLESS:
                self._renew(client.identity, entry)
            raise result
        return result

    async def keys(self, identity: AwsIdentity) -> tuple[str, str, str | None]:
        """An identity's access key, secret key and session token, for who signs without boto3.

        Good for five minutes at least. Raises the classes of `pierhead.aws.errors`.
        """
        entry = self._entry(identity)
        self._loop = asyncio.get_running_loop()
        await entry.ready(self._run)
        return entry.session.keys()

    async def endpoint(self, service: str, region: str) -> str:
        """Where a service is called, by AWS's usual environment. Raises as a call does."""

        def look_up() -> str:
            client = self._operator.session.client(service, region, retries=True)
            return str(client.meta.endpoint_url)

        found = await self._run(look_up, "GetEndpoint")
        if isinstance(found, AwsError):
            raise found
        return found

    async def close(self) -> None:
        """Lets the threads go; calls under way end by their timeouts."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for entry in (self._operator, *self._assumed.values()):
            entry.session.close()
        self._assumed.clear()

    async def _run(self, function: Callable[[], _T], operation: str) -> _T | AwsError:
        """Runs `function` in the pool. boto3's errors come back as values, cut off from the request."""

        def guarded() -> _T | AwsError:
            try:
                return function()
            except (ClientError, BotoCoreError) as error:
                return translate(error, operation=operation)
            except AwsError as error:
                return error

        return await asyncio.get_running_loop().run_in_executor(self._threads, guarded)

    def _entry(self, identity: AwsIdentity) -> Readiness:
        if identity.is_operator:
            return self._operator
        if identity not in self._assumed:
            session = self._session(lambda: self._ring.keys(identity))
            self._assumed[identity] = Readiness(session, self._clock)
            if len(self._assumed) > IDENTITIES:
                self._assumed.popitem(last=False)
        self._assumed.move_to_end(identity)
        return self._assumed[identity]

    def _renew(self, identity: AwsIdentity, entry: Readiness) -> None:
        """Lets the next call ask STS anew: AWS takes the credentials no more, though their time is not up.

        Not for credentials that are new themselves: a role that is gone must not cost a call each time.
        """
        if self._assumed.get(identity) is entry and self._clock() - entry.made >= REFUSED_SECONDS:
            del self._assumed[identity]
            self._ring.drop(identity)

    def _session(self, fetch: Callable[[], Keys] | None) -> IdentitySession:
        return IdentitySession(
            loader=self._loader,
            region=self._settings.aws_region,
            connections=self._settings.aws_threads,
            fetch=fetch,
        )

    def _token(self, namespace: str, name: str, audience: str) -> str:
        """A ServiceAccount's token; runs on a pool thread, and asks on the event loop."""
        if self._tokens is None or self._loop is None:
            raise Unavailable("this process has no tokens of ServiceAccounts", reason="NoCredentials")

        async def ask(tokens: Tokens) -> str:
            async with asyncio.timeout(TOKEN_SECONDS):
                return await tokens(namespace, name, audience=audience)

        try:
            return asyncio.run_coroutine_threadsafe(ask(self._tokens), self._loop).result(TOKEN_SECONDS + 5)
        except ReconcileError as error:
            kind = AccessDenied if isinstance(error, Denied) else Unavailable
            raise kind(error.message, reason=error.reason) from None
        except TimeoutError:
            raise Unavailable(f"no token of ServiceAccount {name} came", reason="NoCredentials") from None


def usual_region() -> str | None:
    """The region of AWS's usual places: its variables, or the profile's. None where none is set.

    Raises BadRequest for a profile that is not there.
    """
    # boto3 alone of AWS's tools does not know AWS_REGION.
    region = os.environ.get("AWS_REGION")
    try:
        found = region or Session().get_config_variable("region")
    except BotoCoreError as error:
        failure = translate(error, operation="GetRegion")
    else:
        return str(found) if found else None
    raise failure


def silence() -> None:
    """Keeps boto3's own logs, which quote requests and answers, out of ours at every level.

    Each failure is reported by what made the call, so nothing is lost.
    """
    for name in ("boto3", "botocore", "urllib3", "s3transfer"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
