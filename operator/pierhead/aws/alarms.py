"""CloudWatch's alarms and how they stand.

Invariant: alarms that are asked for at about the same time share a call, by `pierhead.aws.sharing`, a hundred
at most; one that may not be read never costs another its answer. Only `cloudwatch:DescribeAlarms` is called.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pierhead.aws.errors import AccessDenied, AwsError, BadRequest, NotFound, Throttling
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.rate import TokenBucket, TokenBuckets
from pierhead.aws.session import AwsSessions
from pierhead.aws.sharing import Lane, SharedReads, Wish

BATCH_SIZE: Final = 100
# Half of AWS's default quota of 9 calls a second.
_CALLS_PER_SECOND: Final = 4.5


class AlarmNotFound(NotFound):
    """There is no alarm of this name."""

    default_reason = "AlarmNotFound"


@dataclass(frozen=True, slots=True)
class Alarm:
    """How an alarm stands."""

    name: str
    state: str
    """`OK`, `ALARM` or `INSUFFICIENT_DATA`."""

    since: datetime
    """When it came into that state."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Read:
    lane: Lane
    name: str


_Wish = Wish[_Read, Alarm]


class AlarmReader:
    """Reads for all objects of the operator."""

    def __init__(self, sessions: AwsSessions) -> None:
        self._sessions = sessions
        self._calls = TokenBuckets(lambda: TokenBucket(_CALLS_PER_SECOND, _CALLS_PER_SECOND))
        self._reads = SharedReads[_Read, Alarm](batch=self._batch, single=self._single, size=BATCH_SIZE)

    async def read(self, identity: AwsIdentity, region: str, name: str) -> Alarm:
        """A metric or composite alarm. Raises AlarmNotFound and the classes of `pierhead.aws.errors`."""
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
        try:
            found = await self._ask(wishes[0].read.lane, [wish.read.name for wish in wishes])
        except (AccessDenied, BadRequest):
            return wishes  # one that may not be read must not cost the others
        except AwsError as error:
            for wish in wishes:
                self._reads.settle(wish, error)
            return []
        for wish in wishes:
            self._settle(wish, found)
        return []

    def _settle(self, wish: _Wish, found: dict[str, Alarm]) -> None:
        name = wish.read.name
        missing = AlarmNotFound(f"DescribeAlarms: there is no alarm {name} in {wish.read.lane.region}")
        self._reads.settle(wish, found.get(name, missing))

    async def _ask(self, lane: Lane, names: list[str]) -> dict[str, Alarm]:
        bucket = self._calls[lane.identity.account, lane.region]
        await bucket.take()
        client = self._sessions.client("cloudwatch", region=lane.region, identity=lane.identity)
        try:
            answer = await client.call(
                "describe_alarms",
                AlarmNames=names,
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
                MaxRecords=BATCH_SIZE,
            )
        except Throttling as error:
            bucket.hold(error.after)
            raise
        found = (*(answer.get("MetricAlarms") or ()), *(answer.get("CompositeAlarms") or ()))
        return {item["AlarmName"]: _alarm(item) for item in found}


def _alarm(item: dict[str, Any]) -> Alarm:
    # The time of a state's last update moves while it stays the same; the other is only told of late.
    since = item.get("StateTransitionedTimestamp") or item["StateUpdatedTimestamp"]
    return Alarm(item["AlarmName"], item["StateValue"], since, str(item.get("StateReason") or ""))
