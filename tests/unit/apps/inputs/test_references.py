"""References: a watch tells of changes, whoever may open it, and no change falls between read and watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pierhead.apps.inputs.references import References
from pierhead.engine.outcome import Transient
from pierhead.engine.resource import ObjectKey
from pierhead.kube.answers import Page
from pierhead.kube.credentials import Identity
from pierhead.kube.errors import Forbidden, NotFound
from pierhead.kube.resources import CONFIG_MAPS, SECRETS
from support.waiting import eventually

USER = ObjectKey("team-a", "shop")
OTHER = ObjectKey("team-a", "other")
ACCOUNT = Identity("team-a", "default")


@dataclass
class FakeApi:
    """ConfigMaps and Secrets of a cluster, and who may watch them."""

    objects: dict[tuple[str, str], int] = field(default_factory=dict)
    """Versions by (namespace, name)."""
    watchers: tuple[Identity | None, ...] = (None,)
    lists: list[tuple[Identity | None, str | None, str | None]] = field(default_factory=list)
    gets: int = 0
    streams: list[asyncio.Queue[bytes]] = field(default_factory=list)

    def put(self, name: str, version: int, namespace: str = "team-a") -> None:
        known = (namespace, name) in self.objects
        self.objects[namespace, name] = version
        self._tell("MODIFIED" if known else "ADDED", name, version, namespace)

    def remove(self, name: str, version: int, namespace: str = "team-a") -> None:
        del self.objects[namespace, name]
        self._tell("DELETED", name, version, namespace)

    def _tell(self, event: str, name: str, version: int, namespace: str) -> None:
        import json

        line = json.dumps({"type": event, "object": shown(namespace, name, version)}).encode() + b"\n"
        for stream in self.streams:
            stream.put_nowait(line)


def shown(namespace: str, name: str, version: int) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": f"u-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


@dataclass(frozen=True)
class FakeClient:
    api: FakeApi
    identity: Identity | None = None

    def impersonating(self, identity: Identity | None) -> "FakeClient":
        return replace(self, identity=identity)

    async def get(self, _resource: Any, name: str, namespace: str) -> Any:
        self.api.gets += 1
        await asyncio.sleep(0)
        if (namespace, name) not in self.api.objects:
            raise NotFound("no", code=404)
        return shown(namespace, name, self.api.objects[namespace, name])

    async def pages(
        self, _resource: Any, namespace: str | None, *, field_selector: str | None, **_: Any
    ) -> AsyncIterator[Page]:
        self.api.lists.append((self.identity, namespace, field_selector))
        if self.identity not in self.api.watchers:
            raise Forbidden("no", code=403)
        items = [shown(*place, version) for place, version in self.api.objects.items()]
        yield Page(items, "1", first=True, last=True)

    @asynccontextmanager
    async def watch_stream(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        stream: asyncio.Queue[bytes] = asyncio.Queue()
        self.api.streams.append(stream)

        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield await stream.get()

        yield chunks()


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def woken() -> list[ObjectKey]:
    return []


@pytest.fixture
async def references(api: FakeApi, woken: list[ObjectKey]) -> AsyncIterator[References]:
    made = References(FakeClient(api))  # type: ignore[arg-type]
    made.start(woken.append)
    yield made
    await made.stop()


@pytest.fixture
def reader(api, references):
    def make(user: ObjectKey = USER, generation: int = 1):
        return references.of(user, generation, FakeClient(api, ACCOUNT))

    return make


async def test_a_change_wakes_those_who_read_it_and_nobody_else(api, reader, woken):
    api.put("v", 1)
    api.put("w", 1)
    await reader().get(CONFIG_MAPS, "v", at="f")
    await reader(OTHER).get(CONFIG_MAPS, "w", at="f")
    await eventually(lambda: api.streams)
    api.put("v", 2)
    await eventually(lambda: woken)
    assert woken == [USER]
    assert len(api.lists) == 1


async def test_what_comes_and_goes_is_a_change(api, reader, woken):
    with pytest.raises(Transient, match="ConfigMap v does not exist"):
        await reader().get(CONFIG_MAPS, "v", at="f")
    await eventually(lambda: api.streams)
    api.put("v", 1)
    await eventually(lambda: woken == [USER])
    await reader().get(CONFIG_MAPS, "v", at="f")
    api.remove("v", 2)
    await eventually(lambda: woken == [USER, USER])


async def test_what_is_made_of_an_object_is_made_once_for_each_version(api, reader):
    api.put("v", 1)
    made: list[str] = []

    def make(obj: Any) -> str:
        made.append(obj["metadata"]["resourceVersion"])
        return made[-1]

    for _ in range(3):
        assert await reader().derived(CONFIG_MAPS, "v", at="f", make=make) == "1"
    assert api.gets == 1
    api.put("v", 2)
    await eventually(lambda: reader().version(CONFIG_MAPS, "v") == "2")
    assert await reader().derived(CONFIG_MAPS, "v", at="f", make=make) == "2"
    assert await reader(generation=2).derived(CONFIG_MAPS, "v", at="f", make=make) == "2"
    assert made == ["1", "2", "2"]
    await reader(generation=2).derived(CONFIG_MAPS, "v", at="f", make=make, valid=lambda _: False)
    assert made == ["1", "2", "2", "2"]


async def test_a_change_between_the_answer_and_its_being_noted_is_not_lost(api, reader, references, woken):
    """The watch tells of it before anybody can say what was read."""
    api.put("v", 1)
    await reader(OTHER).get(CONFIG_MAPS, "v", at="f")
    await eventually(lambda: api.streams)
    client = FakeClient(api, ACCOUNT)

    async def get(*asked: Any) -> Any:
        found = await FakeClient.get(client, *asked)
        api.put("v", 2)
        await eventually(lambda: reader(OTHER).version(CONFIG_MAPS, "v") == "2")
        return found

    slow = replace(reader(), client=type("Slow", (), {"get": staticmethod(get), "identity": ACCOUNT})())
    await slow.get(CONFIG_MAPS, "v", at="f")
    assert USER in woken


@pytest.mark.parametrize(
    ("watchers", "lists", "told"),
    [
        ((None,), [(None, None)], True),
        ((ACCOUNT,), [(None, None), (ACCOUNT, "team-a")], True),
        ((), [(None, None), (ACCOUNT, "team-a")], False),
    ],
    ids=["operator", "account", "nobody"],
)
async def test_who_watches(api, reader, watchers, lists, told):
    """A refusal is not asked for again, and reading goes on without a watch."""
    api.watchers = watchers
    api.put("v", 1)
    for _ in range(3):
        await reader().get(SECRETS, "v", at="f")
    assert [place[:2] for place in api.lists] == lists
    assert {selector for *_, selector in api.lists} == {"type!=helm.sh/release.v1"}
    assert (reader().version(SECRETS, "v") is not None) is told


async def test_what_nobody_names_any_more_is_not_watched(api, reader, references):
    api.put("v", 1)
    await reader().get(CONFIG_MAPS, "v", at="f")
    await reader(OTHER).get(CONFIG_MAPS, "v", at="f")
    reader(generation=2).settle()
    assert len(references._watches) == 1
    references.forget(OTHER)
    assert len(references._watches) == 0
    assert not references._named
