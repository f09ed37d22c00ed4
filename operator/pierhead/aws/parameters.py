"""Reading Parameter Store with the fewest calls.

Invariants: an answer never serves another identity; reads go out in tens, as `pierhead.aws.sharing` brings
them together; one parameter that cannot be read never costs another its answer. Only `ssm:GetParameters`
is ever called, so that it is the only right a role needs, but for `kms:Decrypt`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pierhead.aws.errors import NotFound
from pierhead.aws.session import AwsIdentity, AwsSessions
from pierhead.aws.sharing import WINDOW_SECONDS, Lane, Named, NamedReads

BATCH_SIZE: Final = 10

# Half of AWS's default quota of 40 reads a second.
_CALLS_PER_SECOND: Final = 20.0


@dataclass(frozen=True, slots=True)
class Parameter:
    """One version of a parameter. Its value is in no representation of it."""

    name: str
    version: int
    value: str = field(repr=False)


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
        self._reads = NamedReads[Parameter](
            self._ask, _missing, size=BATCH_SIZE, calls_per_second=calls_per_second, window=window
        )

    async def read(self, identity: AwsIdentity, region: str, name: str) -> Parameter:
        """A parameter, decrypted; `name` may be an ARN, and may end in `:` and a version or label.

        Raises the classes of `pierhead.aws.errors`; NotFound also where there is no such version.
        """
        return await self._reads.read(Lane(identity, region), name)

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._reads.close()

    async def _ask(self, lane: Lane, names: Sequence[str]) -> dict[str, Parameter]:
        """What exists of these, by each of the ways to name it."""
        client = self._sessions.client("ssm", region=lane.region, identity=lane.identity)
        answer = await client.call("get_parameters", Names=list(names), WithDecryption=True)
        return {spelling: _parameter(item) for item in answer["Parameters"] for spelling in _spellings(item)}


def _missing(read: Named) -> NotFound:
    return NotFound(f"GetParameters: parameter {read.name} does not exist in {read.lane.region}")


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
