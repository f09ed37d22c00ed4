"""Credentials are fetched once in their lifetime, and a renewal is never given what it has."""

from datetime import UTC, datetime, timedelta

import pytest

from pierhead.aws import keyring
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.keyring import KeyRing

ONE, TWO = (AwsIdentity(role_arn=f"arn:aws:iam::111122223333:role/{name}") for name in ("one", "two"))


class Sts:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.asked: list[AwsIdentity] = []
        self.ring = KeyRing(self.fetch, now=lambda: self.now)

    def fetch(self, identity: AwsIdentity) -> dict[str, str]:
        self.asked.append(identity)
        return {
            "access_key": str(len(self.asked)),
            "expiry_time": (self.now + timedelta(hours=1)).isoformat(),
        }


def test_once_in_a_lifetime() -> None:
    sts = Sts()
    for minutes in (0, 20, 24):
        sts.now += timedelta(minutes=minutes)
        assert sts.ring.keys(ONE)["access_key"] == "1"
    assert sts.ring.keys(TWO)["access_key"] == "2"
    sts.now += timedelta(minutes=1)
    assert sts.ring.keys(ONE)["access_key"] == "3"
    assert sts.ring.keys(ONE)["access_key"] == "3"


def test_what_is_dropped_is_fetched_anew() -> None:
    sts = Sts()
    sts.ring.keys(ONE)
    sts.ring.drop(ONE)
    sts.ring.drop(TWO)
    assert sts.ring.keys(ONE)["access_key"] == "2"


def test_a_failure_leaves_nothing_behind_and_there_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "MOST", 1)
    sts = Sts()
    sts.ring.keys(ONE)
    sts.ring.keys(TWO)
    sts.ring.keys(ONE)
    assert sts.asked == [ONE, TWO, ONE]
