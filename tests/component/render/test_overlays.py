"""Overlays: what Kustomize makes of them, and what is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.render import Overlay, PlainManifests, RendererPool, RenderInvalid, RenderRequest
from support.renders import CHARTS, OVERLAYS, identities, of_chart, write_tree

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  replicas: 1
  template: {spec: {containers: [{name: api, image: "api:1"}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {mode: "on"}
"""

REPLACE_REPLICAS = '[{"op": "replace", "path": "/spec/replicas", "value": 5}]'


def of_text(inline: Mapping[str, Any], text: str = DEPLOYMENT) -> RenderRequest:
    return RenderRequest(manifests=PlainManifests(text=text), overlay=Overlay(inline=inline))


def by_identity(objects: list[Any]) -> dict[tuple[str, str], Any]:
    return {(item["kind"], item["metadata"]["name"]): item for item in objects}


async def test_what_a_chart_rendered_keeps_its_template_through_the_overlay(pool: RendererPool) -> None:
    overlay = Overlay(path=OVERLAYS / "web", root=OVERLAYS)
    rendering = await pool.render(of_chart(CHARTS / "simple", overlay=overlay))
    sources = {
        (item.object["kind"], item.object["metadata"]["name"]): item.source for item in rendering.objects
    }
    assert sources == {
        ("ServiceAccount", "prod-demo-simple"): "simple/templates/serviceaccount.yaml",
        ("ConfigMap", "prod-demo-simple"): "simple/templates/configmap.yaml",
        ("ConfigMap", "prod-extra-8gf2cd8t47"): "kustomization.yaml",
        ("Service", "prod-demo-simple"): "simple/templates/service.yaml",
        ("Deployment", "prod-demo-simple"): "simple/templates/deployment.yaml",
    }
    assert "pierhead.dev" not in rendering.manifest
    assert rendering.manifest.count("# Source: simple/templates/") == 4
    assert rendering.notes
    assert rendering.chart_metadata


async def test_inline_fields_apply_to_a_chart(pool: RendererPool) -> None:
    inline = {
        "namePrefix": "a-",
        "nameSuffix": "-z",
        "namespace": "elsewhere",
        "commonLabels": {"team": "a"},
        "commonAnnotations": {"owner": "a"},
        "images": [{"name": "registry.example.com/web", "newName": "mirror/web", "digest": "sha256:1"}],
        "replicas": [{"name": "demo-simple", "count": 9}],
        "patches": [
            {
                "target": {"kind": "Deployment"},
                "patch": '[{"op": "add", "path": "/spec/paused", "value": true}]',
            }
        ],
    }
    rendering = await pool.render(of_chart(CHARTS / "simple", overlay=Overlay(inline=inline)))
    objects = by_identity([item.object for item in rendering.objects])
    deployment = objects["Deployment", "a-demo-simple-z"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "mirror/web@sha256:1"
    assert pod["containers"][0]["envFrom"] == [{"configMapRef": {"name": "a-demo-simple-z"}}]
    assert pod["serviceAccountName"] == "a-demo-simple-z"
    assert (deployment["spec"]["replicas"], deployment["spec"]["paused"]) == (9, True)
    assert all(item["metadata"]["namespace"] == "elsewhere" for item in objects.values())
    assert all(item["metadata"]["labels"]["team"] == "a" for item in objects.values())
    assert all(item["metadata"]["annotations"]["owner"] == "a" for item in objects.values())


async def test_a_component_may_stand_alone_as_the_overlay_of_a_chart(
    pool: RendererPool, tmp_path: Path
) -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: c-\n"
    write_tree(tmp_path, {"kustomization.yaml": component})
    rendering = await pool.render(of_chart(CHARTS / "schema", overlay=Overlay(path=tmp_path)))
    assert identities(rendering.objects) == [("ConfigMap", "c-demo")]


async def test_hooks_pass_through_the_overlay_only_when_asked(pool: RendererPool) -> None:
    for asked in (False, True):
        overlay = Overlay(inline={"namePrefix": "p-"}, hooks=asked)
        rendering = await pool.render(of_chart(CHARTS / "hooks", overlay=overlay))
        prefix = "p-" if asked else ""
        assert {(hook.name, hook.path, hook.weight) for hook in rendering.hooks} == {
            (f"{prefix}demo-migrate", "hooks/templates/jobs.yaml", -5),
            (f"{prefix}demo-test", "hooks/templates/jobs.yaml", 0),
        }
        assert {hook.object["metadata"]["name"] for hook in rendering.hooks} == {
            hook.name for hook in rendering.hooks
        }
        assert ("Widget", "p-demo") in identities(rendering.objects)
        assert identities(rendering.crds) == [("CustomResourceDefinition", "widgets.example.com")]


async def test_values_come_through_an_overlay_as_they_are(pool: RendererPool) -> None:
    data = {
        "long": "x y " * 3000,
        "lines": "a\n---\nb: |\n  c\n",
        "date": "2026-01-02",
        "word": "yes",
        "number": "010",
        "empty": "",
        "odd": "\u0001\u2028\u00e9\U0001f600 <&> \\ \"'",
        "k" * 200: "v",
    }
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
    rendering = await pool.render(of_text({"namePrefix": "p-"}, text))
    assert rendering.objects[0].object["data"] == data
    assert yaml.safe_load(rendering.manifest)["data"] == data


async def test_an_overlay_applies_to_plain_manifests(pool: RendererPool) -> None:
    inline = {"patches": [{"target": {"kind": "Deployment"}, "patch": REPLACE_REPLICAS}]}
    rendering = await pool.render(of_text(inline))
    assert identities(rendering.objects) == [("ConfigMap", "settings"), ("Deployment", "api")]
    assert rendering.objects[1].object["spec"]["replicas"] == 5
    assert rendering.objects[0].object["data"] == {"mode": "on"}
    assert {item.source for item in rendering.objects} == {"resources.yaml"}


UNMATCHED: dict[str, Mapping[str, Any]] = {
    "kind": {"kind": "StatefulSet"},
    "name": {"kind": "Deployment", "name": "apo"},
    "namespace": {"kind": "Deployment", "namespace": "other"},
    "label": {"labelSelector": "app=none"},
    "annotation": {"annotationSelector": "app=none"},
    "group": {"group": "batch", "kind": "Deployment"},
}


@pytest.mark.parametrize("field", ["patches", "patchesJson6902"])
@pytest.mark.parametrize("case", UNMATCHED)
async def test_a_patch_that_matches_nothing_is_an_error(pool: RendererPool, field: str, case: str) -> None:
    target = {"name": "nobody", **UNMATCHED[case]} if field == "patchesJson6902" else UNMATCHED[case]
    inline = {
        field: [
            {"target": {"kind": "Deployment", "name": "api"}, "patch": REPLACE_REPLICAS},
            {"target": target, "patch": REPLACE_REPLICAS},
        ]
    }
    with pytest.raises(RenderInvalid, match="the target matches nothing") as caught:
        await pool.render(of_text(inline))
    assert f"kustomization.yaml: {field}[1]: " in caught.value.message
    assert all(f"{key}: {value}" in caught.value.message for key, value in target.items())
    assert caught.value.source == "kustomize"


async def test_a_prefix_does_not_make_a_patch_match_that_kustomize_ignores(pool: RendererPool) -> None:
    inline = {
        "namePrefix": "prod-",
        "patches": [{"target": {"name": "prod-api"}, "patch": REPLACE_REPLICAS}],
    }
    with pytest.raises(RenderInvalid, match=r"patches\[0\]: the target matches nothing: name: prod-api"):
        await pool.render(of_text(inline))


async def test_an_unmatched_patch_of_a_base_is_an_error_too(pool: RendererPool, tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "base/kustomization.yaml": "resources: [all.yaml]\npatches:\n"
            '- {target: {name: typo}, patch: \'[{"op": "remove", "path": "/spec/replicas"}]\'}\n',
            "base/all.yaml": DEPLOYMENT,
            "prod/kustomization.yaml": "resources: [../base]\n",
        },
    )
    with pytest.raises(RenderInvalid, match=r"^base/kustomization\.yaml: patches\[0\]: .*name: typo$"):
        await pool.render(RenderRequest(overlay=Overlay(path=tmp_path / "prod", root=tmp_path)))


DELETE_DEPLOYMENT = "$patch: delete\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\n"

MATCHED: dict[str, Mapping[str, Any]] = {
    "regular expression": {"patches": [{"target": {"name": "a.*"}, "patch": REPLACE_REPLICAS}]},
    "deletes its target": {"patches": [{"target": {"name": "api"}, "patch": DELETE_DEPLOYMENT}]},
    "renames its target": {
        "patches": [
            {
                "target": {"name": "api"},
                "patch": '[{"op": "replace", "path": "/metadata/name", "value": "renamed"}]',
                "options": {"allowNameChange": True},
            },
            {"target": {"name": "api"}, "patch": REPLACE_REPLICAS},
        ]
    },
    "selects what a patch before it added": {
        "patches": [
            {
                "target": {"name": "api"},
                "patch": '[{"op": "add", "path": "/metadata/labels", "value": {"x": "y"}}]',
            },
            {"target": {"labelSelector": "x=y"}, "patch": REPLACE_REPLICAS},
        ]
    },
    "replaces all annotations": {
        "patches": [
            {
                "target": {"name": "api"},
                "patch": '[{"op": "add", "path": "/metadata/annotations", "value": {"x": "y"}}]',
            }
        ]
    },
    "old field, current name": {
        "namePrefix": "prod-",
        "patchesJson6902": [
            {"target": {"kind": "Deployment", "name": "prod-api"}, "patch": REPLACE_REPLICAS}
        ],
    },
}


@pytest.mark.parametrize("case", MATCHED)
async def test_a_patch_that_matches_is_no_error(pool: RendererPool, case: str) -> None:
    rendering = await pool.render(of_text(MATCHED[case]))
    assert "pierhead.dev" not in rendering.manifest


BAD_OVERLAYS: dict[str, tuple[Mapping[str, Any], str]] = {
    "unknown field": ({"patchez": []}, r'^kustomization\.yaml: unknown field "patchez"$'),
    "unknown nested field": ({"images": [{"nam": "x"}]}, r'unknown field "nam"'),
    "wrong type": ({"patches": {}}, r"cannot unmarshal object"),
    "strategic patch of nothing": (
        {"patches": [{"patch": "apiVersion: v1\nkind: Secret\nmetadata: {name: none}\n"}]},
        r"no matches for Id Secret\.v1\.\[noGrp\]/none",
    ),
    "patch that is none": (
        {"patches": [{"target": {"kind": "Deployment"}, "patch": "just text"}]},
        r"^unable to parse SM or JSON patch",
    ),
    "json patch of a path that is not there": (
        {"patches": [{"target": {"kind": "Deployment"}, "patch": '[{"op": "remove", "path": "/spec/no"}]'}]},
        r"remove operation does not apply|Unable to remove nonexistent key",
    ),
    "bad regular expression": (
        {"patches": [{"target": {"name": "("}, "patch": REPLACE_REPLICAS}]},
        r"missing closing \)",
    ),
    "replicas of nothing": (
        {"replicas": [{"name": "none", "count": 1}]},
        r"resource with name none does not match",
    ),
    "wrong kind": (
        {"kind": "Deployment", "apiVersion": "apps/v1"},
        r"kind should be Kustomization or Component",
    ),
    "a file, inline": (
        {"resources": ["more.yaml"]},
        r'resources\[0\]: "more\.yaml": an inline overlay has no files',
    ),
    "a component, inline": ({"components": ["../c"]}, r"components\[0\].*inline overlay has no files"),
}


@pytest.mark.parametrize("case", BAD_OVERLAYS)
async def test_a_bad_overlay_is_refused(pool: RendererPool, case: str) -> None:
    inline, pattern = BAD_OVERLAYS[case]
    with pytest.raises(RenderInvalid, match=pattern) as caught:
        await pool.render(of_text(inline))
    assert caught.value.source == "kustomize"
    assert "\n" not in caught.value.message


async def test_an_overlay_that_is_no_mapping_is_refused(pool: RendererPool) -> None:
    bad: Any = ["patches"]
    with pytest.raises(RenderInvalid, match="must be a mapping, not a list"):
        await pool.render(of_text(bad))


async def test_a_folder_without_a_kustomization_is_refused(pool: RendererPool, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    overlay = Overlay(path=tmp_path / "empty", root=tmp_path)
    for request in (RenderRequest(overlay=overlay), of_chart(CHARTS / "simple", overlay=overlay)):
        with pytest.raises(RenderInvalid, match=r"kustomization") as caught:
            await pool.render(request)
        assert str(tmp_path) not in caught.value.message


async def test_an_error_in_a_base_names_the_base(pool: RendererPool, tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "base/kustomization.yaml": "resources: [all.yaml]\npatches: [{patch: text, target: {kind: X}}]\n",
            "base/all.yaml": DEPLOYMENT,
            "prod/kustomization.yaml": "resources: [../base]\n",
        },
    )
    with pytest.raises(RenderInvalid, match=r"^in base: unable to parse SM or JSON patch"):
        await pool.render(RenderRequest(overlay=Overlay(path=tmp_path / "prod", root=tmp_path)))


async def test_objects_that_an_overlay_makes_the_same_are_refused(pool: RendererPool) -> None:
    text = "".join(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: same, namespace: {name}}}\n---\n"
        for name in "ab"
    )
    with pytest.raises(RenderInvalid, match=r"same"):
        await pool.render(of_text({"namespace": "c"}, text))


async def test_a_schema_of_one_overlay_is_gone_with_it(pool: RendererPool, tmp_path: Path) -> None:
    request = RenderRequest(overlay=Overlay(path=OVERLAYS / "plain" / "prod", root=OVERLAYS))
    before = await pool.render(request)
    write_tree(
        tmp_path,
        {
            "kustomization.yaml": "resources: [all.yaml]\nopenapi: {path: schema.json}\n",
            "schema.json": '{"definitions": {}}',
            "all.yaml": DEPLOYMENT,
        },
    )
    assert await pool.render(RenderRequest(overlay=Overlay(path=tmp_path)))
    assert await pool.render(request) == before
