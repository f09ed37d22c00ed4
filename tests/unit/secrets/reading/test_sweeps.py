"""A list of versions in place of reads: only what has provably not moved is left alone."""

import asyncio
from typing import Any

import pytest

from pierhead.aws.access import Access
from pierhead.aws.errors import AwsError, from_code
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.secretlists import ListedSecret, SecretList, SecretLister
from pierhead.engine.properties import Fault
from pierhead.engine.resource import ObjectKey
from pierhead.secrets.reading import sweeps
from pierhead.secrets.reading.due import Due
from pierhead.secrets.reading.references import Reference, Version
from pierhead.secrets.reading.sweeps import Sweeps
from support.virtual_time import now, settle, virtual_time

ME = Access(AwsIdentity(), "us-east-1")
OTHER = Access(AwsIdentity(role_arn="arn:aws:iam::1:role/other"), "us-east-1")
A, B, C = (ObjectKey("shop", name) for name in "abc")


class Lists:
    """A lister whose list is set, and who asked."""

    def __init__(self, **versions: str) -> None:
        self.versions = versions
        self.failure: AwsError | None = None
        self.asked: list[AwsIdentity] = []

    async def list(self, identity: AwsIdentity, _region: str, _criteria: Any) -> SecretList:
        self.asked.append(identity)
        await asyncio.sleep(1)
        if self.failure is not None:
            raise self.failure
        return SecretList(
            tuple(
                ListedSecret(name, f"arn:secret:{name}-AbCdEf", {}, version)
                for name, version in self.versions.items()
            ),
            complete=True,
        )


class Swept:
    """Sweeps, and what became of the objects."""

    def __init__(self, lists: Lists) -> None:
        self.read: list[ObjectKey] = []
        self.left: list[ObjectKey] = []
        self.due = Due(clock=now)
        lister: Any = lists
        assert hasattr(SecretLister, "list")
        self.sweeps = Sweeps(lister, self.due, clock=now)
        self.sweeps.start(self.read.append, lambda key, _interval: self.left.append(key))

    def learn(self, key: ObjectKey, who: Access = ME, **versions: str) -> None:
        answers = {Reference(name): Version(version, "x") for name, version in versions.items()}
        self.sweeps.learn(key, who, answers, 60)

    async def come_due(self, *keys: ObjectKey) -> list[bool]:
        taken = [self.sweeps.take(key) for key in keys]
        await asyncio.sleep(2)
        await settle()
        return taken


@virtual_time
async def test_one_list_serves_all_and_only_what_moved_is_read() -> None:
    lists = Lists(db="v1", env="v2")
    swept = Swept(lists)
    swept.learn(A, db="v1")
    swept.learn(B, db="v1", env="v1")
    swept.learn(C, gone="v1")

    assert await swept.come_due(A, B, C) == [True, True, True]
    assert swept.left == [A]
    assert set(swept.read) == {B, C}
    assert len(lists.asked) == 1
    assert swept.due.group(A) == swept.due.group(B)


@virtual_time
async def test_a_secret_is_found_by_each_of_its_names() -> None:
    swept = Swept(Lists(db="v1"))
    for key, name in ((A, "db"), (B, "arn:secret:db-AbCdEf"), (C, "arn:secret:db")):
        swept.sweeps.learn(key, ME, {Reference(name): Version("v1", "x")}, 60)
    await swept.come_due(A, B, C)

    assert swept.left == [A, B, C]


@virtual_time
async def test_identities_never_share_a_list() -> None:
    lists = Lists(db="v1")
    swept = Swept(lists)
    swept.learn(A, db="v1")
    swept.learn(B, OTHER, db="v1")
    await swept.come_due(A, B)

    assert lists.asked == [ME.identity, OTHER.identity]
    assert swept.due.group(A) != swept.due.group(B)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (Reference("/shop/flag", kind="parameter"), Version("1@2", "x")),
        (Reference("db", version_stage="CUSTOM"), Version("v1", "x")),
        (Reference("db"), Fault("SecretNotFound", "not there", absent=True)),
    ],
    ids=["parameter", "label", "fault"],
)
@virtual_time
async def test_what_a_list_does_not_tell_of_is_read(reference: Reference, answer: Version | Fault) -> None:
    swept = Swept(Lists(db="v1"))
    swept.sweeps.learn(A, ME, {reference: answer}, 60)

    assert await swept.come_due(A) == [False]


@virtual_time
async def test_a_list_that_is_denied_is_not_asked_for_again_for_an_hour_and_everything_is_read() -> None:
    lists = Lists(db="v1")
    lists.failure = from_code("AccessDeniedException", "no", operation="ListSecrets")
    swept = Swept(lists)
    swept.learn(A, db="v1")
    assert await swept.come_due(A) == [True]
    assert swept.read == [A]
    swept.learn(A, db="v1")
    assert await swept.come_due(A) == [False]
    lists.failure = None
    await asyncio.sleep(sweeps.REFUSED_SECONDS)
    swept.learn(A, db="v1")
    assert await swept.come_due(A) == [True]

    assert swept.left == [A]


@virtual_time
async def test_a_list_that_fails_has_everything_read_and_is_asked_for_again() -> None:
    lists = Lists(db="v1")
    lists.failure = from_code("ThrottlingException", "slow", operation="ListSecrets")
    swept = Swept(lists)
    swept.learn(A, db="v1")
    await swept.come_due(A)
    assert swept.read == [A]
    lists.failure = None
    await swept.come_due(A)

    assert swept.left == [A]


@virtual_time
async def test_an_object_that_was_left_alone_many_times_is_read_all_the_same() -> None:
    swept = Swept(Lists(db="v1"))
    swept.learn(A, db="v1")
    taken = [(await swept.come_due(A))[0] for _ in range(sweeps.MOST_LOOKS + 1)]

    assert taken == [True] * sweeps.MOST_LOOKS + [False]


@virtual_time
async def test_an_object_that_went_meanwhile_is_not_left_alone() -> None:
    swept = Swept(Lists(db="v1"))
    swept.learn(A, db="v1")
    assert swept.sweeps.take(A)
    await settle()
    swept.sweeps.forget(A)
    await asyncio.sleep(2)

    assert swept.left == []
    await swept.sweeps.stop()
