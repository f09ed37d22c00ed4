"""Looks at repositories: shared, gathered, and harmless when they fail."""

import asyncio
from random import Random

import pytest

from pierhead.apps.images import repositories as module
from pierhead.apps.images.choice import Scan
from pierhead.apps.images.registries import EcrImages
from pierhead.apps.images.repositories import Place, Repositories
from pierhead.aws.errors import NotFound, Unavailable
from pierhead.aws.events import AwsEvent
from pierhead.aws.identity import OPERATOR, AwsIdentity
from pierhead.aws.images import Repository
from pierhead.engine.resource import ObjectKey

ONE, TWO = ObjectKey("shop", "one"), ObjectKey("shop", "two")
PLACE = Place(OPERATOR, "eu-west-1", Repository("shop/web"))


class Ecr:
    """A repository in ECR, as a client sees it."""

    def __init__(self, **tags: str) -> None:
        self.tags = tags
        self.scans: dict[str, dict] = {}
        self.failure: Exception | None = None
        self.calls: list[str] = []

    async def call(self, operation, **parameters):
        self.calls.append(operation)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        if operation == "describe_images":
            return {
                "imageDetails": [
                    {"imageTags": [tag], "imageDigest": digest} for tag, digest in self.tags.items()
                ]
            }
        counts = self.scans.get(parameters["imageId"]["imageDigest"])
        if counts is None:
            raise NotFound("never scanned")
        return {
            "imageScanStatus": {"status": "COMPLETE"},
            "imageScanFindings": {"findingSeverityCounts": counts},
        }


class Followers:
    """Those who follow, on a clock that stands."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(module, "GATHER_SECONDS", 0.01)
        self.now = 0.0
        self.woken: list[ObjectKey] = []
        self.all = Repositories(random=Random(1), monotonic=lambda: self.now)
        self.all.start(self.woken.append)

    def look(self, ecr, user=ONE, place=PLACE, *, force=False):
        self.all.keep(user, [place])
        return self.all.look(place, EcrImages(ecr, place.repository), user=user, interval=100, force=force)

    async def rest(self):
        """Until no look is under way."""
        while looks := [held.task for held in self.all._followed.values() if held.task is not None]:
            await asyncio.wait(looks, timeout=20)


@pytest.fixture
def followers(monkeypatch):
    return Followers(monkeypatch)


def pushed(name="shop/web", account="111122223333", region="eu-west-1", **more):
    event = {"source": "aws.ecr", "detail_type": "ECR Image Action", **more}
    return AwsEvent(account=account, region=region, detail={"repository-name": name}, **event)


async def test_one_look_serves_all_and_wakes_them(followers):
    ecr = Ecr(a="1")
    first = followers.look(ecr)
    followers.look(ecr, TWO)
    await followers.rest()

    assert first.tags is None
    assert followers.look(ecr).tags == followers.look(ecr, TWO).tags == {"a": "1"}
    assert ecr.calls == ["describe_images"]
    assert set(followers.woken) == {ONE, TWO}


async def test_another_identity_has_its_own_look(followers):
    ecr, other = (
        Ecr(a="1"),
        Place(AwsIdentity("arn:aws:iam::111122223333:role/shop"), "eu-west-1", PLACE.repository),
    )
    followers.look(ecr)
    followers.look(ecr, TWO, other)
    await followers.rest()

    assert len(ecr.calls) == 2


async def test_what_did_not_move_wakes_nobody(followers):
    ecr = Ecr(a="1")
    followers.look(ecr)
    await followers.rest()
    followers.woken.clear()
    followers.look(ecr, force=True)
    followers.now = 86.0
    await followers.rest()
    followers.look(ecr)
    await followers.rest()

    assert len(ecr.calls) == 3
    assert followers.woken == []


async def test_a_failed_look_leaves_what_was_seen(followers):
    ecr = Ecr(a="1")
    followers.look(ecr)
    await followers.rest()
    ecr.failure = Unavailable("down")
    followers.look(ecr, force=True)
    await followers.rest()
    view = followers.look(ecr)

    assert view.tags == {"a": "1"}
    assert str(view.failure) == "down"
    assert len(ecr.calls) == 2

    ecr.failure, followers.now = None, 15.0
    followers.look(ecr)
    await followers.rest()

    assert followers.look(ecr).failure is None


async def test_hints_are_gathered_and_those_of_others_ignored(followers):
    ecr = Ecr(a="1")
    followers.look(ecr)
    await followers.rest()
    for event in (
        pushed("shop/other"),
        pushed(region="us-east-1"),
        pushed(source="aws.s3"),
        pushed(detail_type="ECR Pull Through Cache Action"),
    ):
        followers.all.hint(event)
    await followers.rest()

    assert len(ecr.calls) == 1

    for _ in range(20):
        followers.all.hint(pushed())
    await followers.rest()

    assert 2 <= len(ecr.calls) <= 3


async def test_scans_are_asked_for_what_choices_rest_on(followers):
    ecr = Ecr(a="1", b="2")
    ecr.scans = {"1": {"HIGH": 1}}
    followers.look(ecr)
    await followers.rest()
    followers.woken.clear()
    followers.all.rests_on(PLACE, ONE, scans=["1", "2", "gone"])
    await followers.rest()

    assert followers.look(ecr).scans == {
        "1": Scan(True, "COMPLETE", {"HIGH": 1}),
        "2": Scan(False, "NONE", {}),
    }
    assert followers.woken == [ONE]

    followers.all.rests_on(PLACE, ONE, scans=["1", "2"])
    await followers.rest()

    assert ecr.calls.count("describe_image_scan_findings") == 2


async def test_more_scans_than_one_look_asks_for_come_one_look_later(followers, monkeypatch):
    monkeypatch.setattr(module, "SCANS_LIMIT", 3)
    ecr = Ecr(**{f"t{number}": str(number) for number in range(8)})
    followers.look(ecr)
    await followers.rest()
    followers.all.rests_on(PLACE, ONE, scans=list(ecr.tags.values()))
    await followers.rest()

    assert len(followers.look(ecr).scans) == 8


async def test_who_follows_nothing_any_more_costs_no_look(followers):
    ecr = Ecr(a="1")
    followers.look(ecr)
    await followers.rest()
    followers.all.keep(ONE, ())
    followers.all.hint(pushed())
    await asyncio.sleep(0.05)

    assert len(ecr.calls) == 1


class Plain:
    """A registry that tells a tag's digest only for the asking."""

    def __init__(self, **tags: str) -> None:
        self.all = tags
        self.calls: list[str] = []

    async def tags(self):
        self.calls.append("tags")
        return dict.fromkeys(self.all)

    async def digest(self, tag):
        self.calls.append(tag)
        return self.all[tag]


async def test_digests_are_asked_for_what_choices_rest_on(followers):
    registry, place = (
        Plain(a="1", b="2", c="3"),
        Place("nobody", "", Repository("https:oci://example.com/web")),
    )

    def look(*, force=False):
        followers.all.keep(ONE, [place])
        return followers.all.look(place, registry, user=ONE, interval=100, force=force)

    look()
    await followers.rest()
    followers.all.rests_on(place, ONE, scans=(), tags=["b"])
    await followers.rest()

    assert look().tags == {"a": None, "b": "2", "c": None}
    assert registry.calls == ["tags", "tags", "b"]

    # A tag that is moved is noticed at the next look.
    followers.woken.clear()
    registry.all["b"] = "9"
    look(force=True)
    await followers.rest()

    assert look().tags["b"] == "9"
    assert followers.woken == [ONE]

    # What it rested on before is known, and asks for nothing.
    followers.all.rests_on(place, ONE, scans=(), tags=["b"])
    await followers.rest()

    assert registry.calls == ["tags", "tags", "b", "tags", "b"]
