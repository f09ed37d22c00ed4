"""Objects that wait for AWS are woken when it is back, spread over some seconds."""

from collections.abc import Callable
from random import Random

import pytest

from pierhead.aws.access import Access
from pierhead.aws.errors import AccessDenied, AwsError, Unavailable
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.sharing import Lane
from pierhead.engine.resource import ObjectKey
from pierhead.secrets.reading.stranded import RETURN_SECONDS, Stranded

ME = AwsIdentity()
HERE, THERE = Access(ME, "eu-west-1"), Access(ME, "us-east-1")


def test_each_object_is_woken_once_when_its_own_region_is_back() -> None:
    calls: list[tuple[float, Callable[[], None]]] = []
    woken: list[str] = []
    stranded = Stranded(random=Random(0), call_later=lambda delay, call: calls.append((delay, call)))
    stranded.start(lambda key: woken.append(key.name))
    failures: list[tuple[str, Access, AwsError]] = [
        *((f"s{number}", HERE, Unavailable("away")) for number in range(100)),
        ("s0", HERE, Unavailable("away")),
        ("there", THERE, Unavailable("away")),
        ("denied", HERE, AccessDenied("no")),
    ]
    for name, who, error in failures:
        with pytest.raises(AwsError), stranded.reading(ObjectKey("shop", name), who):
            raise error
    for _ in range(2):
        stranded.back(Lane(ME, "eu-west-1"))
    for _, call in calls:
        call()

    assert sorted(woken) == sorted(f"s{number}" for number in range(100))
    delays = [delay for delay, _ in calls]
    assert 0 <= min(delays) < 1 < RETURN_SECONDS - 1 < max(delays) <= RETURN_SECONDS
