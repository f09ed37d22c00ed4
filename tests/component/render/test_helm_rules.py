"""What a chart's rendering says beside its objects, and what is refused as Helm refuses it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pierhead.engine.outcome import Denied
from pierhead.render import Capabilities, LookupCall, RendererPool, RenderInvalid, RenderRequest
from support.renders import CHARTS, CONFIG_MAP, identities, of_chart, of_template, write_chart


async def test_hooks_crds_and_objects_are_apart(pool: RendererPool) -> None:
    rendering = await pool.render(of_chart(CHARTS / "hooks"))
    assert identities(rendering.objects) == [
        ("Namespace", "demo-extra"),
        ("Role", "reader"),
        ("Role", "writer"),
        ("Widget", "demo"),
    ]
    assert {item.source for item in rendering.objects} == {"hooks/templates/main.yaml"}
    assert identities(rendering.crds) == [("CustomResourceDefinition", "widgets.example.com")]
    assert rendering.crds[0].source == "hooks/crds/widget.yaml"
    hooks = {hook.name: hook for hook in rendering.hooks}
    migrate = hooks["demo-migrate"]
    assert (migrate.kind, migrate.path, migrate.weight) == ("Job", "hooks/templates/jobs.yaml", -5)
    assert migrate.events == ("pre-install", "pre-upgrade")
    assert migrate.delete_policies == ("before-hook-creation", "hook-succeeded")
    assert migrate.output_log_policies == ("hook-failed",)
    assert migrate.object["metadata"]["name"] == "demo-migrate"
    assert hooks["demo-test"].events == ("test",)


async def test_crds_may_be_left_out(pool: RendererPool) -> None:
    assert (await pool.render(of_chart(CHARTS / "hooks", include_crds=False))).crds == ()


async def test_notes_are_the_charts_own(pool: RendererPool) -> None:
    assert (await pool.render(of_chart(CHARTS / "parent"))).notes == "parent notes\n"
    assert "http://web.example.com/" in (await pool.render(of_chart(CHARTS / "simple"))).notes


async def test_the_chart_and_its_values_are_told(pool: RendererPool) -> None:
    rendering = await pool.render(of_chart(CHARTS / "parent", values={"cache": {"size": 7}}))
    assert rendering.chart_metadata is not None
    assert rendering.chart_metadata["version"] == "0.1.0"
    assert rendering.values is not None
    assert rendering.values["cache"]["size"] == 7
    assert rendering.values["limits"] == {"depth": 10}, "import-values"
    assert rendering.chart_values is not None
    assert rendering.chart_values["cache"]["size"] == 2


async def test_lookup_asks_the_caller_once_for_each_object(pool: RendererPool) -> None:
    calls: list[LookupCall] = []

    async def lookup(call: LookupCall) -> Any:
        calls.append(call)
        if call.name:
            return {"data": {"password": "b2xk"}, "number": 12345678901234567}
        return [{"metadata": {"name": "kept"}}, {"metadata": {"name": "other"}}]

    rendering = await pool.render(of_chart(CHARTS / "dynamic"), lookup)
    secret = rendering.objects[0].object
    assert secret["data"] == {"password": "b2xk", "number": 12345678901234567}
    assert secret["metadata"]["annotations"] == {"found": "true", "others": "kept,other,"}
    assert calls == [LookupCall("v1", "Secret", "shop", "kept"), LookupCall("v1", "Secret", "shop", "")]


async def test_lookup_finds_nothing_where_nothing_is(pool: RendererPool) -> None:
    async def lookup(_: LookupCall) -> None:
        return None

    for given in (lookup, None):
        rendering = await pool.render(of_chart(CHARTS / "dynamic"), given)
        assert rendering.objects[0].object["data"] == {"password": "bmV3"}


async def test_a_refused_lookup_is_what_the_render_ends_in(pool: RendererPool) -> None:
    async def lookup(_: LookupCall) -> None:
        raise Denied("secrets is forbidden")

    await pool.render(of_chart(CHARTS / "simple"))
    before = pool.pids
    with pytest.raises(Denied, match="secrets is forbidden"):
        await pool.render(of_chart(CHARTS / "dynamic"), lookup)
    await pool.render(of_chart(CHARTS / "simple"))
    assert pool.pids == before


async def test_a_template_may_spoil_its_values_without_harm(pool: RendererPool, tmp_path: Path) -> None:
    template = (
        '{{ $_ := set .Values "self" .Values }}{{ $_ := set .Values "f" (float64 "NaN") }}'
        '{{ $_ := set .Values "t" now }}' + CONFIG_MAP
    )
    chart = write_chart(tmp_path, {"x.yaml": template, "values.yaml": "a: 1"})
    rendering = await pool.render(of_chart(chart))
    assert rendering.values == rendering.chart_values == {"a": 1}


async def test_lookups_are_bounded(pool: RendererPool, tmp_path: Path) -> None:
    template = '{{ range $i := until 600 }}{{ lookup "v1" "Secret" "shop" (print $i) }}{{ end }}'
    count = 0

    async def lookup(_: LookupCall) -> None:
        nonlocal count
        count += 1

    with pytest.raises(RenderInvalid, match="more than 500 different lookups"):
        await pool.render(of_template(tmp_path, template), lookup)
    assert count == 500


NO_KIND = "apiVersion: v1\nmetadata: {name: a}\n"
NO_NAME = "apiVersion: v1\nkind: Secret\nmetadata: {generateName: a-}\n"

BAD_CHARTS: dict[str, tuple[Mapping[str, str], str, str]] = {
    "template that does not parse": (
        {"x.yaml": "a: b\n{{ if }}"},
        "helm",
        r"^missing value for if \(at bad/templates/x\.yaml:2\)$",
    ),
    "template that fails": (
        {"x.yaml": "a: b\nc: {{ .Values.no.such.thing }}"},
        "helm",
        r"^nil pointer evaluating interface \{\}\.such \(at bad/templates/x\.yaml:2:\d+, in \.Values\.no",
    ),
    "failure in a helper": (
        {
            "_h.tpl": '{{ define "h" }}\n{{ index .Values.list 3 }}{{ end }}',
            "x.yaml": 'a: {{ include "h" . }}',
            "values.yaml": "list: [1]",
        },
        "helm",
        r"index out of range: 3 \(at bad/templates/_h\.tpl:2:.*called from bad/templates/x\.yaml:1:6\)$",
    ),
    "required value": (
        {"x.yaml": '{{ required "set the password" .Values.password }}'},
        "helm",
        r"^set the password \(at bad/templates/x\.yaml:1:3\)$",
    ),
    "fail": ({"x.yaml": '{{ fail "no\nlines" }}'}, "helm", r"."),
    "not YAML": (
        {"x.yaml": "kind: ConfigMap\n a: b:\n- c"},
        "helm",
        r"^YAML parse error on bad/templates/x\.yaml: error converting YAML to JSON: yaml: line",
    ),
    "no object": ({"x.yaml": "just text"}, "helm", r"bad/templates/x\.yaml"),
    "no kind": ({"x.yaml": NO_KIND}, "helm", r"^bad/templates/x\.yaml: an object without kind \(a\)$"),
    "no apiVersion": (
        {"x.yaml": "kind: Secret\nmetadata: {name: a}"},
        "helm",
        r"without apiVersion \(Secret a\)",
    ),
    "no name": ({"x.yaml": NO_NAME}, "helm", r"without metadata\.name \(Secret\)"),
    "the same object twice": (
        {"x.yaml": CONFIG_MAP, "y.yaml": CONFIG_MAP.replace("settings", "settings, namespace: shop")},
        "helm",
        r"ConfigMap \"settings\" is there twice: in bad/templates/x\.yaml and in bad/templates/y\.yaml",
    ),
    "no Chart.yaml": (
        {"Chart.yaml": "{}"},
        "helm",
        r"cannot be loaded: validation: chart\.metadata\.name is required",
    ),
    "Kubernetes too old": (
        {"Chart.yaml": "{apiVersion: v2, name: bad, version: 1.0.0, kubeVersion: '>=1.99'}"},
        "helm",
        r"requires kubeVersion: >=1\.99 which is incompatible with Kubernetes v1\.36\.4",
    ),
    "dependency that is not bundled": (
        {
            "Chart.yaml": "{apiVersion: v2, name: bad, version: 1.0.0, "
            "dependencies: [{name: db, version: 1, repository: 'https://charts.example.com'}]}"
        },
        "helm",
        r"missing in charts/ directory: db",
    ),
    "values.yaml that is no mapping": (
        {"values.yaml": "- 1"},
        "helm",
        r"cannot load values\.yaml: .*cannot unmarshal array",
    ),
    "schema that is no JSON": (
        {"values.schema.json": "{", "x.yaml": CONFIG_MAP},
        "values",
        r"values\.schema\.json is not JSON",
    ),
}


@pytest.mark.parametrize("case", BAD_CHARTS)
async def test_a_bad_chart_is_refused_with_its_cause_on_one_line(
    pool: RendererPool, tmp_path: Path, case: str
) -> None:
    files, source, pattern = BAD_CHARTS[case]
    chart = of_chart(write_chart(tmp_path, files)).chart
    with pytest.raises(RenderInvalid, match=pattern) as caught:
        await pool.render(RenderRequest(chart=chart, capabilities=Capabilities("v1.36.4")))
    assert caught.value.source == source
    assert "\n" not in caught.value.message
    assert str(tmp_path) not in caught.value.message


BAD_VALUES: dict[str, tuple[str, Any, str]] = {
    "wrong type": (
        "schema",
        {"replicas": "many"},
        r"schema of chart schema: at '/replicas': got string, want integer",
    ),
    "unknown": ("schema", {"replicaz": 1}, r"additional properties 'replicaz' not allowed"),
    "several": (
        "schema",
        {"replicas": -1, "color": "green"},
        r"minimum.*value must be one of|one of.*minimum",
    ),
    "of a subchart": ("parent", {"cache": {"size": 0}}, r"schema of chart cache: at '/size': minimum"),
    "of an alias": ("parent", {"sessions": {"size": "x"}}, r"schema of chart sessions: at '/size'"),
    "a list": ("simple", [1], r"^values must be a mapping, not a list$"),
    "a string": ("simple", "replicas: 1", r"^values must be a mapping, not a string$"),
    "not a number": ("simple", {"replicas": float("nan")}, r"JSON cannot carry"),
    "not JSON": ("simple", {"replicas": object()}, r"JSON cannot carry"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
async def test_bad_values_are_refused(pool: RendererPool, case: str) -> None:
    chart, values, pattern = BAD_VALUES[case]
    with pytest.raises(RenderInvalid, match=pattern) as caught:
        await pool.render(of_chart(CHARTS / chart, values=values))
    assert caught.value.source == "values"
    assert "\n" not in caught.value.message


async def test_a_library_chart_is_no_release(pool: RendererPool) -> None:
    with pytest.raises(RenderInvalid, match="library charts are not installable"):
        await pool.render(of_chart(CHARTS / "library"))


async def test_a_chart_that_is_not_there_is_told_without_our_paths(
    pool: RendererPool, tmp_path: Path
) -> None:
    with pytest.raises(RenderInvalid, match=r"^the chart: charts/none does not exist in the source$"):
        await pool.render(of_chart(tmp_path / "charts" / "none", root=tmp_path))
