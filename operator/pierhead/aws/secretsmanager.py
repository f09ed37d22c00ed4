"""Reading Secrets Manager with the fewest calls.

Invariants: an answer never serves another identity, nor a reader who needs a younger one; reads of current
versions go out in twenties, as `pierhead.aws.sharing` brings them together; one secret that cannot be read
never costs another its answer.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from pierhead.aws.errors import (
    AccessDenied,
    AwsError,
    BadRequest,
    NotFound,
    Throttling,
    from_code,
)
from pierhead.aws.held import HeldAnswers
from pierhead.aws.outages import Outages
from pierhead.aws.rate import TokenBucket, TokenBuckets
from pierhead.aws.session import AwsClient, AwsIdentity, AwsSessions
from pierhead.aws.sharing import WINDOW_SECONDS, Lane, SharedReads, Wish

CURRENT: Final = "AWSCURRENT"
BATCH_SIZE: Final = 20
DENIED_SECONDS: Final = 3600.0
"""How long a denied BatchGetSecretValue is remembered, so that a granted one is found."""

# Half of AWS's quota for BatchGetSecretValue (100 calls a second) and a share of that for the others.
BATCHES_PER_SECOND: Final = 50.0
_GETS_PER_SECOND: Final = 200.0
_PAGES: Final = 2 * BATCH_SIZE
"""Most pages of one batch: a page may be empty and still not be the last."""


class MarkedForDeletion(NotFound):
    """The secret is deleted, and can be restored for some days."""

    default_reason = "MarkedForDeletion"


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """One version of a secret. Its values are in no representation of it."""

    arn: str
    name: str
    version_id: str
    string: str | None = field(repr=False)
    binary: bytes | None = field(repr=False)
    stages: tuple[str, ...] = ()

    def size(self) -> int:
        """Bytes of its value, about."""
        return len(self.string or "") + len(self.binary or b"")


@dataclass(frozen=True, slots=True)
class _Read:
    """What is to be read. Equal reads share an answer."""

    lane: Lane
    secret_id: str
    version_stage: str | None
    version_id: str | None


_Wish = Wish[_Read, SecretVersion]


class SecretReader:
    """Reads for all objects of the operator."""

    def __init__(
        self,
        sessions: AwsSessions,
        *,
        clock: Callable[[], float],
        window: float = WINDOW_SECONDS,
        batches_per_second: float = BATCHES_PER_SECOND,
        gets_per_second: float = _GETS_PER_SECOND,
        wanted: Callable[[str], bool] = lambda _secret_id: False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        back: Callable[[Lane], None] = lambda _lane: None,
    ) -> None:
        """`wanted` says whether a secret, by the id it is read by, is going to be read again at once.

        `back` is told of who is answered again, and where, after an outage.
        """
        self._outages = Outages(back)
        self._sessions = sessions
        self._clock = clock

        def buckets(rate: float) -> TokenBuckets:
            return TokenBuckets(lambda: TokenBucket(rate, rate, clock=clock, sleep=sleep))

        self._batches, self._gets = buckets(batches_per_second), buckets(gets_per_second)
        self._denied_until: dict[Lane, float] = {}
        self._held = HeldAnswers[_Read, SecretVersion](
            wanted=lambda read: wanted(read.secret_id),
            size=SecretVersion.size,
            clock=clock,
        )
        self._reads = SharedReads[_Read, SecretVersion](
            batch=self._batch, single=self._single, size=BATCH_SIZE, window=window, held=self._held
        )

    async def read(
        self,
        identity: AwsIdentity,
        region: str,
        secret_id: str,
        *,
        version_stage: str | None = None,
        version_id: str | None = None,
        not_before: float = -math.inf,
    ) -> SecretVersion:
        """One version: the current one unless a stage or a version id is given.

        It comes from a call that was begun at `not_before`, on this reader's clock, or later. Raises the
        classes of `pierhead.aws.errors`; NotFound also where the secret exists without that version,
        MarkedForDeletion for a deleted secret that can still be restored.
        """
        if version_id is None:
            version_stage = version_stage or CURRENT
        lane = Lane(identity, region)
        alone = version_stage != CURRENT or version_id is not None or self._batch_denied(lane)
        read = _Read(lane, secret_id, version_stage, version_id)
        return await self._reads.read(read, alone=alone, not_before=not_before)

    def sweep(self) -> None:
        """Drops the answers that are not `wanted` any more."""
        self._held.sweep()

    async def is_gone(self, identity: AwsIdentity, region: str, secret_id: str) -> bool:
        """Whether the secret itself provably does not exist, or is marked for deletion.

        Raises the classes of `pierhead.aws.errors` where that cannot be told.
        """
        await self._gets[identity.account, region].take()
        try:
            answer = await self._client(Lane(identity, region)).call("describe_secret", SecretId=secret_id)
        except NotFound:
            return True
        return "DeletedDate" in answer

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._reads.close()

    def _batch_denied(self, lane: Lane) -> bool:
        return self._clock() < self._denied_until.get(lane, 0.0)

    async def _single(self, wish: _Wish) -> None:
        read = wish.read
        version = {"VersionId": read.version_id} if read.version_id else {"VersionStage": read.version_stage}
        try:
            answer = await self._call(
                read.lane, self._gets, "get_secret_value", SecretId=read.secret_id, **version
            )
        except AwsError as error:
            self._reads.settle(wish, _sharper(error))
        else:
            self._reads.settle(wish, _version(answer))

    async def _batch(self, wishes: list[_Wish]) -> list[_Wish]:
        """Answers what a batch can answer; returns the wishes that have to be read alone."""
        lane = wishes[0].read.lane
        values: list[SecretVersion] = []
        errors: dict[str, AwsError] = {}
        try:
            async for page in self._pages(lane, [wish.read.secret_id for wish in wishes]):
                values += [_version(value) for value in page.get("SecretValues", ())]
                errors |= {error["SecretId"]: _item_error(error) for error in page.get("Errors", ())}
        except AccessDenied as error:
            if error.operation != "BatchGetSecretValue":
                return self._all_failed(wishes, error)
            self._denied_until[lane] = self._clock() + DENIED_SECONDS
        except BadRequest:
            pass  # one id that AWS does not take must not cost the others
        except AwsError as error:
            return self._all_failed(wishes, error)
        alone = []
        for wish in wishes:
            result = _found(wish.read.secret_id, values) or errors.get(wish.read.secret_id)
            if result is None:
                alone.append(wish)
            else:
                self._reads.settle(wish, result)
        return alone

    async def _pages(self, lane: Lane, secret_ids: list[str]) -> AsyncIterator[dict[str, Any]]:
        """The pages of one BatchGetSecretValue."""
        token: dict[str, str] = {}
        for _ in range(_PAGES):
            page = await self._call(
                lane, self._batches, "batch_get_secret_value", SecretIdList=secret_ids, **token
            )
            yield page
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    async def _call(
        self, lane: Lane, buckets: TokenBuckets, operation: str, **request: Any
    ) -> dict[str, Any]:
        bucket = buckets[lane.identity.account, lane.region]

        async def ask() -> dict[str, Any]:
            await bucket.take()
            return await self._client(lane).call(operation, **request)

        try:
            return await self._outages.call(lane, ask)
        except Throttling as error:
            bucket.hold(error.after)
            raise

    def _all_failed(self, wishes: list[_Wish], error: AwsError) -> list[_Wish]:
        for wish in wishes:
            self._reads.settle(wish, error)
        return []

    def _client(self, lane: Lane) -> AwsClient:
        return self._sessions.client("secretsmanager", region=lane.region, identity=lane.identity)


def _version(answer: dict[str, Any]) -> SecretVersion:
    return SecretVersion(
        arn=answer["ARN"],
        name=answer["Name"],
        version_id=answer["VersionId"],
        string=answer.get("SecretString"),
        binary=answer.get("SecretBinary"),
        stages=tuple(answer.get("VersionStages", ())),
    )


def _found(secret_id: str, values: Iterable[SecretVersion]) -> SecretVersion | None:
    """The value that an id asked for: by name, ARN, or ARN without its random suffix."""
    partial = f"{secret_id}-" if secret_id.startswith("arn:") else None
    suffix = 6
    for value in values:
        if secret_id in {value.name, value.arn}:
            return value
        if partial and value.arn.startswith(partial) and len(value.arn) == len(partial) + suffix:
            return value
    return None


def _item_error(error: dict[str, str]) -> AwsError:
    return _sharper(
        from_code(error.get("ErrorCode", "Unknown"), error.get("Message", ""), operation="GetSecretValue")
    )


def _sharper(error: AwsError) -> AwsError:
    """The same error, as MarkedForDeletion if that is what it says: AWS has no code of its own for it."""
    if error.code != "InvalidRequestException" or "mark" not in error.message or "delet" not in error.message:
        return error
    sharper = MarkedForDeletion(error.message)
    sharper.code, sharper.operation = error.code, error.operation
    return sharper
