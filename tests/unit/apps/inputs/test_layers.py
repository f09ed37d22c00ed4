"""Values come from where the spec says, in its order; AWS and watches are asked no more than needed."""

import io
import tarfile

import pytest

from pierhead.apps.sources.artifact import Artifact
from pierhead.apps.sources.files import text_of
from pierhead.aws.errors import from_code
from pierhead.aws.policy import PolicyDenied
from pierhead.engine.outcome import Conflict, Denied, Invalid, Throttled


def parameter(name="/team-a/v", **more):
    return {"parameter": {"name": name}, **more}


def secret(name="team-a/v", path=None, **more):
    named = {"name": name} | ({"property": path} if path else {})
    return {"secretsManager": named, **more}


def config_map(client, text, name="v"):
    client.objects["ConfigMap", name] = {"data": {"values.yaml": text}}
    return {"configMap": {"name": name}}


def refused(code):
    return from_code(code, "no", operation="GetParameters")


async def test_every_layer_in_its_order(read, client, sources, fake_aws):
    """Each key is set by one layer and all after it; the last one that has it wins."""
    (sources.folder / "file.yaml").write_text("{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1}")
    (sources.folder / "other.yaml").write_text("{b: 2, c: 2, d: 2, e: 2, f: 2}")
    fake_aws.parameters["/team-a/v"] = "{c: 3, d: 3, e: 3, f: 3}"
    inputs = await read(
        valuesFiles=["file.yaml"],
        valuesFrom=[
            {**config_map(client, "six"), "targetPath": "f"},
            {"file": {"path": "other.yaml"}},
            parameter(),
            {**config_map(client, "{e: [5]}", "w"), "targetPath": "g", "format": "YAML"},
        ],
        values={"d": 4, "e": 4, "f": 4, "g": {"h": 4}},
    )
    assert inputs.values == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 4, "f": "six", "g": {"h": 4, "e": [5]}}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (parameter(), {"x": "1.10"}),
        (parameter(targetPath="y"), {"y": 'x: "1.10"'}),
        (parameter(targetPath="y.z", format="YAML"), {"y": {"z": {"x": "1.10"}}}),
        (secret(), {"db": {"password": "hunter2", "port": 5432}}),
        (secret(path="db"), {"password": "hunter2", "port": 5432}),
        (secret(path="db.password", targetPath="p"), {"p": "hunter2"}),
        (secret(path="db.port", targetPath="p"), {"p": "5432"}),
        (secret(path="db.port", targetPath="p", format="YAML"), {"p": 5432}),
        (secret("team-a/bytes"), {"b": 1}),
    ],
    ids=str,
)
async def test_values_of_aws(read, fake_aws, reference, expected):
    fake_aws.parameters["/team-a/v"] = 'x: "1.10"'
    fake_aws.secrets["team-a/v"] = '{"db": {"password": "hunter2", "port": 5432}}'
    fake_aws.secrets["team-a/bytes"] = b"b: 1"
    inputs = await read(valuesFrom=[reference], values={})
    assert inputs.values == expected


@pytest.mark.parametrize(
    ("reference", "field", "told"),
    [
        (parameter("/team-a/none"), "valuesFrom[0].parameter", "parameter /team-a/none does not exist"),
        (secret("team-a/none"), "valuesFrom[0].secretsManager", "secret team-a/none does not exist"),
        (secret(path="no"), "valuesFrom[0].secretsManager", "no property 'no'"),
        (secret("team-a/bytes"), "valuesFrom[0].secretsManager", "not text"),
        (secret("team-a/text", path="x"), "valuesFrom[0].secretsManager", "not JSON"),
        (secret("team-a/text"), "valuesFrom[0].secretsManager", "this is text"),
        ({"file": {"path": "none.yaml"}}, "valuesFrom[0].file", "has no 'none.yaml'"),
        ({"file": {"path": "../x"}}, "valuesFrom[0].file", "leads out"),
    ],
    ids=str,
)
async def test_what_gives_no_values_is_named_and_not_quoted(read, fake_aws, reference, field, told):
    fake_aws.secrets |= {"team-a/v": "{}", "team-a/bytes": b"\xff", "team-a/text": "hunter2"}
    with pytest.raises(Invalid, match=told) as raised:
        await read(valuesFrom=[reference])
    assert raised.value.field == f"spec.helm.{field}"
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "reference",
    [parameter("/team-a/none"), secret("team-a/none"), secret(path="no"), {"file": {"path": "none.yaml"}}],
    ids=str,
)
async def test_what_is_optional_may_be_missing(read, fake_aws, reference):
    fake_aws.secrets["team-a/v"] = "{}"
    assert (await read(valuesFrom=[{**reference, "optional": True}])).values == {"a": 1}


@pytest.mark.parametrize(
    ("reference", "field"),
    [
        (parameter("/team-b/v"), "valuesFrom[0].parameter.name"),
        (secret("team-b/v"), "valuesFrom[0].secretsManager.name"),
        (parameter("arn:aws:ssm:eu-west-1:1:parameter/team-b/v"), "valuesFrom[0].parameter.name"),
    ],
    ids=str,
)
async def test_another_namespaces_values_are_not_asked_for(read, fake_aws, reference, field):
    with pytest.raises(PolicyDenied) as raised:
        await read(valuesFrom=[{**reference, "optional": True}])
    assert raised.value.field == f"spec.helm.{field}"
    assert fake_aws.asked == []


async def test_a_version_may_be_pinned_within_ones_own(read, fake_aws):
    fake_aws.parameters["/team-a/v:3"] = "b: 2"
    assert (await read(valuesFrom=[parameter("/team-a/v:3")])).values == {"a": 1, "b": 2}


async def test_what_came_from_aws_is_masked(read, fake_aws):
    fake_aws.parameters["/team-a/v"] = "p: hunter2"
    fake_aws.secrets["team-a/v"] = "swordfish"
    inputs = await read(valuesFrom=[parameter(), secret(targetPath="s")])
    assert inputs.masked("neither hunter2 nor swordfish") == "neither *** nor ***"


async def test_aws_is_asked_once_until_it_is_due_or_forced(read, fake_aws):
    fake_aws.parameters["/team-a/v"] = "b: 1"
    first = await read(valuesFrom=[parameter()])
    fake_aws.parameters["/team-a/v"] = "b: 2"
    assert (await read(valuesFrom=[parameter()])).digest == first.digest
    assert fake_aws.asked == ["/team-a/v"]
    forced = await read(valuesFrom=[parameter()], force=True)
    assert forced.values["b"] == 2
    assert forced.digest != first.digest


async def test_the_last_good_value_stays_while_aws_fails(read, fake_aws):
    fake_aws.parameters["/team-a/v"] = "b: 1"
    first = await read(valuesFrom=[parameter()])
    fake_aws.parameters["/team-a/v"] = refused("AccessDeniedException")
    stale = await read(valuesFrom=[parameter()], force=True)
    assert stale.digest == first.digest
    assert stale.source_failure is not None
    assert stale.source_failure.reason == "AccessDenied"
    assert stale.source_failure.field == "spec.helm.valuesFrom[0].parameter"
    fake_aws.parameters["/team-a/v"] = "b: 1"
    assert (await read(valuesFrom=[parameter()], force=True)).source_failure is None


@pytest.mark.parametrize(
    ("code", "kind"), [("AccessDeniedException", Denied), ("ThrottlingException", Throttled)]
)
async def test_aws_that_never_answered_is_told_with_the_field(read, fake_aws, code, kind):
    fake_aws.parameters["/team-a/v"] = refused(code)
    for _ in range(3):
        with pytest.raises(kind) as raised:
            await read(valuesFrom=[parameter()])
        assert raised.value.field == "spec.helm.valuesFrom[0].parameter"
    assert len(fake_aws.asked) == 1, "events do not become calls"


async def test_a_value_that_is_deleted_is_missing(read, fake_aws):
    fake_aws.parameters["/team-a/v"] = "b: 1"
    await read(valuesFrom=[parameter()])
    del fake_aws.parameters["/team-a/v"]
    with pytest.raises(Invalid, match="does not exist"):
        await read(valuesFrom=[parameter()], force=True)


async def test_values_of_a_settled_release_are_read_when_they_are_needed(read, fake_aws, sources):
    fake_aws.parameters["/team-a/v"] = "p: hunter2"
    first = await read(valuesFrom=[parameter()])
    idle = await read(valuesFrom=[parameter()], settled=True)
    assert (idle.digest, idle.values) == (first.digest, {})
    assert await idle.told("not hunter2") == "not ***"
    assert idle.values == first.values
    sources.digests["spec.source.inline.files"] = "sha256:2"
    assert (await read(valuesFrom=[parameter()], settled=True)).values == first.values


async def test_values_that_moved_between_digest_and_render_begin_anew(read, sources):
    path = sources.folder / "file.yaml"
    path.write_text("b: 1")
    await read(valuesFiles=["file.yaml"])
    idle = await read(valuesFiles=["file.yaml"], settled=True)
    path.write_text("b: 2")
    with pytest.raises(Conflict):
        await idle.load()


async def test_an_object_that_no_watch_tells_of_is_read_every_time(read, client):
    reference = config_map(client, "b: 1")
    await read(valuesFrom=[reference])
    config_map(client, "b: 2")
    assert (await read(valuesFrom=[reference], settled=True)).values["b"] == 2


async def test_what_nobody_reads_any_more_is_not_looked_at(read, fake_aws):
    fake_aws.parameters["/team-a/v"] = "b: 1"
    await read(valuesFrom=[parameter()])
    await read()
    assert not read.values._held


async def test_a_file_of_the_overlay(tmp_path, read, sources):
    (sources.folder / "values.yaml").write_text("b: 2")
    overlay = {"kustomize": {"source": {"inline": {"files": {"a": "b"}}}, "path": "."}}
    reference = {"file": {"path": "values.yaml", "from": "Overlay"}}
    assert (await read(overlay, valuesFrom=[reference])).values == {"a": 1, "b": 2}


def test_a_file_of_a_packaged_chart(tmp_path):
    path = tmp_path / "chart.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("shop/Chart.yaml", b"name: shop"), ("shop/env/prod.yaml", b"b: 2")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    artifact = Artifact("1", "sha256:1", path)
    assert text_of(artifact, "env/prod.yaml", field="f") == "b: 2"
    with pytest.raises(Invalid, match="chart has no") as raised:
        text_of(artifact, "env/test.yaml", field="f")
    assert (raised.value.reason, raised.value.field) == ("PathNotFound", "f")
    path.write_bytes(b"\x1f\x8b")
    with pytest.raises(Invalid, match="archive"):
        text_of(artifact, "env/prod.yaml", field="f")
