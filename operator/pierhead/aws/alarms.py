"""CloudWatch's alarms and how they stand.

Invariant: alarms that are asked for at about the same time share a call, by `pierhead.aws.sharing`, a hundred
at most; one that may not be read never costs another its answer. Only `cloudwatch:DescribeAlarms` is called.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pierhead.aws.errors import NotFound
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.session import AwsSessions
from pierhead.aws.sharing import Lane, Named, NamedReads

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


class AlarmReader:
    """Reads for all objects of the operator."""

    def __init__(self, sessions: AwsSessions) -> None:
        self._sessions = sessions
        self._reads = NamedReads[Alarm](
            self._ask, _missing, size=BATCH_SIZE, calls_per_second=_CALLS_PER_SECOND
        )

    async def read(self, identity: AwsIdentity, region: str, name: str) -> Alarm:
        """A metric or composite alarm. Raises AlarmNotFound and the classes of `pierhead.aws.errors`."""
        return await self._reads.read(Lane(identity, region), name)

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._reads.close()

    async def _ask(self, lane: Lane, names: Sequence[str]) -> dict[str, Alarm]:
        client = self._sessions.client("cloudwatch", region=lane.region, identity=lane.identity)
        answer = await client.call(
            "describe_alarms",
            AlarmNames=list(names),
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            MaxRecords=BATCH_SIZE,
        )
        found = (*(answer.get("MetricAlarms") or ()), *(answer.get("CompositeAlarms") or ()))
        return {item["AlarmName"]: _alarm(item) for item in found}


def _missing(read: Named) -> AlarmNotFound:
    return AlarmNotFound(f"DescribeAlarms: there is no alarm {read.name} in {read.lane.region}")


def _alarm(item: dict[str, Any]) -> Alarm:
    # The time of a state's last update moves while it stays the same; the other is only told of late.
    since = item.get("StateTransitionedTimestamp") or item["StateUpdatedTimestamp"]
    return Alarm(item["AlarmName"], item["StateValue"], since, str(item.get("StateReason") or ""))
