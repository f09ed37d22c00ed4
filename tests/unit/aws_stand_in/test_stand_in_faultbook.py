"""Which fault strikes which call."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pierhead_sandbox.aws.faults import FaultBook, with_inner_names
from pierhead_sandbox.aws.protocol import Fault

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbC123"


def struck(book, service="batch", operation="SubmitJob", resources=(), now=0.0):
    return book.strike(service, operation, resources, now).fault is not None


def test_a_fault_covers_what_its_globs_cover():
    book = FaultBook()
    book.add(Fault.deny("batch", "Describe*"), 0)
    assert struck(book, operation="DescribeJobs")
    assert not struck(book, operation="ListJobs")
    assert not struck(book, service="ecs", operation="DescribeJobs")


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("shop/db", "shop/db", True),
        ("shop/db", ARN, True),
        ("shop/*", ARN, True),
        (ARN, ARN, True),
        ("shop", ARN, False),
        ("q", "arn:aws:batch:eu-west-1:123456789012:job-queue/q", True),
        ("/shop/flags", "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/flags", False),
        ("flags", "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/flags", True),
    ],
)
def test_a_resource_matches_by_name_and_by_arn(pattern, name, expected):
    book = FaultBook()
    book.add(Fault.deny("batch", resource=pattern), 0)
    assert struck(book, resources=[name]) is expected
    assert name in with_inner_names([name])


def test_times_strikes_exactly_so_often_among_many_threads():
    book = FaultBook()
    book.add(Fault.throttle("batch", times=7), 0)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: struck(book), range(100)))
    assert sum(results) == 7
    assert book.reports()[0].struck == 7


@given(st.lists(st.floats(min_value=0, max_value=2), max_size=60))
def test_a_bucket_never_lets_more_through_than_its_rate(gaps):
    book, now, passed = FaultBook(), 0.0, 0
    book.add(Fault.throttle("batch", rate=5, burst=3), now)
    for gap in gaps:
        now += gap
        passed += not struck(book, now=now)
    assert passed <= 3 + 5 * now + 1e-6


def test_skip_lets_the_first_through():
    book = FaultBook()
    book.add(Fault(service="batch", skip=2, times=1), 0)
    assert [struck(book) for _ in range(4)] == [False, False, True, False]


def test_delays_add_up_and_go_with_an_effect():
    book = FaultBook()
    book.add(Fault.latency("batch", seconds=1), 0)
    book.add(Fault.latency("*", seconds=2), 0)
    book.add(Fault.deny("batch"), 0)
    strike = book.strike("batch", "SubmitJob", [], 0)
    assert strike.delay_seconds == 3
    assert strike.fault == Fault.deny("batch")


def test_members_are_struck_only_by_faults_that_name_them():
    book = FaultBook()
    book.add(Fault.deny("secretsmanager"), 0)
    operations = ("GetSecretValue", "BatchGetSecretValue")
    assert book.strike_member("secretsmanager", operations, "a", 0) is None
    named = Fault.deny("secretsmanager", "GetSecretValue", resource="a", times=1)
    book.add(named, 0)
    assert book.strike_member("secretsmanager", operations, "b", 0) is None
    assert book.strike_member("secretsmanager", operations, "a", 0) == named
    assert book.strike_member("secretsmanager", operations, "a", 0) is None


def test_a_fault_that_says_nothing_is_refused():
    with pytest.raises(ValidationError, match="accepted"):
        Fault(effect="none", accepted=True)
    with pytest.raises(ValidationError, match="Extra inputs"):
        Fault.model_validate({"servcie": "batch"})
