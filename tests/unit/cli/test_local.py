"""What a render on this machine is given, and in which order values are merged."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.apps.images.pins import Pin
from pierhead.apps.model import RESOURCE
from pierhead.cli.apps.files import app_release_of, documents
from pierhead.cli.apps.given import Given, given_of
from pierhead.cli.apps.local import LocalInputs
from pierhead.cli.apps.rendering import pins_of
from pierhead.cli.failures import CommandError
from pierhead.kube.resources import ResourceType
from support.app_sources import GitRepository

OBJECTS = {
    ("ConfigMap", "defaults"): {"kind": "ConfigMap", "data": {"values.yaml": "a: config\nb: config\n"}},
    ("ConfigMap", "files"): {
        "kind": "ConfigMap",
        "data": {"app.yaml": "x"},
        "binaryData": {"y": base64.b64encode(b"z").decode()},
    },
    ("Secret", "keys"): {"kind": "Secret", "data": {"password": base64.b64encode(b"correct horse").decode()}},
}


async def lookup(resource: ResourceType, name: str) -> dict[str, Any] | None:
    return OBJECTS.get((resource.kind, name))


def spec_of(text: str):
    return RESOURCE.parse({"metadata": {"name": "shop"}, "spec": yaml.safe_load(text)})


async def read(tmp_path: Path, text: str, **given: Any):
    return await LocalInputs(Given(**given), lookup, tmp_path).read(spec_of(text))


async def test_values_are_merged_as_the_operator_merges_them(tmp_path):
    inputs = await read(
        tmp_path,
        """
        source: {inline: {files: {v.yaml: "{a: file, b: file, c: file}", Chart.yaml: x}}}
        helm:
          valuesFiles: [v.yaml]
          valuesFrom:
          - {secret: {name: keys, key: password}, targetPath: d}
          - {configMap: {name: defaults}}
          - {configMap: {name: none}, optional: true}
          values: {a: values, d: values}
        """,
    )
    assert inputs.values == {"a": "values", "b": "config", "c": "file", "d": "correct horse"}
    assert inputs.sensitive == {"correct horse"}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("{configMap: {name: none}}", "ConfigMap none is not here; or give --values-from 0=FILE"),
        ("{configMap: {name: files}}", "ConfigMap files has no key 'values.yaml'"),
        ("{parameter: {name: /a/b}}", "parameter is read by the operator alone: give --values-from 0=FILE"),
    ],
)
async def test_what_is_not_here_is_asked_for(tmp_path, entry: str, why: str):
    text = f"{{source: {{inline: {{files: {{a: b}}}}}}, helm: {{valuesFrom: [{entry}]}}}}"
    with pytest.raises(CommandError, match=why):
        await read(tmp_path, text)


async def test_a_file_stands_for_an_entry(tmp_path):
    file = tmp_path / "given.yaml"
    file.write_text("a: given\n")
    text = "{source: {inline: {files: {a: b}}}, helm: {valuesFrom: [{parameter: {name: /a/b}}]}}"
    assert (await read(tmp_path, text, values={0: file})).values == {"a": "given"}


async def test_a_config_map_is_a_source(tmp_path):
    inputs = await read(tmp_path, "{source: {configMap: {name: files}}}")
    assert {path.name: path.read_text() for path in inputs.source.path.iterdir()} == {
        "app.yaml": "x",
        "y": "z",
    }
    with pytest.raises(CommandError, match="there is no key 'gone'"):
        await read(tmp_path, "{source: {configMap: {name: files, items: [{key: gone, path: a}]}}}")


async def test_a_repository_is_checked_out_by_the_callers_own_git(tmp_path):
    repository = GitRepository(tmp_path / "repository")
    repository.commit({"app.yaml": "one"})
    second = repository.commit({"app.yaml": "two"})
    text = f"{{source: {{git: {{url: '{repository.url}', ref: {{branch: main}}}}}}}}"
    inputs = await read(tmp_path, text)
    assert inputs.source.revision == f"main@{second}"
    assert [path.name for path in inputs.source.path.iterdir()] == ["app.yaml"]
    with pytest.raises(CommandError, match="give its files with --local"):
        await read(tmp_path / "other", text.replace("main", "none"))
    with pytest.raises(CommandError, match="semver is resolved by the operator alone"):
        await read(tmp_path / "more", text.replace("branch: main", "semver: 1.x"))


def test_options_are_checked(tmp_path):
    with pytest.raises(CommandError, match="not of the form INDEX=FILE"):
        given_of(None, None, ["x=y"])
    with pytest.raises(CommandError, match="there is no"):
        given_of(None, None, [f"0={tmp_path / 'none'}"])


def test_the_app_release_is_found_among_documents(tmp_path):
    file = tmp_path / "all.yaml"
    one = "apiVersion: pierhead.dev/v1alpha1\nkind: AppRelease\nmetadata: {name: %s}\n"
    file.write_text("---\n".join([one % "a", "kind: List\nitems: [{kind: ConfigMap}]\n", one % "b"]))
    found = documents([file])
    assert [obj["kind"] for obj in found] == ["AppRelease", "ConfigMap", "AppRelease"]
    assert app_release_of(found, "b")["metadata"]["name"] == "b"
    with pytest.raises(CommandError, match=r"several AppReleases \(a, b\)"):
        app_release_of(found, None)
    with pytest.raises(CommandError, match="hold no AppRelease c"):
        app_release_of(found, "c")
    file.write_text("a: [")
    with pytest.raises(CommandError, match="is not YAML"):
        documents([file])


def test_images_are_pinned_as_the_operator_chose_as_long_as_the_spec_asks_for_them():
    status = {
        "images": [{"name": "a", "tag": "1", "digest": "sha256:1"}, {"name": "b", "tag": "2", "digest": "x"}]
    }
    assert pins_of(status, {"images": [{"name": "a"}]}) == (Pin("a", "1", "sha256:1"),)
    assert pins_of({}, {}) == ()
