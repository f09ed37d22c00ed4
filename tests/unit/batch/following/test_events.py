"""Of Batch's many events the few count that a poll would notice late."""

import pytest

from pierhead.aws.events import AwsEvent
from pierhead.batch.following.events import Hint, hinted

STATE_CHANGE, BLOCKED = "Batch Job State Change", "Batch Job Queue Blocked"


def event(detail_type: str = STATE_CHANGE, source: str = "aws.batch", **detail) -> AwsEvent:
    return AwsEvent(source, detail_type, "111122223333", "eu-west-1", {"jobId": "j1", **detail})


CASES = {
    "a job that succeeded": (event(status="SUCCEEDED"), Hint("j1")),
    "a job that failed": (event(status="FAILED"), Hint("j1")),
    "an array that ended": (event(status="FAILED", arrayProperties={"size": 3}), Hint("j1")),
    "a child that ended": (event(status="FAILED", arrayProperties={"index": 0, "size": 3}), None),
    "a job that began": (event(status="RUNNING"), None),
    "a queue that is blocked": (event(BLOCKED, status="RUNNABLE"), Hint("j1", blocked=True)),
    "a child that blocks its queue": (
        event(BLOCKED, status="RUNNABLE", jobId="j1:7", arrayProperties={"index": 7}),
        Hint("j1", blocked=True),
    ),
    "somebody else's event": (event(source="team.app", status="FAILED"), None),
    "no job": (event(status="FAILED", jobId=3), None),
}


@pytest.mark.parametrize("case", CASES)
def test_which_events_are_hints(case):
    given, expected = CASES[case]
    assert hinted(given) == expected
