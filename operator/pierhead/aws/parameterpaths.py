"""Reading Parameter Store by path.

Invariants: equal reads that are wanted at the same time are made once; an answer never serves another
identity; a read ends after a bounded number of parameters, and says where that is not all.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pierhead.aws.errors import AwsError, Throttling
from pierhead.aws.held import HeldAnswers
from pierhead.aws.parameters import Parameter, parameter_of
from pierhead.aws.rate import TokenBucket, TokenBuckets
from pierhead.aws.session import AwsIdentity, AwsSessions
from pierhead.aws.sharing import Lane, SharedReads, Wish, never_batched

PAGE_SIZE: Final = 10
PAGES: Final = 50
"""Most pages of one read, so most parameters are 500."""

# A quarter of AWS's default quota of 40 reads a second.
_CALLS_PER_SECOND: Final = 10.0


@dataclass(frozen=True, slots=True)
class ParametersBelow:
    """The parameters below a path."""

    parameters: tuple[Parameter, ...]
    complete: bool
    """Whether that is all: a read ends after `PAGES` pages."""


@dataclass(frozen=True, slots=True)
class _Read:
    lane: Lane
    path: str


_Wish = Wish[_Read, ParametersBelow]


class ParameterPaths:
    """Reads for all objects of the operator."""

    def __init__(
        self,
        sessions: AwsSessions,
        *,
        calls_per_second: float = _CALLS_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._calls = TokenBuckets(lambda: TokenBucket(calls_per_second, calls_per_second))
        self._reads = SharedReads[_Read, ParametersBelow](
            batch=never_batched,
            single=self._single,
            size=1,
            # Holds nothing, but knows when each call was begun.
            held=HeldAnswers(clock=clock),
        )

    async def below(
        self, identity: AwsIdentity, region: str, path: str, *, not_before: float = -math.inf
    ) -> ParametersBelow:
        """All parameters at any depth below a path, decrypted, by name.

        They are of a read begun at `not_before`, on this reader's clock, or later. Raises the classes of
        `pierhead.aws.errors`; one that may not be decrypted fails the whole read.
        """
        return await self._reads.read(_Read(Lane(identity, region), path), not_before=not_before)

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._reads.close()

    async def _single(self, wish: _Wish) -> None:
        lane = wish.read.lane
        try:
            found = await self._pages(lane, wish.read.path)
        except AwsError as error:
            if isinstance(error, Throttling):
                self._calls[lane.identity.account, lane.region].hold(error.after)
            self._reads.settle(wish, error)
        else:
            self._reads.settle(wish, found)

    async def _pages(self, lane: Lane, path: str) -> ParametersBelow:
        client = self._sessions.client("ssm", region=lane.region, identity=lane.identity)
        found: dict[str, Parameter] = {}
        token: dict[str, str] = {}
        for _ in range(PAGES):
            await self._calls[lane.identity.account, lane.region].take()
            page = await client.call(
                "get_parameters_by_path",
                Path=path,
                Recursive=True,
                WithDecryption=True,
                MaxResults=PAGE_SIZE,
                **token,
            )
            found |= {item["Name"]: parameter_of(item) for item in page.get("Parameters", ())}
            # A page may be empty and still not be the last.
            if not page.get("NextToken"):
                return ParametersBelow(tuple(found[name] for name in sorted(found)), complete=True)
            token = {"NextToken": page["NextToken"]}
        return ParametersBelow(tuple(found[name] for name in sorted(found)), complete=False)
