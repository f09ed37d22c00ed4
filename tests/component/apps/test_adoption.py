"""`pierhead app adopt`: what other tools made, taken over without touching a pod."""

import json

import yaml

from pierhead.kube.resources import (
    APP_RELEASES,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    PODS,
    SECRETS,
    ResourceType,
)
from support.app_sources import ChartRepository, chart_files, packaged
from support.objects import definition, served
from support.releases import condition, deployment
from support.renders import write_tree


def chart(**changes) -> dict[str, str]:
    """A chart with a Deployment, whose pod template has an annotation."""
    web = deployment()
    web["spec"]["template"]["metadata"]["annotations"] = {"example.com/build": "7"}
    web["spec"]["template"]["spec"]["containers"][0] |= changes
    return chart_files(web=json.dumps(web))


async def installed(helm, releases, tmp_path) -> set[str]:
    """The pods of a release that Helm made."""
    folder = write_tree(tmp_path / "installed", chart())
    await helm("install", "shop", str(folder), "--set", "greeting=correct horse")
    await releases.object(DEPLOYMENTS, "web", lambda obj: obj["status"].get("readyReplicas") == 1)
    return await pods(releases)


async def pods(releases) -> set[str]:
    pages = releases.kube.pages(PODS, releases.namespace)
    return {pod["metadata"]["uid"] async for page in pages for pod in page.items}


def source(tmp_path, files: dict[str, str]) -> tuple[str, str]:
    """The option that says where the chart is."""
    path = tmp_path / "source.yaml"
    path.write_text(yaml.safe_dump({"inline": {"files": files}}))
    return ("--source-file", str(path))


async def test_a_helm_release_is_adopted_without_touching_a_pod(
    controller, releases, helm, pierhead, tmp_path, tenant
):
    before = await installed(helm, releases, tmp_path)
    asked = ("adopt", "--from-helm", "shop", *source(tmp_path, chart()), "--values-secret", "shop-values")
    shown = await pierhead(*asked)
    secret, app_release = shown.documents
    assert secret["data"] == {"values.yaml": "***"}
    assert app_release["metadata"] == {"name": "shop", "namespace": tenant}
    assert app_release["spec"]["helm"] == {"valuesFrom": [{"secret": {"name": "shop-values"}}]}
    assert "correct horse" not in shown.output + shown.errors
    assert not await releases.exists(SECRETS, "shop-values")
    done = await pierhead(*asked, "--apply")
    assert done.code == 0, done.errors
    assert condition(await releases.get())["reason"] == "Deployed"
    assert await releases.statuses() == ["superseded", "deployed"]
    assert await pods(releases) == before
    assert (await releases.object(DEPLOYMENTS, "web"))["metadata"]["generation"] == 1
    again = await pierhead(*asked)
    assert (again.code, again.errors) == (1, "error: release shop belongs to an AppRelease already\n")


async def test_what_would_restart_pods_is_shown_and_refused(releases, helm, pierhead, tmp_path):
    before = await installed(helm, releases, tmp_path)
    asked = ("adopt", "--from-helm", "shop", "--apply", "--timeout", "1s")
    changed = await pierhead(*asked, *source(tmp_path, chart(image="registry.example.com/web:2")))
    assert changed.code == 1
    assert "image: registry.example.com/web:2\n" in changed.errors
    assert "/web: its pod template changes" in changed.errors
    gone = chart()
    gone["templates/web.yaml"] = json.dumps(deployment())
    removed = await pierhead(*asked, *source(tmp_path, gone))
    assert "/web: /metadata/annotations would go from its pod template" in removed.errors
    del gone["templates/web.yaml"]
    deleted = await pierhead(*asked, *source(tmp_path, gone))
    assert "/web: would be deleted" in deleted.errors
    assert not await releases.exists(APP_RELEASES, "shop")
    assert await pods(releases) == before
    allowed = await pierhead(*asked, *source(tmp_path, gone), "--allow-restarts")
    assert allowed.code == 3, allowed.errors
    assert await releases.exists(APP_RELEASES, "shop")


async def test_a_chart_is_where_the_caller_says(releases, helm, pierhead, tmp_path):
    await installed(helm, releases, tmp_path)
    async with ChartRepository.started() as charts:
        charts.put("shop", "1.0.0", packaged(chart()))
        fetched = ("--source-helm-repository", charts.url)
        checked = await pierhead("adopt", "--from-helm", "shop", *fetched, "-o", "json")
    assert {change["action"] for change in checked.json["changes"]} == {"Update"}
    assert charts.requests == ["index.yaml", "shop-1.0.0.tgz"]
    address = ("--source-helm-repository", "https://charts.example.com/", "--source-secret", "login")
    told = await pierhead("adopt", "--from-helm", "shop", *address, "--no-check", "-o", "json")
    assert told.json["appRelease"]["spec"]["source"] == {
        "helmRepository": {
            "url": "https://charts.example.com",
            "secret": {"name": "login"},
            "chart": "shop",
            "version": "1.0.0",
        }
    }
    unreachable = await pierhead("adopt", "--from-helm", "shop", *address)
    assert "Secret login is not here" in unreachable.errors
    unknown = await pierhead("adopt", "--from-helm", "shop")
    assert "Helm does not store where a chart came from" in unknown.errors
    assert (
        "there is no Helm release none" in (await pierhead("adopt", "--from-helm", "none", *address)).errors
    )


async def test_flux_objects_are_read_from_the_cluster_with_their_sources(
    kube, app_releases_served, releases, pierhead, tenant
):
    kinds = {
        ("HelmRelease", "helm.toolkit.fluxcd.io", "v2"): {"chart": {"spec": {"chart": "shop"}}},
        ("HelmRepository", "source.toolkit.fluxcd.io", "v1"): {"url": "https://charts.example.com"},
    }
    reference = {"kind": "HelmRepository", "name": "shop"}
    kinds[("HelmRelease", "helm.toolkit.fluxcd.io", "v2")]["chart"]["spec"]["sourceRef"] = reference
    for (kind, group, version), spec in kinds.items():
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        crd = definition(kind, group, name=version, schema={"openAPIV3Schema": anything})
        if kind == "HelmRepository":
            crd["spec"]["names"]["plural"] = "helmrepositories"
            crd["metadata"]["name"] = f"helmrepositories.{group}"
        await kube.apply(CUSTOM_RESOURCE_DEFINITIONS, crd, field_manager="test")
        resource = ResourceType(group, version, crd["spec"]["names"]["plural"], kind)
        await served(kube, resource)
        metadata = {"name": "shop", "namespace": tenant}
        obj = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": metadata, "spec": spec}
        await kube.apply(resource, obj, field_manager="test")
    told = (await pierhead("adopt", "--from-flux", "hr/shop", "-o", "json")).json
    assert told["appRelease"]["spec"]["source"] == {
        "helmRepository": {"url": "https://charts.example.com", "chart": "shop", "semver": "*"}
    }
    assert told["steps"][0].startswith(f"flux suspend helmrelease shop -n {tenant}")
    held = await pierhead("adopt", "--from-flux", "HelmRelease/shop", "--apply")
    assert held.code == 1
    assert "error: suspend the HelmRelease first" in held.errors
    assert not await releases.exists(APP_RELEASES, "shop")


async def test_an_application_is_read_from_a_file(pierhead, tmp_path):
    file = tmp_path / "application.yaml"
    where = {"repoURL": "https://git.example.com/a.git", "path": "a"}
    spec = {"source": where, "destination": {"namespace": "shop"}}
    application = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}}
    file.write_text(json.dumps({**application, "spec": spec}))
    done = await pierhead("adopt", "--from-argo", "a", "-f", str(file), cluster=False)
    (app_release,) = done.documents
    assert app_release["metadata"] == {"name": "a", "namespace": "shop"}
    assert "warning: " in done.errors
    assert "1. argocd app set a --sync-policy none" in done.errors
