"""The end of a CloudWatch log stream.

Invariant: the lines are the newest there are, in the order they were written, and never more than asked for.
Source: CloudWatch Logs API reference, GetLogEvents.
"""

from dataclasses import dataclass
from typing import Any, Final

from pierhead.aws.session import AwsClient

_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event of a stream."""

    at: int
    """Milliseconds since 1970."""

    text: str


async def tail(client: AwsClient, group: str, stream: str, lines: int) -> list[LogLine]:
    """The last lines of a stream. `client` is of the service `logs`.

    Raises NotFound where there is no such group or stream, and the other classes of `pierhead.aws.errors`.
    """
    found: list[LogLine] = []
    token: dict[str, Any] = {}
    while len(found) < lines:
        answer = await client.call(
            "get_log_events",
            logGroupName=group,
            logStreamName=stream,
            startFromHead=False,
            limit=min(_PAGE, lines - len(found)),
            **token,
        )
        found = [
            LogLine(int(event["timestamp"]), str(event["message"])) for event in answer["events"]
        ] + found
        back = answer.get("nextBackwardToken")
        # A page can be empty before the beginning: that is where the token stays the same.
        if not back or token == {"nextToken": back}:
            break
        token = {"nextToken": back}
    return found
