import json

import pytest

from pierhead.engine.outcome import Conflict, Denied, Invalid, Transient
from pierhead.kube import errors
from pierhead.kube.client import Client
from pierhead.kube.credentials import Identity
from pierhead.kube.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    ResourceType,
)
from support.objects import config_map

CLUSTER_ROLES = ResourceType(
    "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False
)


async def test_an_object_is_created_read_patched_replaced_and_deleted(kube, namespace):
    created = await kube.create(CONFIG_MAPS, config_map("a", namespace, key="1"))
    assert created["data"] == {"key": "1"}

    patched = await kube.merge_patch(CONFIG_MAPS, "a", namespace, {"data": {"other": "2", "key": None}})
    assert patched["data"] == {"other": "2"}

    replaced = await kube.replace(CONFIG_MAPS, patched | {"data": {"key": "3"}})
    assert (await kube.get(CONFIG_MAPS, "a", namespace))["data"] == {"key": "3"}

    with pytest.raises(errors.Conflict409):
        await kube.replace(CONFIG_MAPS, patched | {"data": {}})
    with pytest.raises(errors.Conflict409):
        await kube.delete(CONFIG_MAPS, "a", namespace, uid="another")
    with pytest.raises(errors.Conflict409):
        await kube.delete(
            CONFIG_MAPS, "a", namespace, resource_version=created["metadata"]["resourceVersion"]
        )
    assert await kube.delete(CONFIG_MAPS, "a", namespace, uid=replaced["metadata"]["uid"])
    with pytest.raises(errors.NotFound, match='configmaps "a" not found'):
        await kube.get(CONFIG_MAPS, "a", namespace)


async def test_deleting_what_is_gone_is_fine_and_what_is_held_is_told(kube, namespace):
    assert await kube.delete(CONFIG_MAPS, "never", namespace)
    held = config_map("held", namespace)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await kube.create(CONFIG_MAPS, held)
    assert not await kube.delete(CONFIG_MAPS, "held", namespace)
    await kube.merge_patch(CONFIG_MAPS, "held", namespace, {"metadata": {"finalizers": None}})
    assert await kube.delete(CONFIG_MAPS, "held", namespace)


@pytest.mark.parametrize("resource", [SERVICES, SERVICE_ACCOUNTS, CONFIG_MAPS, SECRETS])
async def test_what_is_deleted_at_once_is_told_to_be_gone(kube, namespace, resource):
    spec = {"spec": {"ports": [{"port": 80}]}} if resource == SERVICES else {}
    metadata = {"name": "a", "namespace": namespace}
    obj = {"apiVersion": "v1", "kind": resource.kind, "metadata": metadata, **spec}
    await kube.create(resource, obj)
    assert await kube.delete(resource, "a", namespace)
    held = {**obj, "metadata": {**metadata, "finalizers": ["example.com/hold"]}}
    await kube.create(resource, held)
    assert not await kube.delete(resource, "a", namespace)
    await kube.merge_patch(resource, "a", namespace, {"metadata": {"finalizers": None}})


async def test_a_name_with_a_colon_is_one_path_segment(kube):
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "example.com:a?b=c&d"},
        "rules": [],
    }
    await kube.create(CLUSTER_ROLES, role)
    try:
        found = await kube.get(CLUSTER_ROLES, "example.com:a?b=c&d")
        assert found["metadata"]["name"] == "example.com:a?b=c&d"
    finally:
        await kube.delete(CLUSTER_ROLES, "example.com:a?b=c&d")


async def test_pages_hold_the_whole_list_once_with_kinds(kube, namespace):
    for number in range(7):
        await kube.create(CONFIG_MAPS, config_map(f"m{number}", namespace, {"set": "x"}))
    pages = [page async for page in kube.pages(CONFIG_MAPS, namespace, label_selector="set=x", page_size=3)]
    names = [item["metadata"]["name"] for page in pages for item in page.items]
    assert sorted(names) == [f"m{number}" for number in range(7)]
    assert [page.first for page in pages] == [True, False, False]
    assert [page.last for page in pages] == [False, False, True]
    assert len({page.resource_version for page in pages}) == 1
    assert all(
        item["kind"] == "ConfigMap" and item["apiVersion"] == "v1" for page in pages for item in page.items
    )


async def test_metadata_only_leaves_the_rest_behind(kube, namespace):
    await kube.create(CONFIG_MAPS, config_map("slim", namespace, key="value"))
    found = await kube.get(CONFIG_MAPS, "slim", namespace, metadata_only=True)
    assert found["kind"] == "ConfigMap"
    assert "data" not in found
    pages = [page async for page in kube.pages(CONFIG_MAPS, namespace, metadata_only=True)]
    assert all("data" not in item for item in pages[0].items)


async def test_apply_tells_creation_from_update_and_a_dry_run_writes_nothing(kube, namespace):
    desired = config_map("applied", namespace, key="1")
    dry = await kube.apply_answer(CONFIG_MAPS, desired, dry_run=True)
    assert dry.created
    assert "resourceVersion" not in dry.object["metadata"]
    first = await kube.apply_answer(CONFIG_MAPS, desired)
    assert first.created
    assert first.date is not None
    second = await kube.apply_answer(CONFIG_MAPS, desired)
    assert not second.created
    assert second.object["metadata"]["resourceVersion"] == first.object["metadata"]["resourceVersion"]
    slim = await kube.apply_answer(CONFIG_MAPS, config_map("applied", namespace, key="2"), metadata_only=True)
    assert "data" not in slim.object
    assert slim.object["metadata"]["resourceVersion"] != first.object["metadata"]["resourceVersion"]


async def test_apply_without_force_names_the_other_manager(kube, namespace):
    await kube.apply(CONFIG_MAPS, config_map("shared", namespace, key="1"), field_manager="other")
    with pytest.raises(errors.FieldConflict) as caught:
        await kube.apply(CONFIG_MAPS, config_map("shared", namespace, key="2"), force=False)
    assert caught.value.terminal
    assert [(cause.field, "other" in cause.message) for cause in caught.value.causes] == [(".data.key", True)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dota": {}}, ".dota: field not declared in schema"),
        ({"data": {"key": 1}}, ".data.key: expected string"),
        ({"binaryData": {"key": "not base64!"}}, "illegal base64"),
        ({"data": {"a b": "x"}}, "data[a b]: Invalid value"),
    ],
)
async def test_what_the_schema_refuses_is_invalid_not_a_server_error(kube, namespace, changes, expected):
    with pytest.raises(errors.Rejected) as caught:
        await kube.apply(CONFIG_MAPS, config_map("bad", namespace) | changes, dry_run=True)
    assert expected in caught.value.message
    assert isinstance(caught.value, Invalid)


async def test_causes_keep_their_field_paths(kube, namespace):
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bad", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "c"}}, "spec": {"containers": []}},
        },
    }
    with pytest.raises(errors.Rejected) as caught:
        await kube.apply(DEPLOYMENTS, deployment)
    assert {cause.field for cause in caught.value.causes} == {
        "spec.template.metadata.labels",
        "spec.template.spec.containers",
    }
    assert caught.value.message.startswith('Deployment.apps "bad" is invalid')


SECRET_VALUE = "hunter2-super-secret"


@pytest.mark.parametrize(
    "secret",
    [
        {"data": {"password": SECRET_VALUE + "!"}},
        {"data": {"password": [SECRET_VALUE]}},
        {"stringData": {SECRET_VALUE[:3] + " x": SECRET_VALUE}},
        {"type": "kubernetes.io/tls", "stringData": {"other": SECRET_VALUE}},
        {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": SECRET_VALUE}},
        {"immutable": SECRET_VALUE},
        {"metadata": {"labels": {"value": SECRET_VALUE + "!"}}},
    ],
)
async def test_an_error_about_a_secret_never_repeats_a_value(kube, namespace, secret):
    metadata = secret.get("metadata", {}) | {"name": "s", "namespace": namespace}
    obj = {"apiVersion": "v1", "kind": "Secret", **secret, "metadata": metadata}
    for attempt in (kube.apply, kube.create):
        with pytest.raises(errors.Rejected) as caught:
            await attempt(SECRETS, obj)
        error = caught.value
        parts = (str(error), repr(error), error.args, error.causes, error.details)
        told = str((*parts, error.__cause__, error.__context__))
        assert SECRET_VALUE not in told
        assert f"secrets {namespace}/s" in error.message


async def test_a_redacted_refusal_still_names_the_field(kube, namespace):
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}}
    with pytest.raises(errors.Rejected, match=r"Invalid \(data\[a b\]\)"):
        await kube.apply(SECRETS, obj | {"data": {"a b": "dmFsdWU="}})


async def test_immutable_fields_are_recognised_and_nothing_else_is(kube, namespace, widgets):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"ports": [{"port": 80}]},
    }
    await kube.apply(SERVICES, service)
    with pytest.raises(errors.Rejected) as caught:
        await kube.apply(SERVICES, service | {"spec": {"ports": [{"port": 99999}]}})
    assert errors.immutable_fields(caught.value) == ()

    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b", "c": "d"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }
    await kube.apply(DEPLOYMENTS, deployment)
    changed = json.loads(json.dumps(deployment))
    changed["spec"]["selector"]["matchLabels"] = {"c": "d"}
    with pytest.raises(errors.Rejected) as caught:
        await kube.apply(DEPLOYMENTS, changed)
    assert errors.immutable_fields(caught.value) == ("spec.selector",)
    changed["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Sometimes"
    with pytest.raises(errors.Rejected) as caught:
        await kube.apply(DEPLOYMENTS, changed)
    assert errors.immutable_fields(caught.value) == ()

    widget = {
        "apiVersion": widgets.api_version,
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": namespace},
    }
    await kube.apply(widgets, widget | {"spec": {"fixed": "a"}})
    with pytest.raises(errors.Rejected) as caught:
        await kube.apply(widgets, widget | {"spec": {"fixed": "b"}})
    assert errors.immutable_fields(caught.value) == ("spec.fixed",)


async def test_a_missing_namespace_and_a_kind_nobody_serves_are_told_apart(kube, namespace):
    with pytest.raises(errors.NotFound) as caught:
        await kube.create(CONFIG_MAPS, config_map("a", "no-such-namespace"))
    assert caught.value.namespace_missing
    assert not isinstance(caught.value, errors.KindNotServed)
    with pytest.raises(errors.KindNotServed):
        await kube.get(ResourceType("nobody.example.com", "v1", "things", "Thing"), "a", namespace)
    assert issubclass(errors.NotFound, Transient)


async def test_creating_twice_is_a_conflict(kube, namespace):
    await kube.create(CONFIG_MAPS, config_map("twice", namespace))
    with pytest.raises(errors.AlreadyExists) as caught:
        await kube.create(CONFIG_MAPS, config_map("twice", namespace))
    assert isinstance(caught.value, Conflict)


async def test_an_impersonated_view_has_the_accounts_rights_and_its_groups(kube: Client, namespace):
    identity = Identity(namespace, "default")
    view = kube.impersonating(identity)
    assert view.identity == identity
    with pytest.raises(errors.Forbidden, match=f"system:serviceaccount:{namespace}:default") as caught:
        await view.get(CONFIG_MAPS, "a", namespace)
    assert isinstance(caught.value, Denied)
    review = ResourceType(
        "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
    )
    body = {"apiVersion": review.api_version, "kind": review.kind, "metadata": {}}
    answer = await view.create(review, body)
    assert answer["status"]["userInfo"]["username"] == identity.user
    assert set(answer["status"]["userInfo"]["groups"]) == {
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    }
    assert kube.impersonating(None).identity is None


async def test_a_forbidden_secret_names_who_asked(kube, namespace):
    view = kube.impersonating(Identity(namespace, "default"))
    with pytest.raises(errors.Forbidden, match=f"get secrets {namespace}/s as system:serviceaccount"):
        await view.get(SECRETS, "s", namespace)


async def test_a_patch_whose_expectation_fails_is_a_conflict(kube, namespace):
    await kube.create(CONFIG_MAPS, config_map("patched", namespace, key="1"))
    for operations in (
        [{"op": "test", "path": "/data/key", "value": "2"}],
        [{"op": "remove", "path": "/data/none"}],
        [{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}],
    ):
        with pytest.raises(errors.Conflict409):
            await kube.json_patch(CONFIG_MAPS, "patched", namespace, operations)
    bad = [{"op": "add", "path": "/data/a b", "value": "x"}]
    with pytest.raises(errors.Rejected):
        await kube.json_patch(CONFIG_MAPS, "patched", namespace, bad)


async def test_a_subresource_can_be_posted_to(kube, namespace):
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": ["sts.amazonaws.com"]},
    }
    answer = await kube.create_subresource(SERVICE_ACCOUNTS, "default", namespace, "token", request)
    assert answer["status"]["token"]


async def test_a_big_list_is_decoded_whole(kube, namespace):
    blob = "x" * 100_000
    for number in range(6):
        await kube.create(CONFIG_MAPS, config_map(f"big{number}", namespace, {"big": "yes"}, blob=blob))
    pages = [page async for page in kube.pages(CONFIG_MAPS, namespace, label_selector="big=yes")]
    assert [len(item["data"]["blob"]) for item in pages[0].items] == [100_000] * 6
