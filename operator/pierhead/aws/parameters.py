"""Reading Parameter Store with the fewest calls.

Invariants: an answer never serves another identity; reads go out in tens, as `pierhead.aws.sharing` brings
them together; one parameter that cannot be read never costs another its answer. Only `ssm:GetParameters`
is ever called, so that it is the only right a role needs, but for `kms:Decrypt`.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from pierhead.aws.errors import AccessDenied, AwsError, BadRequest, NotFound, Throttling
from pierhead.aws.rate import TokenBucket, TokenBuckets
from pierhead.aws.session import AwsIdentity, AwsSessions
from pierhead.aws.sharing import WINDOW_SECONDS, Lane, SharedReads, Wish

BATCH_SIZE: Final = 10

# Half of AWS's default quota of 40 reads a second.
_CALLS_PER_SECOND: Final = 20.0


@dataclass(frozen=True, slots=True)
class Parameter:
    """One version of a parameter. Its value is in no representation of it."""

    name: str
    version: int
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Read:
    lane: Lane
    name: str


_Wish = Wish[_Read, Parameter]


class ParameterReader:
    """Reads for all objects of the operator."""

    def __init__(
        self,
        sessions: AwsSessions,
        *,
        window: float = WINDOW_SECONDS,
        calls_per_second: float = _CALLS_PER_SECOND,
    ) -> None:
        self._sessions = sessions
        self._calls = TokenBuckets(lambda: TokenBucket(calls_per_second, calls_per_second))
        self._reads = SharedReads[_Read, Parameter](
            batch=self._batch, single=self._single, size=BATCH_SIZE, window=window
        )

    async def read(self, identity: AwsIdentity, region: str, name: str) -> Parameter:
        """A parameter, decrypted; `name` may be an ARN, and may end in `:` and a version or label.

        Raises the classes of `pierhead.aws.errors`; NotFound also where there is no such version.
        """
        return await self._reads.read(_Read(Lane(identity, region), name))

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._reads.close()

    async def _single(self, wish: _Wish) -> None:
        try:
            found = await self._ask(wish.read.lane, [wish.read.name])
        except AwsError as error:
            self._reads.settle(wish, error)
        else:
            self._settle(wish, found)

    async def _batch(self, wishes: list[_Wish]) -> list[_Wish]:
        """Answers what a batch can answer; returns the wishes that have to be read alone."""
        try:
            found = await self._ask(wishes[0].read.lane, [wish.read.name for wish in wishes])
        except (AccessDenied, BadRequest, NotFound):
            return wishes  # one that may not be read, or that AWS does not take, must not cost the others
        except AwsError as error:
            for wish in wishes:
                self._reads.settle(wish, error)
            return []
        for wish in wishes:
            self._settle(wish, found)
        return []

    def _settle(self, wish: _Wish, found: dict[str, Parameter]) -> None:
        name = wish.read.name
        missing = NotFound(f"GetParameters: parameter {name} does not exist in {wish.read.lane.region}")
        self._reads.settle(wish, found.get(name, missing))

    async def _ask(self, lane: Lane, names: list[str]) -> dict[str, Parameter]:
        """What exists of these, by each of the ways to name it."""
        bucket = self._calls[lane.identity.account, lane.region]
        await bucket.take()
        client = self._sessions.client("ssm", region=lane.region, identity=lane.identity)
        try:
            answer = await client.call("get_parameters", Names=names, WithDecryption=True)
        except Throttling as error:
            bucket.hold(error.after)
            raise
        return {spelling: _parameter(item) for item in answer["Parameters"] for spelling in _spellings(item)}


def _parameter(item: dict[str, Any]) -> Parameter:
    return Parameter(item["Name"], int(item["Version"]), item["Value"])


def _spellings(item: dict[str, Any]) -> list[str]:
    selector = item.get("Selector", "")
    return [f"{name}{selector}" for name in (item["Name"], item.get("ARN", item["Name"]))]


def without_selector(name: str) -> str:
    """A parameter's name or ARN without the version or label that may follow it."""
    head, mark, path = name.partition(":parameter/")
    if not mark:
        head, path = "", name
    return f"{head}{mark}{path.partition(':')[0]}"
