"""Plans, applies and prunes against the real API server, counted in requests."""

import asyncio
import copy
import secrets

from pierhead.engine.outcome import Denied, Invalid, Throttled, Transient
from pierhead.kube import errors
from pierhead.kube.apply import apply_staged, dry_run_all, remembered
from pierhead.kube.credentials import Identity
from pierhead.kube.inventory import Entry
from pierhead.kube.plan import Action, plan
from pierhead.kube.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    SERVICES,
    ResourceType,
)
from support.objects import OWNER, app, config_map, definition
from support.proxy import status_body
from support.waiting import eventually


def actions(found):
    return {step.entry.kind: step.action for step in found.steps}


async def later(seconds=3):
    """Lets the API server's clock, whose second counts, leave the last apply behind."""
    await asyncio.sleep(seconds)


async def test_a_fresh_install_costs_two_requests_an_object(client, proxy, discovery, namespace):
    planned = await plan(client, discovery, app(namespace))
    assert set(actions(planned).values()) == {Action.CREATE}
    assert len(proxy.requests) == 4
    result = await apply_staged(client, discovery, planned)
    assert result.error() is None
    assert all(done.changed for done in result.applied)
    assert len(proxy.requests) == 8
    assert [request.path.rsplit("/", 2)[1] for request in proxy.requests[4:]] == [
        *("serviceaccounts", "services", "deployments", "ingresses")
    ]


async def test_what_is_known_and_seen_unchanged_costs_no_request(client, proxy, discovery, namespace):
    result = await apply_staged(client, discovery, await plan(client, discovery, app(namespace)))
    known = remembered({}, result.applied)
    proxy.requests.clear()
    seen = {entry: what.resource_version for entry, what in known.items()}
    again = await plan(client, discovery, app(namespace), known=known, version_of=seen.get)
    assert set(actions(again).values()) == {Action.NOTHING}
    second = await apply_staged(client, discovery, again)
    assert not any(done.changed for done in second.applied)
    assert remembered(known, second.applied) == known
    assert proxy.requests == []

    seen[Entry.of(app(namespace)[2])] = "moved"
    await plan(client, discovery, app(namespace), known=known, version_of=seen.get)
    assert len(proxy.requests) == 1
    changed = app(namespace, image="other")
    await plan(client, discovery, changed, known=known, version_of=seen.get)
    assert len(proxy.requests) == 3


async def test_without_memory_unchanged_objects_cost_a_dry_run_and_are_not_written(
    client, proxy, discovery, namespace, kube
):
    await apply_staged(client, discovery, await plan(client, discovery, app(namespace)))
    await later()
    proxy.requests.clear()
    again = await plan(client, discovery, app(namespace))
    assert set(actions(again).values()) == {Action.NOTHING}
    assert len(proxy.requests) == 4
    await apply_staged(client, discovery, again)
    assert len(proxy.requests) == 4
    live = {step.entry.kind: step.answer for step in again.steps}
    assert (
        live["Deployment"]["metadata"]["uid"]
        == ((await kube.get(DEPLOYMENTS, "web", namespace))["metadata"]["uid"])
    )


async def test_only_what_changes_is_written(client, proxy, discovery, namespace):
    await apply_staged(client, discovery, await plan(client, discovery, app(namespace)))
    await later()
    upgraded = await plan(client, discovery, app(namespace, image="nginx:2"), explain=True)
    assert actions(upgraded)["Deployment"] is Action.UPDATE
    assert [step.changes for step in upgraded.steps if step.action is Action.UPDATE] == [
        ("/spec/template/spec/containers/0/image",)
    ]
    proxy.requests.clear()
    result = await apply_staged(client, discovery, upgraded)
    assert [request.verb for request in proxy.requests] == ["patch"]
    assert [done.entry.kind for done in result.applied if done.changed] == ["Deployment"]


async def test_drift_is_found_and_put_right_and_foreign_fields_are_left(
    client, proxy, discovery, namespace, kube
):
    await apply_staged(client, discovery, app(namespace, replicas=0))
    await later()
    await kube.merge_patch(
        DEPLOYMENTS,
        "web",
        namespace,
        {"metadata": {"annotations": {"theirs": "1"}}, "spec": {"replicas": 0, "revisionHistoryLimit": 3}},
    )
    calm = await plan(client, discovery, app(namespace), explain=True)
    assert actions(calm)["Deployment"] is Action.NOTHING
    await kube.merge_patch(DEPLOYMENTS, "web", namespace, {"metadata": {"labels": None}})
    await kube.merge_patch(SERVICES, "web", namespace, {"spec": {"selector": {"app": "other"}}})
    drifted = await plan(client, discovery, app(namespace), explain=True)
    changes = {step.entry.kind: step.changes for step in drifted.steps if step.changes}
    assert changes == {
        "Deployment": ("/metadata/labels",),
        "Service": ("/spec/selector/app",),
    }
    await apply_staged(client, discovery, drifted)
    live = await kube.get(DEPLOYMENTS, "web", namespace)
    assert live["metadata"]["labels"] == OWNER
    assert live["metadata"]["annotations"]["theirs"] == "1"
    assert live["spec"]["revisionHistoryLimit"] == 3


async def test_right_after_an_apply_explaining_reads_instead_of_guessing(client, proxy, discovery, namespace):
    await apply_staged(client, discovery, app(namespace))
    explained = await plan(client, discovery, app(namespace), explain=True)
    assert set(actions(explained).values()) == {Action.NOTHING}


async def test_an_object_without_a_field_of_ours_settles_too(client, proxy, discovery, namespace):
    bare = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bare", "namespace": namespace}}]
    first = await apply_staged(client, discovery, bare)
    assert first.applied[0].changed
    again = await plan(client, discovery, bare)
    assert actions(again) == {"ConfigMap": Action.NOTHING}


async def test_taking_over_what_somebody_else_made_is_a_change(client, discovery, namespace, kube):
    await kube.create(CONFIG_MAPS, config_map("theirs", namespace, key="1"))
    await later()
    planned = await plan(client, discovery, [config_map("theirs", namespace, key="1")], explain=True)
    assert actions(planned) == {"ConfigMap": Action.UPDATE}
    await apply_staged(client, discovery, planned)
    live = await kube.get(CONFIG_MAPS, "theirs", namespace)
    assert "pierhead" in {entry["manager"] for entry in live["metadata"]["managedFields"]}


async def test_taking_and_leaving_ownership_alone_is_written_too(client, discovery, namespace, kube):
    def mine(**data):
        return [config_map("shared", namespace, **data)]

    await kube.apply(CONFIG_MAPS, config_map("shared", namespace, b="2"), field_manager="other")
    known = remembered({}, (await apply_staged(client, discovery, mine(a="1"))).applied)
    await later()
    for data in ({"a": "1", "b": "2"}, {"a": "1"}):
        planned = await plan(client, discovery, mine(**data), known=known)
        assert actions(planned) == {"ConfigMap": Action.UPDATE}
        known = remembered(known, (await apply_staged(client, discovery, planned)).applied)
        live = await kube.get(CONFIG_MAPS, "shared", namespace)
        owned = {entry["manager"]: entry["fieldsV1"]["f:data"] for entry in live["metadata"]["managedFields"]}
        assert owned["pierhead"].keys() == {f"f:{key}" for key in data}
        assert actions(await plan(client, discovery, mine(**data), known=known)) == {
            "ConfigMap": Action.NOTHING
        }


async def test_every_failure_is_told_and_nothing_is_written(client, proxy, discovery, namespace):
    bad = app(namespace)
    bad[0]["spec"]["rools"] = []
    bad[1]["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    bad.append({"apiVersion": "example.com/v1", "kind": "Nothing", "metadata": {"name": "n"}})
    bad.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})
    bad.append(copy.deepcopy(bad[3]))
    failures = await dry_run_all(client, discovery, bad)
    assert {failure.label: failure.message.split(":")[0] for failure in failures} == {
        f"Ingress {namespace}/web": failures_of(failures, "Ingress"),
        f"Deployment {namespace}/web": 'Deployment.apps "web" is invalid',
        "Nothing n": "no kind Nothing in example.com/v1",
        "ConfigMap ": "an object needs apiVersion, kind and metadata.name",
        f"ServiceAccount {namespace}/web": "the same object is given twice",
    }
    result = await apply_staged(client, discovery, await plan(client, discovery, bad))
    assert result.applied == ()
    assert all(not request.is_write for request in proxy.requests)
    assert ".spec.rools: field not declared in schema" in str(result.error())
    assert "Deployment" in str(result.error())


def failures_of(failures, kind):
    return next(failure.message.split(":")[0] for failure in failures if failure.label.startswith(kind))


async def test_what_may_pass_by_itself_makes_the_whole_wait(client, proxy, discovery, namespace):
    bad = [config_map("a", namespace) | {"dota": {}}, config_map("b", namespace)]
    proxy.fail(path="configmaps/b", status=503, body=status_body(503, "ServiceUnavailable"))
    error = (await plan(client, discovery, bad)).error()
    assert isinstance(error, Transient)
    proxy.fail(path="configmaps/b", status=429, headers={"Retry-After": "9"})
    error = (await plan(client, discovery, bad)).error()
    assert isinstance(error, Throttled)
    assert error.after == 9
    error = (await plan(client, discovery, bad)).error()
    assert isinstance(error, Invalid)
    assert error.reason == "Rejected"


async def test_as_an_account_without_rights_everything_is_denied(client, discovery, namespace):
    view = client.impersonating(Identity(namespace, "default"))
    error = (await plan(view, discovery, app(namespace))).error()
    assert isinstance(error, Denied)
    assert str(error).count(f"system:serviceaccount:{namespace}:default") == 4


async def test_objects_of_a_namespace_that_comes_with_them(client, proxy, discovery, kube):
    name = f"fresh-{secrets.token_hex(3)}"
    objects = [
        config_map("inside", name),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
    ]
    planned = await plan(client, discovery, objects)
    assert planned.failures == ()
    assert [(step.entry.kind, step.action, step.why) for step in planned.steps] == [
        ("ConfigMap", Action.UNTRIED, f"needs Namespace {name}, which comes first"),
        ("Namespace", Action.CREATE, ""),
    ]
    result = await apply_staged(client, discovery, planned)
    assert result.failures == ()
    await kube.get(CONFIG_MAPS, "inside", name)
    again = await plan(client, discovery, objects)
    assert Action.UNTRIED not in actions(again).values()
    await kube.delete(NAMESPACES, name)


async def test_a_kind_that_comes_with_its_objects(client, discovery, namespace, kube):
    group = f"n{secrets.token_hex(3)}.example.com"
    gadget = {
        "apiVersion": f"{group}/v1",
        "kind": "Gadget",
        "metadata": {"name": "g", "namespace": namespace},
    }
    objects = [gadget | {"spec": {"size": 1}}, definition("Gadget", group)]
    planned = await plan(client, discovery, objects)
    assert planned.failures == ()
    assert actions(planned) == {
        "Gadget": Action.UNTRIED,
        "CustomResourceDefinition": Action.CREATE,
    }
    result = await apply_staged(client, discovery, planned)
    assert result.failures == ()
    assert [done.entry.kind for done in result.applied] == ["CustomResourceDefinition", "Gadget"]
    settled = await plan(client, discovery, objects, explain=True)
    assert set(actions(settled).values()) == {Action.NOTHING}

    wider = definition("Gadget", group)
    schema = wider["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["color"] = {"type": "string"}
    second = [gadget | {"spec": {"size": 1, "color": "red"}}, wider]
    upgrade = await plan(client, discovery, second)
    assert upgrade.failures == ()
    assert actions(upgrade)["Gadget"] is Action.UNTRIED
    done = await apply_staged(client, discovery, upgrade)
    assert done.failures == ()
    resource = ResourceType(group, "v1", "gadgets", "Gadget")
    assert (await kube.get(resource, "g", namespace))["spec"]["color"] == "red"
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"gadgets.{group}")


async def test_an_account_that_may_not_watch_definitions_can_install_them(
    client, proxy, discovery, namespace, kube
):
    group = f"p{secrets.token_hex(3)}.example.com"
    proxy.fail(
        path="customresourcedefinitions$",
        method="GET",
        status=403,
        body=status_body(403, "Forbidden"),
        times=None,
    )
    result = await apply_staged(client, discovery, [definition("Gadget", group)])
    assert result.failures == ()
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"gadgets.{group}")


async def test_a_definition_whose_names_are_taken_is_refused_at_once(client, discovery, kube):
    group = f"t{secrets.token_hex(3)}.example.com"
    await apply_staged(client, discovery, [definition("Gadget", group)])
    clash = definition("Widget", group)
    clash["spec"]["names"]["kind"] = "Gadget"
    result = await apply_staged(client, discovery, [clash])
    assert isinstance(result.error(), Invalid)
    assert "is already in use" in str(result.error())
    for plural in ("gadgets", "widgets"):
        await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"{plural}.{group}")


async def test_a_limited_account_installs_a_role_and_its_binding(client, discovery, namespace, sandbox):
    sandbox.kubectl(
        *("create", "rolebinding", "a", "-n", namespace, "--clusterrole=admin"),
        f"--serviceaccount={namespace}:default",
    )
    view = client.impersonating(Identity(namespace, "default"))
    rbac = "rbac.authorization.k8s.io"
    metadata = {"name": "reader", "namespace": namespace}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }

    async def granted():
        return not (await plan(view, discovery, [role])).failures

    await eventually(granted)
    assert (await plan(view, discovery, [binding])).failures
    planned = await plan(view, discovery, [binding, role])
    assert planned.failures == ()
    assert (await apply_staged(view, discovery, planned)).failures == ()


async def test_after_a_failed_stage_no_other_begins(client, proxy, discovery, namespace):
    planned = await plan(client, discovery, app(namespace))
    proxy.fail(path="services/web", matches=lambda request: request.is_write, status=500)
    result = await apply_staged(client, discovery, planned)
    assert [done.entry.kind for done in result.applied] == ["ServiceAccount"]
    assert [failure.label for failure in result.failures] == [f"Service {namespace}/web"]
    assert isinstance(result.error(), Transient)


async def test_a_webhook_that_cannot_be_dry_run_leaves_the_object_to_the_apply(
    client, proxy, discovery, namespace
):
    message = 'admission webhook "w.example.com" does not support dry run'
    proxy.fail(path="configmaps/a", status=400, body=status_body(400, "BadRequest", message))
    planned = await plan(client, discovery, [config_map("a", namespace)])
    assert planned.failures == ()
    assert (planned.steps[0].action, planned.steps[0].why) == (Action.UNTRIED, message)


async def test_an_immutable_field_is_refused_in_the_dry_run_and_recognised(client, discovery, namespace):
    await apply_staged(client, discovery, app(namespace))
    other = app(namespace)
    other[1]["spec"]["selector"]["matchLabels"] = {"app": "other"}
    other[1]["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    (failure,) = (await plan(client, discovery, other)).failures
    assert isinstance(failure.error, errors.ApiError)
    assert errors.immutable_fields(failure.error) == ("spec.selector",)
