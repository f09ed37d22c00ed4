"""Sources on the way a user takes: from a repository or an object to a release, and what changes there."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from pierhead.kube.resources import CONFIG_MAPS, SECRETS
from support.app_sources import ChartRepository, GitRepository, chart_files, packaged
from support.releases import because, condition, config_map, inline

SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: %s}\n"
OVERLAY = {
    "kustomization.yaml": "patches: [{path: patch.yaml, target: {kind: ConfigMap, name: settings}}]\n",
    "patch.yaml": '[{"op": "add", "path": "/data/patched", "value": "yes"}]\n',
}


@pytest.fixture
def repository(tmp_path) -> GitRepository:
    return GitRepository(tmp_path / "repository")


@pytest.fixture
async def charts() -> AsyncIterator[ChartRepository]:
    async with ChartRepository.started() as started:
        yield started


async def greeting(releases, wanted: str) -> None:
    await releases.object(CONFIG_MAPS, "settings", lambda obj: obj["data"]["greeting"] == wanted)


async def make(releases, resource, name, **content) -> None:
    obj = {
        "apiVersion": "v1",
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": releases.namespace},
        **content,
    }
    await releases.kube.apply(resource, obj, field_manager="test")


# Git


async def test_a_branch_that_moves_is_a_new_release(controller, releases, repository):
    first = repository.commit({"app.yaml": SETTINGS % "one"})
    await releases.apply({"source": repository.source(branch="main")})
    deployed = await releases.until()
    assert deployed["status"]["source"] == {"revision": f"main@{first}", "digest": f"sha1:{first}"}
    second = repository.commit({"app.yaml": SETTINGS % "two"})
    await greeting(releases, "two")
    await releases.until(lambda obj: obj["status"]["source"]["revision"] == f"main@{second}")
    assert await releases.statuses() == ["superseded", "deployed"]


async def test_a_commit_that_changes_nothing_rendered_is_still_told(controller, releases, repository):
    repository.commit({"app/app.yaml": SETTINGS % "one"})
    await releases.apply({"source": repository.source(), "kustomize": {"path": "app"}})
    await releases.until(because("RenderFailed"))
    repository.commit({"app/kustomization.yaml": "resources: [app.yaml]\n"})
    await releases.until()
    assert await releases.statuses() == ["deployed"]


async def test_a_path_that_is_missing_is_named_and_found_when_it_comes(controller, releases, repository):
    repository.commit({"README": "nothing yet"})
    await releases.apply({"source": repository.source(branch="main"), "helm": {"path": "chart"}})
    missing = await releases.until(because("PathNotFound"))
    assert condition(missing)["message"] == "spec.helm.path: the source has no 'chart'"
    assert condition(missing, "Stalled")["status"] == "True"
    repository.commit({f"chart/{name}": text for name, text in chart_files().items()})
    await releases.until()
    await greeting(releases, "hello")


async def test_a_repository_that_is_gone_leaves_the_release_as_it_is(controller, releases, repository):
    repository.commit({"app.yaml": SETTINGS % "one"})
    await releases.apply({"source": repository.source(branch="main")})
    await releases.until()
    repository.move_away()
    stale = await releases.until(lambda obj: condition(obj, "SourceReady")["status"] == "False")
    assert condition(stale, "SourceReady")["reason"] == "SourceNotFound"
    assert condition(stale, "SourceReady")["message"].startswith(f"spec.source.git: {repository.url}")
    assert condition(stale)["status"] == "True"
    await releases.kube.merge_patch(
        CONFIG_MAPS, "settings", releases.namespace, {"data": {"greeting": "drift"}}
    )
    await greeting(releases, "one")
    repository.come_back()
    repository.commit({"app.yaml": SETTINGS % "two"})
    await releases.apply({"source": repository.source(branch="main")}, **{"pierhead.dev/reconcile-at": "now"})
    await greeting(releases, "two")
    await releases.until(lambda obj: condition(obj, "SourceReady")["status"] == "True")


async def test_a_repository_that_is_gone_at_a_restart_does_not_end_the_care(controller, releases, repository):
    """What is deployed goes on being kept true, from its stored manifest."""
    repository.commit({"app.yaml": SETTINGS % "one"})
    await releases.apply({"source": repository.source(branch="main")})
    await releases.until()
    await controller.stop()
    repository.move_away()
    await releases.kube.merge_patch(
        CONFIG_MAPS, "settings", releases.namespace, {"data": {"greeting": "drift"}}
    )
    await controller.start()
    await greeting(releases, "one")
    await releases.until(because("SourceNotFound"))
    await releases.kube.merge_patch(
        CONFIG_MAPS, "settings", releases.namespace, {"data": {"greeting": "again"}}
    )
    await greeting(releases, "one")
    assert await releases.statuses() == ["deployed"]


async def test_a_forced_look_says_when_it_is_over(controller, releases, repository):
    """What the status says then is what the fetches found, whether they found something new or not."""
    repository.commit({"app.yaml": SETTINGS % "one"})
    spec = {"source": repository.source(branch="main"), "interval": "1h"}
    await releases.apply(spec)
    await releases.until()
    second = repository.commit({"app.yaml": SETTINGS % "two"})
    for word in ("first", "again"):
        await releases.apply(spec, **{"pierhead.dev/reconcile-at": word})
        handled = await releases.until(lambda obj, word=word: obj["status"].get("handledReconcileAt") == word)
        assert handled["status"]["source"]["revision"] == f"main@{second}"
    repository.move_away()
    await releases.apply(spec, **{"pierhead.dev/reconcile-at": "gone"})
    handled = await releases.until(lambda obj: obj["status"].get("handledReconcileAt") == "gone")
    assert condition(handled, "SourceReady")["reason"] == "SourceNotFound"
    repository.come_back()
    await releases.apply({**spec, "kustomize": {"path": "none"}}, **{"pierhead.dev/reconcile-at": "bad"})
    bad = await releases.until(lambda obj: obj["status"].get("handledReconcileAt") == "bad")
    assert condition(bad)["reason"] in {"PathNotFound", "SourceNotFound"}


async def test_an_inline_overlay_has_a_source_for_values_alone(controller, releases):
    await make(releases, CONFIG_MAPS, "values", data={"shop.yaml": "greeting: from the other source"})
    spec = {
        "source": {"inline": {"files": chart_files()}},
        "helm": {"valuesFrom": [{"file": {"path": "shop.yaml", "from": "Overlay"}}]},
        "kustomize": {"source": {"configMap": {"name": "values"}}, "inline": {}},
    }
    await releases.apply(spec)
    await releases.until()
    await greeting(releases, "from the other source")


async def test_one_fetch_serves_all_who_name_the_same(controller, releases, charts):
    charts.put("shop", "1.0.0", packaged(chart_files()))
    for number in range(5):
        values = {"name": f"settings-{number}"}
        await releases.apply({"source": charts.source(), "helm": {"values": values}}, name=f"shop-{number}")
    for number in range(5):
        await releases.until(name=f"shop-{number}")
    assert charts.requests == ["index.yaml", "shop-1.0.0.tgz"]


# Helm repositories


async def test_a_chart_of_a_repository_is_released(controller, releases, charts):
    charts.put("shop", "1.0.0", packaged(chart_files()))
    await releases.apply({"source": charts.source(), "helm": {"values": {"greeting": "hi"}}})
    deployed = await releases.until()
    assert deployed["status"]["source"]["revision"] == "shop-1.0.0"
    await greeting(releases, "hi")
    (stored,) = await releases.history()
    assert (stored.chart["name"], stored.chart["version"], stored.values) == (
        "shop",
        "1.0.0",
        {"greeting": "hi"},
    )
    assert stored.notes == "Greet with hi.\n"


async def test_another_version_is_an_upgrade(controller, releases, charts):
    charts.put("shop", "1.0.0", packaged(chart_files()))
    charts.put("shop", "1.1.0", packaged(chart_files(version="1.1.0", values={"greeting": "bonjour"})))
    await releases.apply({"source": charts.source(), "helm": {}})
    await releases.until()
    await releases.apply({"source": charts.source("1.1.0"), "helm": {}})
    await releases.until()
    await greeting(releases, "bonjour")
    assert [stored.chart["version"] for stored in await releases.history()] == ["1.0.0", "1.1.0"]


@pytest.mark.parametrize(
    ("source", "entry", "reason", "message"),
    [
        (
            {"version": "2.0.0"},
            {},
            "VersionNotFound",
            "version: {url} has no version '2.0.0' of 'shop'; the newest",
        ),
        ({"chart": "shoe"}, {}, "ChartNotFound", "chart: {url} has no chart 'shoe'"),
        ({}, {"digest": "0" * 64}, "DigestMismatch", "version: shop-1.0.0 has the digest"),
        ({}, {"urls": ["gone.tgz"]}, "SourceNotFound", " {url}/gone.tgz does not exist (404)"),
        (
            {},
            {"urls": ["oci://example.com/x"]},
            "InvalidIndex",
            "url: the index gives an address that is not http",
        ),
    ],
)
async def test_a_chart_that_cannot_be_had_is_named(
    controller, releases, charts, source, entry, reason, message
):
    charts.put("shop", "1.0.0", packaged(chart_files()), **entry)
    await releases.apply({"source": charts.source(**source), "helm": {}})
    stopped = await releases.until(because(reason))
    expected = message.format(url=charts.url)
    separator = ":" if expected.startswith(" ") else "."
    assert condition(stopped)["message"].startswith(f"spec.source.helmRepository{separator}{expected}")
    assert await releases.history() == []


async def test_an_index_that_is_none_is_told(controller, releases, charts):
    charts.files["index.yaml"] = b"entries: {shop: [{version: *x}]}"
    await releases.apply({"source": charts.source(), "helm": {}})
    assert "index.yaml" in condition(await releases.until(because("InvalidIndex")))["message"]


@pytest.mark.parametrize("status", [401, 503])
async def test_a_repository_that_refuses_is_told(controller, releases, charts, status):
    charts.status = status
    await releases.apply({"source": charts.source(), "helm": {}})
    reason = "SourceDenied" if status == 401 else "SourceUnreachable"
    stopped = await releases.until(because(reason))
    assert str(status) in condition(stopped)["message"]
    assert condition(stopped)["message"].startswith("spec.source.helmRepository: ")


async def test_a_repository_nobody_answers_at_is_retried(controller, releases, charts, unused_tcp_port):
    source = {"url": f"http://127.0.0.1:{unused_tcp_port}", "chart": "shop", "version": "1.0.0"}
    await releases.apply({"source": {"helmRepository": source}, "helm": {}})
    stopped = await releases.until(because("SourceUnreachable"))
    assert "cannot be reached" in condition(stopped)["message"]
    assert condition(stopped, "Reconciling")["status"] == "True"
    charts.put("shop", "1.0.0", packaged(chart_files()))
    await releases.apply({"source": charts.source(), "helm": {}})
    await releases.until()


# ConfigMaps


async def test_a_config_map_that_changes_is_a_new_release(controller, releases):
    await make(releases, CONFIG_MAPS, "files", data={"app.yaml": SETTINGS % "one"})
    await releases.apply({"source": {"configMap": {"name": "files"}}})
    await releases.until()
    await make(releases, CONFIG_MAPS, "files", data={"app.yaml": SETTINGS % "two"})
    await greeting(releases, "two")


async def test_a_config_map_that_does_not_exist_is_waited_for(controller, releases):
    await releases.apply({"source": {"configMap": {"name": "files"}}})
    missing = await releases.until(because("ReferenceNotFound"))
    assert condition(missing)["message"] == "spec.source.configMap: ConfigMap files does not exist"
    await make(releases, CONFIG_MAPS, "files", data={"app.yaml": SETTINGS % "one"})
    await releases.until()


async def test_items_name_files_and_a_missing_key_is_told(controller, releases):
    data = {"a": SETTINGS % "one", "b": "not: [yaml"}
    await make(releases, CONFIG_MAPS, "files", data=data)
    items = [{"key": "a", "path": "deep/app.yaml"}]
    await releases.apply(
        {"source": {"configMap": {"name": "files", "items": [*items, {"key": "c", "path": "c"}]}}}
    )
    missing = await releases.until(because("KeyNotFound"))
    assert condition(missing)["message"] == "spec.source.configMap.items: ConfigMap files has no key 'c'"
    await releases.apply({"source": {"configMap": {"name": "files", "items": items}}})
    await releases.until()
    await greeting(releases, "one")


async def test_a_packaged_chart_may_be_binary_data(controller, releases):
    chart = base64.b64encode(packaged(chart_files())).decode()
    await make(releases, CONFIG_MAPS, "files", binaryData={"chart.tgz": chart})
    await releases.apply({"source": {"configMap": {"name": "files"}}, "helm": {}})
    await releases.until()
    await greeting(releases, "hello")


# More than one


async def test_a_chart_from_git_under_an_overlay_from_a_config_map(controller, releases, repository):
    repository.commit({f"chart/{name}": text for name, text in chart_files().items()})
    await make(releases, CONFIG_MAPS, "overlay", data=OVERLAY)
    await releases.apply(
        {
            "source": repository.source(branch="main"),
            "helm": {"path": "chart"},
            "kustomize": {"source": {"configMap": {"name": "overlay"}}, "path": "."},
        }
    )
    deployed = await releases.until()
    assert deployed["status"]["overlay"]["revision"].startswith("overlay@")
    made = await releases.object(CONFIG_MAPS, "settings")
    assert made["data"] == {"greeting": "hello", "release": "shop-1", "patched": "yes"}
    await make(
        releases,
        CONFIG_MAPS,
        "overlay",
        data={**OVERLAY, "patch.yaml": OVERLAY["patch.yaml"].replace("yes", "no")},
    )
    await releases.object(CONFIG_MAPS, "settings", lambda obj: obj["data"]["patched"] == "no")


async def test_a_second_source_that_is_missing_is_named_as_such(controller, releases, repository, tmp_path):
    repository.commit({"app.yaml": SETTINGS % "one"})
    overlay = {"git": {"url": repository.url, "ref": {"branch": "gone"}}}
    await releases.apply({"source": repository.source(), "kustomize": {"source": overlay, "path": "."}})
    missing = await releases.until(because("ReferenceNotFound"))
    assert condition(missing)["message"].startswith("spec.kustomize.source.git.ref: ")


async def test_a_chart_then_an_overlay_of_the_same_source(controller, releases, repository):
    repository.commit(
        {f"chart/{name}": text for name, text in chart_files().items()}
        | {f"overlay/{name}": text for name, text in OVERLAY.items()}
    )
    await releases.apply(
        {"source": repository.source(), "helm": {"path": "chart"}, "kustomize": {"path": "overlay"}}
    )
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "settings"))["data"]["patched"] == "yes"


async def test_a_chart_then_an_inline_overlay(controller, releases, repository):
    repository.commit(chart_files())
    await releases.apply(
        {"source": repository.source(), "helm": {}, "kustomize": {"inline": {"namePrefix": "prod-"}}}
    )
    await releases.until()
    await releases.object(CONFIG_MAPS, "prod-settings")


async def test_values_of_every_kind_in_their_order(controller, releases, repository):
    """The chart's own, then files, then references, then the spec: each wins over the ones before it."""
    names = ("own", "file", "reference", "spec")
    template = SETTINGS % "x" + "".join(f"  {name}: {{{{ .Values.{name} | quote }}}}\n" for name in names)
    repository.commit(
        chart_files(values=dict.fromkeys(names, "own"))
        | {
            "templates/settings.yaml": template.replace("data: {greeting: x}\n", "data:\n  greeting: x\n"),
            "first.yaml": "{file: first, reference: file, spec: file}",
            "second.yaml": "{file: second}",
        }
    )
    await make(releases, CONFIG_MAPS, "one", data={"values.yaml": "{reference: config, spec: config}"})
    secret = base64.b64encode(b"reference: secret").decode()
    await make(releases, SECRETS, "two", data={"prod": secret})
    await releases.apply(
        {
            "source": repository.source(),
            "helm": {
                "valuesFiles": ["first.yaml", "second.yaml"],
                "valuesFrom": [
                    {"configMap": {"name": "one"}},
                    {"secret": {"name": "two", "key": "prod"}},
                    {"configMap": {"name": "absent"}, "optional": True},
                    {"secret": {"name": "two", "key": "absent"}, "optional": True},
                ],
                "values": {"spec": "spec"},
            },
        }
    )
    await releases.until()
    made = await releases.object(CONFIG_MAPS, "settings")
    assert made["data"] == {
        "greeting": "x",
        "own": "own",
        "file": "second",
        "reference": "secret",
        "spec": "spec",
    }
    await make(releases, SECRETS, "two", data={"prod": base64.b64encode(b"reference: rotated").decode()})
    await releases.object(CONFIG_MAPS, "settings", lambda obj: obj["data"]["reference"] == "rotated")


@pytest.mark.parametrize(
    ("reference", "reason", "message"),
    [
        (
            {"configMap": {"name": "absent"}},
            "ReferenceNotFound",
            "configMap: ConfigMap absent does not exist",
        ),
        ({"secret": {"name": "absent"}}, "ReferenceNotFound", "secret: Secret absent does not exist"),
        (
            {"configMap": {"name": "held", "key": "x"}},
            "KeyNotFound",
            "configMap: ConfigMap held has no key 'x'",
        ),
    ],
)
async def test_values_that_are_missing_are_named(controller, releases, reference, reason, message):
    await make(releases, CONFIG_MAPS, "held", data={"values.yaml": "a: 1"})
    source = {"inline": {"files": chart_files()}}
    good = {"configMap": {"name": "held"}}
    await releases.apply({"source": source, "helm": {"valuesFrom": [good, reference]}})
    missing = await releases.until(because(reason))
    assert condition(missing)["message"] == f"spec.helm.valuesFrom[1].{message}"


async def test_a_secret_of_credentials_is_read_for_the_release(controller, releases, unused_tcp_port):
    git = {"url": f"https://127.0.0.1:{unused_tcp_port}/x.git", "secret": {"name": "login"}}
    await releases.apply({"source": {"git": git}})
    missing = await releases.until(because("ReferenceNotFound"))
    assert condition(missing)["message"] == "spec.source.git.secret: Secret login does not exist"
    await make(releases, SECRETS, "login", stringData={"username": "robot"})
    missing = await releases.until(because("KeyNotFound"))
    assert condition(missing)["message"] == "spec.source.git.secret: Secret login has no key 'password'"
    await make(releases, SECRETS, "login", stringData={"username": "robot", "password": "hunter2"})
    unreachable = await releases.until(because("SourceUnreachable"))
    assert "hunter2" not in str(unreachable)
    await releases.apply({"source": inline(config_map())})
    await releases.until()


async def test_many_who_follow_one_branch_all_move_with_it(controller, releases, repository):
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {greeting: %s}\n"
    )
    repository.commit(chart_files() | {"templates/settings.yaml": template % "one"})
    names = [f"shop-{number}" for number in range(4)]
    for name in names:
        await releases.apply({"source": repository.source(branch="main"), "helm": {}}, name=name)
    await asyncio.gather(*(releases.until(name=name) for name in names))
    repository.commit({"templates/settings.yaml": template % "two"})
    await asyncio.gather(
        *(releases.object(CONFIG_MAPS, name, lambda obj: obj["data"]["greeting"] == "two") for name in names)
    )
