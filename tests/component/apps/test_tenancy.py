"""An AppRelease can do what its account can, and nothing more."""

from typing import Any

import pytest

from pierhead.kube.resources import APP_RELEASES, CONFIG_MAPS, NAMESPACES, SECRETS, ResourceType
from support.app_sources import chart_files
from support.objects import credentials_of
from support.release_controller import Running
from support.releases import Releases, because, condition, config_map, inline

CLUSTER_ROLES = ResourceType(
    "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False
)
ROLES = ResourceType("rbac.authorization.k8s.io", "v1", "roles", "Role")
ACCOUNTS = ResourceType("", "v1", "serviceaccounts", "ServiceAccount")


def account(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


@pytest.fixture
def untrusted(sandbox, namespace, app_releases_served, kube) -> Releases:
    """Releases of a namespace whose default account may do nothing."""
    return Releases(kube, namespace)


@pytest.fixture
async def running(sandbox, namespace, settings, renderer, app_releases_served):
    """Starts a controller for the namespace with other settings."""
    started: list[Running] = []

    async def start(**changes: Any) -> Running:
        made = Running(credentials_of(sandbox), namespace, settings.model_copy(update=changes), renderer)
        started.append(await made.start())
        return made

    yield start
    for made in started:
        await made.stop()


def grant(sandbox, namespace: str, name: str, role: str = "admin") -> None:
    """Makes an account with these rights in its namespace."""
    sandbox.kubectl("create", "serviceaccount", name, "-n", namespace)
    bind(sandbox, namespace, name, role)


def bind(sandbox, namespace: str, name: str, role: str = "admin") -> None:
    sandbox.kubectl(
        "create",
        "rolebinding",
        name,
        "-n",
        namespace,
        f"--clusterrole={role}",
        f"--serviceaccount={namespace}:{name}",
    )


async def test_an_account_without_rights_is_named(running, untrusted):
    await running()
    await untrusted.apply({"source": inline(config_map())})
    refused = await untrusted.until(because("Forbidden"))
    assert (
        f'User "{account(untrusted.namespace, "default")}" cannot patch resource "configmaps"'
        in (condition(refused)["message"])
    )
    assert condition(refused, "Stalled")["status"] == "True"
    assert not await untrusted.exists(CONFIG_MAPS, "one")


async def test_a_right_that_is_given_later_is_noticed(running, untrusted, sandbox):
    await running()
    await untrusted.apply({"source": inline(config_map())})
    await untrusted.until(because("Forbidden"))
    bind(sandbox, untrusted.namespace, "default")
    await untrusted.until()


async def test_the_account_that_the_release_names_acts(running, untrusted, sandbox):
    await running()
    grant(sandbox, untrusted.namespace, "deployer")
    await untrusted.apply({"source": inline(config_map()), "serviceAccountName": "deployer"})
    await untrusted.until()
    who = {
        event["impersonatedUser"]["username"]
        for event in sandbox.audit_events(f"pierhead-{untrusted.namespace}")
        if event.get("impersonatedUser")
    }
    assert who == {account(untrusted.namespace, "deployer")}


async def test_an_account_that_does_not_exist_is_named(running, untrusted):
    await running()
    await untrusted.apply({"source": inline(config_map()), "serviceAccountName": "nobody"})
    refused = await untrusted.until(because("Forbidden"))
    assert account(untrusted.namespace, "nobody") in condition(refused)["message"]


async def test_every_write_but_that_of_the_app_release_is_made_as_the_account(
    controller, releases, sandbox, tenant
):
    await releases.apply({"source": inline(config_map(a="1"), config_map("two"))})
    await releases.until()
    await releases.apply({"source": inline(config_map(a="2"))})
    await releases.until()
    await releases.delete()
    await releases.gone()
    own = {
        (event["verb"], event["objectRef"]["resource"])
        for event in sandbox.audit_events(f"pierhead-{tenant}")
        if not event.get("impersonatedUser")
        and "objectRef" in event
        and event["verb"] not in {"get", "list", "watch"}
    }
    assert {resource for _, resource in own} <= {"appreleases"}


async def test_another_account_by_default(running, untrusted, sandbox):
    await running(default_service_account="releaser")
    grant(sandbox, untrusted.namespace, "releaser")
    await untrusted.apply({"source": inline(config_map())})
    await untrusted.until()


async def test_the_operators_own_rights_are_an_admins_choice(running, untrusted):
    await running(operator_identity_namespaces=(untrusted.namespace,))
    await untrusted.apply({"source": inline(config_map())})
    await untrusted.until()


async def test_who_names_an_account_has_its_rights_even_where_the_operators_would_do(
    running, untrusted, sandbox
):
    await running(operator_identity_namespaces=(untrusted.namespace,))
    sandbox.kubectl("create", "serviceaccount", "weak", "-n", untrusted.namespace)
    await untrusted.apply({"source": inline(config_map()), "serviceAccountName": "weak"})
    refused = await untrusted.until(because("Forbidden"))
    assert account(untrusted.namespace, "weak") in condition(refused)["message"]


@pytest.mark.parametrize(
    ("obj", "told"),
    [
        (
            {**config_map(), "metadata": {"name": "one", "namespace": "default"}},
            'in the namespace "default"',
        ),
        (
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "pierhead-test-everything"},
                "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
            },
            'cannot patch resource "clusterroles"',
        ),
        (
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": {"name": "nodes"},
                "rules": [{"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["*"]}],
            },
            "attempting to grant RBAC permissions not currently held",
        ),
        (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pierhead-test-mine"}},
            'cannot patch resource "namespaces"',
        ),
    ],
    ids=["another namespace", "the cluster", "more rights than its own", "a namespace"],
)
async def test_what_the_account_may_not_is_refused(controller, releases, obj, told):
    await releases.apply({"source": inline(config_map("own"), obj)})
    refused = await releases.until(because("Forbidden"))
    assert told in condition(refused)["message"]
    assert not await releases.exists(CONFIG_MAPS, "own")
    assert await releases.history() == []


async def test_a_template_looks_up_what_the_account_may_see(controller, releases):
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: found}\n"
        'data: {phase: "{{ (lookup "v1" "ConfigMap" "NAMESPACE" "seen").data.a }}"}\n'
    )
    await releases.apply({"source": inline(config_map("seen", a="yes"))}, name="first")
    await releases.until(name="first")
    files = chart_files(found=template.replace("NAMESPACE", releases.namespace))
    await releases.apply({"source": {"inline": {"files": files}}, "helm": {}})
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "found"))["data"] == {"phase": "yes"}
    elsewhere = chart_files(found=template.replace("NAMESPACE", "kube-system"))
    await releases.apply({"source": {"inline": {"files": elsewhere}}, "helm": {}})
    refused = await releases.until(because("Forbidden"))
    told = condition(refused)["message"]
    assert told.startswith("spec.helm: the chart looks up ConfigMap kube-system/seen: ")
    assert 'in the namespace "kube-system"' in told


async def test_values_are_read_as_the_account(running, untrusted, sandbox):
    """Whoever may write an AppRelease reads no Secret with it that its account may not read."""
    await running()
    grant(sandbox, untrusted.namespace, "viewer", "view")
    sandbox.kubectl(
        "create", "secret", "generic", "mine", "-n", untrusted.namespace, "--from-literal=k=hunter2"
    )
    await untrusted.apply(
        {
            "source": {"inline": {"files": chart_files()}},
            "helm": {"valuesFrom": [{"secret": {"name": "mine", "key": "k"}}]},
            "serviceAccountName": "viewer",
        }
    )
    refused = await untrusted.until(because("Forbidden"))
    assert "hunter2" not in str(refused)
    assert condition(refused)["message"].startswith("spec.helm.valuesFrom[0].secret: get secrets")


async def test_an_account_that_loses_its_rights_keeps_the_finalizer(controller, releases, sandbox):
    """What it made is still there, and nobody else is to delete it."""
    await releases.apply({"source": inline(config_map())})
    await releases.until()
    sandbox.kubectl("delete", "rolebinding", "tenant", "-n", releases.namespace)
    await releases.delete()
    stuck = await releases.until(
        lambda obj: "deletionTimestamp" in obj["metadata"] and condition(obj).get("reason") == "Forbidden"
    )
    assert account(releases.namespace, "default") in condition(stuck)["message"]
    assert await releases.exists(CONFIG_MAPS, "one")
    bind(sandbox, releases.namespace, "default")
    await releases.gone(seconds=40)
    assert not await releases.exists(CONFIG_MAPS, "one")


async def test_a_namespace_that_is_deleted_takes_its_releases_along(controller, releases, kube):
    for name in ("one", "two"):
        await releases.apply({"source": inline(config_map(name))}, name=name)
        await releases.until(name=name)
    await kube.delete(NAMESPACES, releases.namespace)
    cluster = Releases(kube, None)
    await cluster.gone(releases.namespace, NAMESPACES, seconds=40)
    for resource in (APP_RELEASES, SECRETS):
        assert [item async for page in kube.pages(resource, releases.namespace) for item in page.items] == []


async def test_a_namespace_that_is_deleted_does_not_wait_for_a_release_that_never_was(
    running, untrusted, kube
):
    await running()
    await untrusted.apply({"source": inline(config_map())})
    await untrusted.until(because("Forbidden"))
    await kube.delete(NAMESPACES, untrusted.namespace)
    await Releases(kube, None).gone(untrusted.namespace, NAMESPACES, seconds=40)
