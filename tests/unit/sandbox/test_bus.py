"""What cannot match a rule is not made into an event; what might is."""

import pytest

from pierhead_sandbox.aws.bus import possible

CHILD = {"source": "aws.batch", "detail.status": "FAILED", "detail.arrayProperties.index": 3}
PARENT = {**CHILD, "detail.arrayProperties.index": None}
OF_PARENTS = {"detail": {"arrayProperties": {"index": [{"exists": False}]}}}


@pytest.mark.parametrize(
    ("pattern", "known", "could"),
    [
        ({}, CHILD, True),
        ({"source": ["aws.batch"]}, CHILD, True),
        ({"source": ["aws.s3"]}, CHILD, False),
        ({"detail": {"status": ["SUCCEEDED", "FAILED"]}}, CHILD, True),
        ({"detail": {"status": ["RUNNING"]}}, CHILD, False),
        ({"detail": {"status": [{"prefix": "RUN"}]}}, CHILD, True),
        (OF_PARENTS, CHILD, False),
        (OF_PARENTS, PARENT, True),
        ({"detail": {"arrayProperties": {"index": [{"exists": True}]}}}, PARENT, False),
        ({"detail": {"jobName": ["what is not known"]}}, CHILD, True),
        ({"$or": [{"source": ["aws.s3"]}, {"detail": {"status": ["FAILED"]}}]}, CHILD, True),
        ({"$or": [{"source": ["aws.s3"]}, {"source": ["aws.ecs"]}]}, CHILD, False),
    ],
)
def test_only_what_is_known_rules_an_event_out(pattern, known, could):
    assert possible(pattern, known) is could
