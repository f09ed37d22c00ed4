"""The input digest changes exactly when something that could change the rendered objects does."""

import pytest

from pierhead.engine.outcome import Denied, Invalid, Transient
from pierhead.kube.errors import Forbidden


@pytest.mark.parametrize(
    "change",
    [
        {"health": {"timeout": "9m"}},
        {"historyLimit": 3},
        {"drift": "Ignore"},
        {"prune": False},
        {"interval": "1h"},
        {"rollback": {"onFailure": False}},
        {"serviceAccountName": "other"},
        {"suspend": True},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_how_a_release_is_kept_is_not_part_of_it(read, change):
    assert (await read(change)).digest == (await read()).digest


@pytest.mark.parametrize(
    "change",
    [
        {"helm": {"values": {"a": 2}}},
        {"helm": {"values": {"a": "1"}}},
        {"helm": {"values": {"a": 1, "b": None}}},
        {"helm": {"values": {"a": 1}, "path": "chart"}},
        {"helm": {"values": {"a": 1}, "disableHooks": True}},
        {"helm": None},
        {"kustomize": {"path": "."}},
        {"kustomize": {"inline": {"namePrefix": "x-"}}},
    ],
    ids=str,
)
async def test_what_is_rendered_and_how_is(read, change):
    assert (await read(change)).digest != (await read()).digest


async def test_the_content_of_the_source_is_and_its_name_is_not(read, sources):
    before = await read()
    other = {"source": {"git": {"url": "https://git.example.com/x.git"}}}
    assert (await read(other)).digest == before.digest
    sources.digests["spec.source.git"] = "sha1:2"
    assert (await read(other)).digest != before.digest


async def test_the_overlays_content_is_too(read, sources):
    overlay = {"kustomize": {"source": {"inline": {"files": {"a": "b"}}}, "path": "."}}
    before = await read(overlay)
    sources.digests["spec.kustomize.source.inline.files"] = "sha256:2"
    after = await read(overlay)
    assert after.digest != before.digest
    assert after.overlay is not None
    assert after.overlay.digest == "sha256:2"


async def test_where_a_value_comes_from_makes_no_difference(read, client):
    client.objects["ConfigMap", "v"] = {"data": {"values.yaml": "a: 1"}}
    inline = await read({"helm": {"values": {"a": 1}}})
    referred = await read({"helm": {"valuesFrom": [{"configMap": {"name": "v"}}]}})
    assert inline.digest == referred.digest


async def test_the_order_of_keys_makes_no_difference(read):
    one = await read({"helm": {"values": {"a": 1, "b": {"c": 2, "d": 3}}}})
    two = await read({"helm": {"values": {"b": {"d": 3, "c": 2}, "a": 1}}})
    assert one.digest == two.digest


async def test_values_win_in_their_order(read, client, sources):
    (sources.folder / "file.yaml").write_text("{a: file, b: file, c: file}")
    client.objects["ConfigMap", "v"] = {"data": {"values.yaml": "{a: reference, b: reference}"}}
    inputs = await read(
        values={"a": "spec"}, valuesFrom=[{"configMap": {"name": "v"}}], valuesFiles=["file.yaml"]
    )
    assert inputs.values == {"a": "spec", "b": "reference", "c": "file"}


@pytest.mark.parametrize("held", [None, {"data": {}}, {}])
async def test_an_optional_reference_may_be_missing(read, client, held):
    if held is not None:
        client.objects["Secret", "v"] = held
    inputs = await read(valuesFrom=[{"secret": {"name": "v"}, "optional": True}])
    assert inputs.values == {"a": 1}


async def test_an_optional_reference_that_may_not_be_read_is_no_missing_one(read, client):
    client.objects["Secret", "v"] = Forbidden("secrets v: Forbidden", code=403)
    with pytest.raises(Denied) as raised:
        await read(valuesFrom=[{"secret": {"name": "v"}, "optional": True}])
    assert raised.value.field == "spec.helm.valuesFrom[0].secret"


@pytest.mark.parametrize(
    ("data", "error", "told"),
    [
        (None, Transient, "Secret v does not exist"),
        ({"other": "YTogMQ=="}, Invalid, "has no key 'values.yaml'"),
        ({"values.yaml": "/w=="}, Invalid, "is not text"),
        ({"values.yaml": "%"}, Invalid, "is not text"),
        ({"values.yaml": "LSBh"}, Invalid, "this is a list"),
        ({"values.yaml": "YTogW2h1bnRlcjI="}, Invalid, "not YAML"),
    ],
)
async def test_a_reference_that_gives_no_values_names_itself(read, client, data, error, told):
    if data is not None:
        client.objects["Secret", "v"] = {"data": data}
    with pytest.raises(error, match=told) as raised:
        await read(valuesFrom=[{"secret": {"name": "v"}}])
    assert raised.value.field == "spec.helm.valuesFrom[0].secret"
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
async def test_a_values_file_that_is_no_text_names_itself(read, sources, content):
    path = sources.folder / "file.yaml"
    path.write_bytes(content) if content is not None else path.mkdir()
    with pytest.raises(Invalid, match="not a text file") as raised:
        await read(valuesFiles=["file.yaml"])
    assert raised.value.field == "spec.helm.valuesFiles[0]"


async def test_credentials_are_read_and_shown_to_nobody(read, client, sources):
    client.objects["Secret", "login"] = {"data": {"username": "cm9ib3Q=", "password": "aHVudGVyMg=="}}
    await read({"source": {"git": {"url": "https://git.example.com/x.git", "secret": {"name": "login"}}}})
    (credentials,) = sources.asked
    assert credentials.login() == ("robot", "hunter2")
    assert "hunter2" not in repr(credentials)


async def test_a_stale_source_is_told(read, sources):
    sources.failure = Transient("gone")
    assert (await read()).source_failure is sources.failure


async def test_what_came_from_a_secret_is_masked(read, client):
    client.objects["Secret", "v"] = {"data": {"values.yaml": "YTogaHVudGVyMg=="}}
    inputs = await read(valuesFrom=[{"secret": {"name": "v"}}], values={})
    assert inputs.masked("cannot use hunter2 here") == "cannot use *** here"
