"""What cannot work is told by field and cause, costs nothing while it lasts, and loses nothing."""

import json
import random
from typing import Any

import pytest

from pierhead.kube.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    ResourceType,
)
from support.app_sources import GitRepository, chart_files
from support.objects import definition
from support.releases import because, condition, config_map, deployment, inline

RARELY = {"interval": "10m"}
"""Nothing is looked at again while a test looks at what it costs."""

HOOK = """\
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: x}]}}}
"""
FOR_EVER = (
    "{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}"
)
EATING = '{{ $x := "xxxxxxxx" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}'
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 30)
)


def chart(**files: str) -> dict[str, Any]:
    """The source and helm fields of a chart with these files instead of or beside its own."""
    return {"source": {"inline": {"files": chart_files() | files}}, "helm": {}}


def files(**named: str) -> dict[str, Any]:
    """A source of files, given by names with __ for / and _ for a dot."""
    return {
        "inline": {"files": {name.replace("__", "/").replace("_", "."): text for name, text in named.items()}}
    }


def overlay(patch: str) -> dict[str, Any]:
    return {"kustomization.yaml": f"resources: [app.yaml]\n{patch}", "app.yaml": json.dumps(config_map())}


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a template that is none": (
        chart(**{"templates/x.yaml": "a: {{ .Values.x.y.z }}"}),
        "RenderFailed",
        "(at shop/templates/x.yaml:1:13, in .Values.x.y.z)",
    ),
    "a template that is not closed": (
        chart(**{"templates/x.yaml": "{{ if }}"}),
        "RenderFailed",
        "spec.helm: ",
    ),
    "a template that gives no object": (
        chart(**{"templates/x.yaml": "just text"}),
        "RenderFailed",
        "spec.helm: YAML parse error on shop/templates/x.yaml",
    ),
    "values that the chart's schema refuses": (
        {**chart(**{"values.schema.json": '{"required": ["nothing"]}'})},
        "RenderFailed",
        "nothing",
    ),
    "no chart": ({"source": inline(config_map()), "helm": {}}, "RenderFailed", "spec.helm: "),
    "no chart at the path": (
        {**chart(), "helm": {"path": "charts/shop"}},
        "PathNotFound",
        "spec.helm.path: the source has no 'charts/shop'",
    ),
    "a values file that is not a mapping": (
        {**chart(**{"prod.yaml": "- a\n- b\n"}), "helm": {"valuesFiles": ["prod.yaml"]}},
        "InvalidValues",
        "spec.helm.valuesFiles[0]: values must be a mapping, and this is a list",
    ),
    "a values file that is not there": (
        {**chart(), "helm": {"valuesFiles": ["values.yaml", "prod.yaml"]}},
        "PathNotFound",
        "spec.helm.valuesFiles[1]: the source has no 'prod.yaml'",
    ),
    "a values file that is not YAML": (
        {**chart(**{"prod.yaml": "a: [1"}), "helm": {"valuesFiles": ["prod.yaml"]}},
        "InvalidValues",
        "spec.helm.valuesFiles[0]: not YAML: ",
    ),
    "a values file that multiplies": (
        {**chart(**{"prod.yaml": BOMB}), "helm": {"valuesFiles": ["prod.yaml"]}},
        "InvalidValues",
        "spec.helm.valuesFiles[0]: its aliases stand for more than 100000 values",
    ),
    "an overlay that patches nothing": (
        {
            "source": {
                "inline": {
                    "files": overlay(
                        """patches: [{target: {name: two}, patch: '[{"op": "remove", "path": "/data"}]'}]"""
                    )
                }
            },
            "kustomize": {"path": "."},
        },
        "RenderFailed",
        "spec.kustomize: ",
    ),
    "an inline overlay that patches nothing": (
        {
            "source": inline(config_map()),
            "kustomize": {
                "inline": {
                    "patches": [
                        {"target": {"kind": "Deployment"}, "patch": '[{"op": "remove", "path": "/x"}]'}
                    ]
                }
            },
        },
        "RenderFailed",
        "spec.kustomize: ",
    ),
    "an overlay that is not there": (
        {"source": inline(config_map()), "kustomize": {"path": "overlays/prod"}},
        "PathNotFound",
        "spec.kustomize.path: the source has no 'overlays/prod'",
    ),
    "manifests that are none": ({"source": files(app_yaml="a: [1")}, "RenderFailed", "spec.source: "),
    "no manifests": ({"source": files(README="hello")}, "RenderFailed", "spec.source: no .yaml"),
    "nothing": (
        chart(**{"templates/settings.yaml": "{{ if false }}a: b{{ end }}"}),
        "NothingRendered",
        "spec.source: nothing was rendered",
    ),
    "an object without a name": (
        {"source": files(app_yaml="apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}")},
        "RenderFailed",
        "spec.source: app.yaml: an object without metadata.name",
    ),
    "the same object twice": (
        {"source": inline(config_map(a="1"), config_map(a="2"))},
        "RenderFailed",
        "ConfigMap",
    ),
    "a path that leads out": (
        {"source": {"inline": {"files": {"x/../../../etc/passwd": "x"}}}},
        "InvalidPath",
        "spec.source.inline.files: the path 'x/../../../etc/passwd' leads out of its source",
    ),
    "a file that is a folder too": (
        {"source": {"inline": {"files": {"x": "a: 1", "x/y": "a: 1"}}}},
        "InvalidPath",
        "spec.source.inline.files: ",
    ),
    "an object that the API server refuses": (
        {"source": inline(config_map("One_"), config_map("fine"))},
        "Rejected",
        'ConfigMap "One_" is invalid: metadata.name',
    ),
    "a field that no schema knows": (
        {"source": inline(deployment(), {**config_map("typo"), "dat": {"a": "1"}})},
        "Rejected",
        ".dat",
    ),
    "another namespace": (
        {
            "source": inline(
                config_map("here"), {**config_map(), "metadata": {"name": "one", "namespace": "kube-system"}}
            )
        },
        "Forbidden",
        'cannot patch resource "configmaps" in API group "" in the namespace "kube-system"',
    ),
}


@pytest.mark.parametrize(("spec", "reason", "message"), BAD.values(), ids=BAD)
async def test_a_new_release_says_what_is_wrong_and_waits(
    controller, releases, requests, spec, reason, message
):
    await releases.apply({**spec, **RARELY})
    stopped = await releases.until(because(reason))
    assert message in condition(stopped)["message"]
    assert condition(stopped, "Stalled")["status"] == "True"
    assert "Traceback" not in str(stopped)
    assert await requests() == []
    assert await releases.history() == []
    assert not await releases.exists(CONFIG_MAPS, "fine")
    assert not await releases.exists(DEPLOYMENTS, "web")
    await releases.apply({"source": inline(config_map()), **RARELY})
    await releases.until()


BREAKING = {name: BAD[name] for name in ("a template that is none", "an object that the API server refuses")}


@pytest.mark.parametrize(("spec", "reason", "message"), BREAKING.values(), ids=BREAKING)
async def test_a_running_release_stays_as_it_is(controller, releases, spec, reason, message):
    good = {"source": inline(config_map(a="good")), **RARELY}
    await releases.apply(good)
    before = await releases.until()
    await releases.apply({**spec, **RARELY})
    stopped = await releases.until(because(reason))
    assert message in condition(stopped)["message"]
    assert stopped["status"]["release"] == before["status"]["release"]
    assert await releases.statuses() == ["deployed"]
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "good"}
    await releases.apply(good)
    await releases.until()
    assert await releases.statuses() == ["deployed"]


async def test_every_object_that_is_refused_is_told(controller, releases):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 0}]},
    }
    broken = deployment()
    del broken["spec"]["template"]["metadata"]
    await releases.apply({"source": inline(config_map("first"), service, broken), **RARELY})
    message = condition(await releases.until(because("Rejected")))["message"]
    namespace = releases.namespace
    assert f"Service {namespace}/web: " in message
    assert "spec.ports[0].port" in message
    assert f"Deployment {namespace}/web: " in message
    assert "selector" in message
    assert not await releases.exists(CONFIG_MAPS, "first")
    assert await releases.history() == []


async def test_a_chart_that_is_corrected_in_its_source_goes_on_by_itself(controller, releases, tmp_path):
    repository = GitRepository(tmp_path / "repository")
    repository.commit(chart_files() | {"templates/x.yaml": "{{ if }}"})
    await releases.apply({"source": repository.source(branch="main"), "helm": {}})
    await releases.until(because("RenderFailed"))
    repository.commit({"templates/x.yaml": "# nothing\n"})
    await releases.until()


async def test_hooks_are_left_out_when_asked(controller, releases):
    tests = HOOK.replace("pre-upgrade", "test").replace("migrate", "check")
    spec = chart(**{"templates/hook.yaml": HOOK, "templates/test.yaml": tests})
    await releases.apply({**spec, "helm": {"disableHooks": True}})
    await releases.until()
    only_tests = chart(**{"templates/test.yaml": tests})
    await releases.apply({**only_tests, "helm": {"disableHooks": False}})
    await releases.until()


# Kinds


def widget(**spec: Any) -> tuple[dict[str, Any], dict[str, Any], ResourceType]:
    """An object, the CRD of its kind, and the resource, all of this test alone."""
    group = f"g{random.randrange(10**9)}.example.com"
    crd = definition("Widget", group)
    obj = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": spec or {"size": 1},
    }
    return obj, crd, ResourceType(group, "v1", "widgets", "Widget")


@pytest.fixture
def widgets_allowed(sandbox, tenant):
    """The tenant's account may have widgets of any group, and CRDs."""
    role = f"widgets-{tenant}"
    sandbox.kubectl("create", "clusterrole", role, "--verb=*", "--resource=*.*")
    sandbox.kubectl(
        "create", "clusterrolebinding", role, f"--clusterrole={role}", f"--serviceaccount={tenant}:default"
    )
    yield
    sandbox.kubectl("delete", "clusterrolebinding,clusterrole", role)


async def test_a_kind_that_does_not_exist_is_waited_for(controller, releases, requests, widgets_allowed):
    obj, crd, resource = widget()
    await releases.apply({"source": inline(config_map(), obj), **RARELY})
    waiting = await releases.until(because("UnknownKind"))
    assert f"no kind Widget in {obj['apiVersion']}" in condition(waiting)["message"]
    assert condition(waiting, "Reconciling")["status"] == "True"
    assert await requests() == []
    assert not await releases.exists(CONFIG_MAPS, "one")
    assert await releases.history() == []
    await releases.kube.create(CUSTOM_RESOURCE_DEFINITIONS, crd)
    await releases.until()
    await releases.object(resource, "w")
    assert await releases.statuses() == ["deployed"]


async def test_a_chart_may_bring_its_own_kinds_which_outlive_it(controller, releases, widgets_allowed):
    obj, crd, resource = widget()
    spec = chart(**{"crds/widgets.yaml": json.dumps(crd), "templates/w.yaml": json.dumps(obj)})
    await releases.apply(spec)
    await releases.until()
    await releases.object(resource, "w")
    await releases.delete()
    await releases.gone()
    kept = await releases.kube.get(CUSTOM_RESOURCE_DEFINITIONS, crd["metadata"]["name"])
    assert "deletionTimestamp" not in kept["metadata"]
    assert not await releases.exists(resource, "w")


# Bombs


@pytest.mark.parametrize(
    ("template", "reason"),
    [(FOR_EVER, "RenderTimeout"), (EATING, "RenderOutOfMemory")],
    ids=["time", "memory"],
)
async def test_a_template_bomb_costs_one_renderer_once(
    controller, releases, renderer, requests, template, reason
):
    await releases.apply(chart(**{"templates/x.yaml": template}), name="bomb")
    await releases.apply({"source": inline(config_map())}, name="neighbour")
    await releases.until(name="neighbour")
    stopped = await releases.until(because(reason), name="bomb")
    assert condition(stopped)["message"].startswith("spec.helm: ")
    assert condition(stopped, "Stalled")["status"] == "True"
    before = renderer.pids
    assert len(await requests()) <= 8
    assert renderer.pids == before
    await releases.apply(chart(), name="bomb")
    await releases.until(name="bomb")


async def test_values_without_end_trouble_nobody_else(controller, releases, sandbox):
    """The API server takes 10,000 levels, ten times what Python decodes: one object must not end a watch."""
    for name, levels in (("deep", 3_000), ("deepest", 9_900)):
        text = json.dumps(
            {
                "apiVersion": "pierhead.dev/v1alpha1",
                "kind": "AppRelease",
                "metadata": {"name": name, "namespace": releases.namespace},
                "spec": {"source": inline(config_map()), "helm": {"values": "HERE"}},
            }
        )
        values = '{"a":' * levels + "1" + "}" * levels
        sandbox.kubectl("create", "--validate=false", "-f", "-", stdin=text.replace('"HERE"', values))
    await releases.apply({"source": inline(config_map())}, name="neighbour")
    await releases.until(name="neighbour")
    for name in ("deep", "deepest"):
        stopped = await releases.until(lambda obj: condition(obj, "Stalled") != {}, name=name)
        assert "spec.helm.values: " in condition(stopped)["message"]
        assert "levels deep" in condition(stopped)["message"]
