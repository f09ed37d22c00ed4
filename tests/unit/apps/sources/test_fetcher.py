"""One fetch serves all who name the same thing, and whatever becomes of it they hear."""

import asyncio
from types import SimpleNamespace

import pytest

from pierhead.apps.model.sources import Source
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.apps.sources.fetcher import MOST_OF_A_NAMESPACE, RETRY_SECONDS, Sources
from pierhead.engine.outcome import Denied, Invalid, Throttled, Transient, Waiting
from pierhead.engine.resource import ObjectKey

NOBODY = Access()
ONE, TWO = ObjectKey("a", "one"), ObjectKey("b", "two")
GIT = Source.model_validate({"git": {"url": "https://git.example.com/x.git"}})
CHART = Source.model_validate(
    {"helmRepository": {"url": "https://charts.example.com", "chart": "shop", "version": "1.0.0"}}
)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Remote:
    """A fetcher that gives or raises what the test says."""

    def __init__(self, store):
        self.store = store
        self.calls = 0
        self.next = b"1"
        self.gate = None

    async def fetch(self, *_):
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.next, BaseException):
            raise self.next
        digest, path = self.store.put_files({"a": self.next})
        return Artifact(revision=self.next.decode(), digest=digest, path=path)


@pytest.fixture
async def lab(tmp_path):
    clock, woken = Clock(), []
    store = ArtifactStore(tmp_path / "store", limit_bytes=1 << 20)
    remote = Remote(store)
    sources = Sources(store=store, fetchers={"git": remote, "helm_repository": remote}, monotonic=clock)
    sources.start(woken.append)

    def ask(user=ONE, source=GIT, *, interval=60.0, force=False, credentials=NOBODY, at="spec.source.git"):
        return sources.remote(source, credentials, user=user, interval=interval, force=force, at=at)

    async def ended():
        tasks = [held.task for held in sources._remotes.values() if held.task]
        await asyncio.gather(*tasks, return_exceptions=True)

    yield SimpleNamespace(
        clock=clock, woken=woken, store=store, remote=remote, sources=sources, ask=ask, ended=ended
    )
    await sources.stop()


async def fetched(lab, **question):
    with pytest.raises(Waiting):
        lab.ask(**question)
    await lab.ended()
    return lab.ask(**question)


async def test_the_first_fetch_is_waited_for_and_wakes_all_who_wait(lab):
    for user in (ONE, TWO):
        with pytest.raises(Waiting) as raised:
            lab.ask(user)
        assert raised.value.reason == "Fetching"
    await lab.ended()
    assert sorted(lab.woken) == [ONE, TWO]
    assert lab.ask(ONE).artifact == lab.ask(TWO).artifact
    assert lab.remote.calls == 1


async def test_other_credentials_are_another_fetch(lab):
    await fetched(lab)
    await fetched(lab, user=TWO, credentials=Access("login", {"username": "a"}))
    assert lab.remote.calls == 2


async def test_a_look_before_the_interval_is_over_fetches_nothing(lab):
    await fetched(lab)
    lab.clock.now += 30
    lab.ask()
    assert lab.remote.calls == 1


@pytest.mark.parametrize("spread", [0.9, 1.0, 1.1])
async def test_every_look_fetches_once(lab, spread):
    """A look comes an interval after the last one, give or take a tenth; none may be in vain."""
    await fetched(lab)
    for count in range(2, 6):
        lab.clock.now += 60 * spread
        lab.ask()
        await lab.ended()
        assert lab.remote.calls == count


async def test_the_shorter_interval_of_two_users_counts(lab):
    await fetched(lab, interval=3600.0)
    lab.clock.now += 60
    lab.ask(TWO, interval=60.0)
    await lab.ended()
    assert lab.remote.calls == 2


async def test_force_fetches_at_once(lab):
    await fetched(lab)
    lab.ask(force=True)
    await lab.ended()
    assert lab.remote.calls == 2


async def test_news_wakes_and_no_news_does_not(lab):
    await fetched(lab)
    lab.woken.clear()
    lab.clock.now += 60
    lab.ask()
    await lab.ended()
    assert lab.woken == []
    lab.remote.next = b"2"
    lab.clock.now += 60
    lab.ask()
    await lab.ended()
    assert lab.woken == [ONE]
    assert lab.ask().artifact.revision == "2"


async def test_who_forces_a_fetch_hears_of_its_end_even_without_news(lab):
    await fetched(lab)
    lab.woken.clear()
    lab.ask(force=True)
    assert lab.sources.fetching(ONE)
    assert not lab.sources.fetching(TWO)
    await lab.ended()
    assert not lab.sources.fetching(ONE)
    assert lab.woken == [ONE]


async def test_a_failed_refresh_leaves_the_old_artifact_in_use(lab):
    await fetched(lab)
    lab.remote.next = Transient("gone", reason="SourceUnreachable")
    lab.ask(force=True)
    await lab.ended()
    provided = lab.ask()
    assert provided.artifact.revision == "1"
    assert provided.failure.reason == "SourceUnreachable"
    lab.clock.now += RETRY_SECONDS
    lab.remote.next = b"1"
    lab.ask()
    await lab.ended()
    assert lab.ask().failure is None


@pytest.mark.parametrize("failure", [Transient("down"), Invalid("no such branch"), Denied("no")])
async def test_a_source_that_never_came_says_why_for_as_long_as_it_does_not(lab, failure):
    """A new try that fails as the last one did changes nothing, so nobody may be left waiting for its end."""
    lab.remote.next = failure
    with pytest.raises(Waiting):
        lab.ask()
    await lab.ended()
    assert lab.woken == [ONE]
    for count in range(2, 5):
        lab.clock.now += 100
        with pytest.raises(type(failure)):
            lab.ask()
        await lab.ended()
        assert lab.remote.calls == count
    lab.remote.next = b"1"
    lab.clock.now += 100
    with pytest.raises(type(failure)):
        lab.ask()
    await lab.ended()
    assert lab.woken == [ONE, ONE]
    assert lab.ask().artifact.revision == "1"


async def test_a_failure_is_not_tried_again_too_soon(lab):
    lab.remote.next = Transient("down")
    with pytest.raises(Waiting):
        lab.ask(interval=1.0)
    await lab.ended()
    for _ in range(10):
        lab.clock.now += 1
        with pytest.raises(Transient):
            lab.ask(interval=1.0)
    await lab.ended()
    assert lab.remote.calls == 1


async def test_a_bug_in_a_fetch_is_an_end_too(lab):
    lab.remote.next = ZeroDivisionError("a value that must not be told")
    with pytest.raises(Waiting):
        lab.ask()
    await lab.ended()
    with pytest.raises(Transient) as raised:
        lab.ask()
    assert raised.value.reason == "InternalError"
    assert "ZeroDivisionError" in str(raised.value)
    assert "value" not in str(raised.value)


async def test_a_full_disk_passes(lab):
    lab.remote.next = OSError(28, "No space left on device")
    with pytest.raises(Waiting):
        lab.ask()
    await lab.ended()
    with pytest.raises(Transient, match="No space left"):
        lab.ask()


async def test_the_field_is_where_each_user_names_the_source(lab):
    lab.remote.next = Invalid("no", field="ref")
    with pytest.raises(Waiting):
        lab.ask()
    await lab.ended()
    for user, at in ((ONE, "spec.source.git"), (TWO, "spec.kustomize.source.git")):
        with pytest.raises(Invalid) as raised:
            lab.ask(user, at=at)
        assert raised.value.field == f"{at}.ref"
    assert lab.remote.next.field == "ref"


async def test_an_artifact_that_was_evicted_is_fetched_again(lab):
    await fetched(lab)
    lab.store.clear()
    assert (await fetched(lab)).artifact.path.exists()
    assert lab.remote.calls == 2


async def test_a_fetch_that_nobody_waits_for_any_more_ends(lab):
    lab.remote.gate = asyncio.Event()
    with pytest.raises(Waiting):
        lab.ask()
    (held,) = lab.sources._remotes.values()
    lab.sources.forget(ONE)
    await asyncio.gather(held.task, return_exceptions=True)
    assert held.task is None or held.task.cancelled()
    assert lab.sources._remotes == {}


async def test_a_fetch_goes_on_while_somebody_waits(lab):
    lab.remote.gate = asyncio.Event()
    for user in (ONE, TWO):
        with pytest.raises(Waiting):
            lab.ask(user, CHART)
    lab.sources.forget(ONE)
    lab.remote.gate.set()
    await lab.ended()
    assert lab.woken == [TWO]


@pytest.mark.parametrize(
    ("source", "obj", "reason", "field"),
    [
        ({"items": [{"key": "b", "path": "b"}]}, {"data": {"a": "1"}}, "KeyNotFound", "at.items"),
        ({}, {}, "SourceEmpty", "at"),
        ({"items": [{"key": "a", "path": "x/../../y"}]}, {"data": {"a": "1"}}, "InvalidPath", "at"),
    ],
)
async def test_a_config_map_that_does_not_hold_the_source_is_named(lab, source, obj, reason, field):
    given = Source.model_validate({"configMap": {"name": "files", **source}})
    with pytest.raises(Invalid) as raised:
        lab.sources.config_map(given.config_map, obj, at="at")
    assert (raised.value.reason, raised.value.field) == (reason, field)


async def test_a_config_map_gives_texts_and_binaries(lab):
    given = Source.model_validate({"configMap": {"name": "files"}})
    provided = lab.sources.config_map(
        given.config_map, {"data": {"a": "text"}, "binaryData": {"b": "AAE="}}, at="at"
    )
    assert (provided.artifact.path / "a").read_text() == "text"
    assert (provided.artifact.path / "b").read_bytes() == b"\x00\x01"


async def test_an_inline_path_that_leads_out_names_the_field(lab):
    with pytest.raises(Invalid) as raised:
        lab.sources.files({"a/../../b": "x"}, at="spec.source.inline.files")
    assert raised.value.field == "spec.source.inline.files"


async def test_who_names_another_source_leaves_the_one_before(lab):
    """Otherwise every edit of a spec, and every rotated password, would be followed for ever."""
    await fetched(lab)
    lab.ask(TWO)
    await fetched(lab, source=CHART)
    assert sorted(len(remote.users) for remote in lab.sources._remotes.values()) == [1, 1]
    lab.ask(TWO, source=CHART)
    assert [remote.users for remote in lab.sources._remotes.values()] == [{ONE, TWO}]


async def test_a_source_named_in_two_places_stays_while_one_names_it(lab):
    await fetched(lab)
    lab.ask(at="spec.kustomize.source.git")
    with pytest.raises(Waiting):
        lab.ask(source=CHART)
    assert len(lab.sources._remotes) == 2
    lab.sources.forget(ONE)
    assert lab.sources._remotes == {}


async def test_a_server_that_asks_for_a_pause_gets_it(lab):
    lab.remote.next = Throttled("too many", after=600.0)
    with pytest.raises(Waiting):
        lab.ask()
    await lab.ended()
    for elapsed, calls in ((599, 1), (601, 2)):
        lab.clock.now = 1000.0 + elapsed
        with pytest.raises(Throttled):
            lab.ask()
        await lab.ended()
        assert lab.remote.calls == calls


async def test_slow_servers_of_one_namespace_hold_up_no_other(lab):
    lab.remote.gate = asyncio.Event()
    slow = [
        Source.model_validate({"git": {"url": f"https://git.example.com/{number}.git"}})
        for number in range(MOST_OF_A_NAMESPACE + 3)
    ]
    for number, source in enumerate(slow):
        with pytest.raises(Waiting):
            lab.ask(ObjectKey(ONE.namespace, str(number)), source=source)
    with pytest.raises(Waiting):
        lab.ask(TWO, source=CHART)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert lab.remote.calls == MOST_OF_A_NAMESPACE + 1
    lab.remote.gate.set()
    await lab.ended()
    assert lab.remote.calls == len(slow) + 1
