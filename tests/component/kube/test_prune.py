"""Pruning on the real API server: what is deleted, what is left, and what is still there."""

import pytest

from pierhead.kube import errors
from pierhead.kube.apply import apply_staged
from pierhead.kube.inventory import Entry
from pierhead.kube.prune import owned_by, prune
from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS, SERVICES
from support.objects import OWNER, app, config_map
from support.proxy import status_body


async def installed(client, discovery, namespace):
    result = await apply_staged(client, discovery, app(namespace))
    assert result.failures == ()
    return [done.entry for done in result.applied]


async def test_pruning_deletes_in_reverse_and_proves_it(client, proxy, discovery, namespace):
    stale = await installed(client, discovery, namespace)
    proxy.requests.clear()
    pruned = await prune(client, discovery, stale, owned=owned_by(labels=OWNER))
    assert [entry.kind for entry in pruned.gone] == ["Ingress", "Deployment", "Service", "ServiceAccount"]
    assert pruned.remaining == ()
    assert proxy.count("delete") == 4
    again = await prune(client, discovery, stale, owned=owned_by(labels=OWNER))
    assert set(again.gone) == set(stale)
    assert proxy.count("delete") == 4


async def test_what_is_not_ours_or_to_be_kept_is_released_and_not_deleted(
    client, proxy, discovery, namespace, kube
):
    stale = await installed(client, discovery, namespace)
    keep = {"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}
    await kube.merge_patch(SERVICES, "web", namespace, keep)
    theirs = {"metadata": {"labels": {"example.com/owner": "you"}}}
    await kube.merge_patch(DEPLOYMENTS, "web", namespace, theirs)
    pruned = await prune(client, discovery, stale, owned=owned_by(labels=OWNER))
    assert {entry.kind for entry in pruned.released} == {"Service", "Deployment"}
    assert {entry.kind for entry in pruned.gone} == {"Ingress", "ServiceAccount"}
    assert proxy.count("delete") == 2
    await kube.get(SERVICES, "web", namespace)


async def test_a_held_object_survives_until_it_is_gone(client, discovery, namespace, kube):
    held = config_map("held", namespace, dict(OWNER))
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await kube.create(CONFIG_MAPS, held)
    entry = Entry.of(held)
    for _ in range(2):
        pruned = await prune(client, discovery, [entry], owned=owned_by(labels=OWNER))
        assert pruned.remaining == (entry,)
        assert pruned.errors == ()
    await kube.merge_patch(CONFIG_MAPS, "held", namespace, {"metadata": {"finalizers": None}})
    pruned = await prune(client, discovery, [entry], owned=owned_by(labels=OWNER))
    assert pruned.gone == (entry,)


async def test_an_object_made_anew_meanwhile_is_judged_anew(client, proxy, discovery, namespace, kube):
    await kube.create(CONFIG_MAPS, config_map("a", namespace, dict(OWNER)))

    async def swap(_request):
        await kube.delete(CONFIG_MAPS, "a", namespace)
        await kube.create(CONFIG_MAPS, config_map("a", namespace, {"example.com/owner": "you"}))

    proxy.fail(verb="delete", action=swap, passes=True)
    entry = Entry.of(config_map("a", namespace))
    pruned = await prune(client, discovery, [entry], owned=owned_by(labels=OWNER))
    assert pruned.released == (entry,)
    assert (await kube.get(CONFIG_MAPS, "a", namespace))["metadata"]["labels"]["example.com/owner"] == "you"


async def test_a_refused_delete_survives_with_its_error(client, proxy, discovery, namespace, kube):
    await kube.create(CONFIG_MAPS, config_map("a", namespace, dict(OWNER)))
    entry = Entry.of(config_map("a", namespace))
    proxy.fail(verb="delete", status=403, body=status_body(403, "Forbidden", "no"))
    pruned = await prune(client, discovery, [entry], owned=owned_by(labels=OWNER))
    assert [str(survivor.error) for survivor in pruned.errors] == ["no"]
    assert pruned.remaining == (entry,)


async def test_definitions_are_never_deleted_and_objects_of_kinds_that_are_gone_are_gone(
    client, proxy, discovery, namespace
):
    stale = [
        Entry("apiextensions.k8s.io", "CustomResourceDefinition", "", "widgets.example.com", "v1"),
        Entry("gone.example.com", "Widget", namespace, "w", "v1"),
    ]
    pruned = await prune(client, discovery, stale, owned=owned_by())
    assert pruned.released == (stale[0],)
    assert pruned.gone == (stale[1],)
    assert proxy.requests == []


async def test_a_retired_version_does_not_hide_the_object(client, discovery, namespace, kube):
    await kube.create(CONFIG_MAPS, config_map("a", namespace, dict(OWNER)))
    entry = Entry("", "ConfigMap", namespace, "a", "v1beta1")
    pruned = await prune(client, discovery, [entry], owned=owned_by(labels=OWNER))
    assert pruned.gone == (entry,)
    with pytest.raises(errors.NotFound):
        await kube.get(CONFIG_MAPS, "a", namespace)
