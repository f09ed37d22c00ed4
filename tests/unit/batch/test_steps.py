"""Errors of a poll and of dependencies are told again for every BatchJob that they hold up."""

import pytest

from pierhead.aws.errors import AwsError, from_code
from pierhead.batch.steps import _again
from pierhead.engine.outcome import Invalid, ReconcileError, Throttled, Transient, Waiting
from pierhead.kube.errors import TooManyRequests

ERRORS = (
    from_code("TooManyRequestsException", "Rate exceeded", operation="DescribeJobs", after=7),
    from_code("ServerException", "try again", operation="DescribeJobs", http_status=500),
    Throttled("slower", after=3),
    Waiting("for b", after=2),
    Transient("cut off"),
    Invalid("they wait for each other", reason="DependencyCycle", field="spec.dependsOn"),
    TooManyRequests("slower", code=429, retry_after=4.0),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_raised_again_says_the_same_and_is_another(error: ReconcileError):
    error.status = {"size": 1}
    again = _again(error)
    assert again is not error
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert (again.reason, again.field, again.status) == (error.reason, error.field, None)
    assert getattr(again, "after", None) == getattr(error, "after", None)
    assert again.__traceback__ is None
    if isinstance(error, AwsError):
        assert again.code == error.code
