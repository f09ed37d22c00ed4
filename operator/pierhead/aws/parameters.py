"""Reading Parameter Store with the fewest calls.

Invariants: an answer never serves another identity; reads go out in tens, as `pierhead.aws.sharing` brings
them together; one parameter that cannot be read never costs another its answer. Only `ssm:GetParameters`
is ever called, so that it is the only right a role needs, but for `kms:Decrypt`.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pierhead.aws.errors import NotFound
from pierhead.aws.held import HeldAnswers
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
    type: str = "String"
    """`String`, `StringList` (elements with commas between them) or `SecureString`, decrypted."""

    made_at: float = 0.0
    """When this version was made, in Unix seconds: one that is deleted and made anew counts from 1 again."""

    def size(self) -> int:
        """Bytes of its value, about."""
        return len(self.value)


class ParameterReader:
    """Reads for all objects of the operator."""

    def __init__(
        self,
        sessions: AwsSessions,
        *,
        window: float = WINDOW_SECONDS,
        calls_per_second: float = _CALLS_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
        wanted: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        """`wanted` says whether a parameter, by the name it is read by, is going to be read again at once."""
        self._sessions = sessions
        self._held = HeldAnswers[Named, Parameter](
            wanted=lambda read: wanted(read.name), size=Parameter.size, clock=clock
        )
        self._reads = NamedReads[Parameter](
            self._ask,
            _missing,
            size=BATCH_SIZE,
            calls_per_second=calls_per_second,
            window=window,
            held=self._held,
        )

    async def read(
        self, identity: AwsIdentity, region: str, name: str, *, not_before: float = -math.inf
    ) -> Parameter:
        """A parameter, decrypted; `name` may be an ARN, and may end in `:` and a version or label.

        It comes from a call that was begun at `not_before`, on this reader's clock, or later. Raises the
        classes of `pierhead.aws.errors`; NotFound also where there is no such version.
        """
        return await self._reads.read(Lane(identity, region), name, not_before=not_before)

    def sweep(self) -> None:
        """Drops the answers that are not `wanted` any more."""
        self._held.sweep()

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._reads.close()

    async def _ask(self, lane: Lane, names: Sequence[str]) -> dict[str, Parameter]:
        """What exists of these, by each of the ways to name it."""
        client = self._sessions.client("ssm", region=lane.region, identity=lane.identity)
        answer = await client.call("get_parameters", Names=list(names), WithDecryption=True)
        return {
            spelling: parameter_of(item) for item in answer["Parameters"] for spelling in _spellings(item)
        }


def _missing(read: Named) -> NotFound:
    return NotFound(f"GetParameters: parameter {read.name} does not exist in {read.lane.region}")


def parameter_of(item: dict[str, Any]) -> Parameter:
    """A parameter as AWS's answers have it."""
    made_at = item.get("LastModifiedDate")
    return Parameter(
        item["Name"],
        int(item["Version"]),
        item["Value"],
        item.get("Type", "String"),
        made_at.timestamp() if made_at is not None else 0.0,
    )


def _spellings(item: dict[str, Any]) -> list[str]:
    selector = item.get("Selector", "")
    return [f"{name}{selector}" for name in (item["Name"], item.get("ARN", item["Name"]))]


def without_selector(name: str) -> str:
    """A parameter's name or ARN without the version or label that may follow it."""
    head, mark, path = name.partition(":parameter/")
    if not mark:
        head, path = "", name
    return f"{head}{mark}{path.partition(':')[0]}"
