"""Objects made ready to be applied: marked, checked, and without what an autoscaler decides."""

import copy

import pytest

from pierhead.apps.objects.ownership import belongs, check, owned, scaled_by_others
from pierhead.engine.outcome import Invalid


def workload(name="web", kind="Deployment", namespace=None, **spec):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"replicas": 3, **spec}}


def scaler(name="web", kind="Deployment", namespace=None):
    metadata = {"name": "scaler"} | ({"namespace": namespace} if namespace else {})
    target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {"scaleTargetRef": target, "maxReplicas": 5},
    }


def test_owned_objects_carry_helms_marks_and_ours_and_keep_their_own():
    obj = workload()
    obj["metadata"] |= {"labels": {"team": "a"}, "annotations": {"note": "x"}}
    before = copy.deepcopy(obj)
    (made,) = owned([obj], release="shop", namespace="team-a")
    assert made["metadata"]["labels"] == {
        "team": "a",
        "app.kubernetes.io/managed-by": "Helm",
        "pierhead.dev/apprelease": "shop",
    }
    assert made["metadata"]["annotations"] == {
        "note": "x",
        "meta.helm.sh/release-name": "shop",
        "meta.helm.sh/release-namespace": "team-a",
    }
    assert belongs(made, release="shop", namespace="team-a")
    assert obj == before


@pytest.mark.parametrize(("release", "namespace"), [("other", "team-a"), ("shop", "team-b")])
def test_an_object_belongs_to_one_release_of_one_namespace(release, namespace):
    (made,) = owned([workload()], release="shop", namespace="team-a")
    assert not belongs(made, release=release, namespace=namespace)


def test_an_object_without_marks_belongs_to_nobody():
    assert not belongs({"metadata": {"name": "x", "annotations": None}}, release="", namespace="")


def test_marks_do_not_move_with_a_second_marking():
    once = owned([workload()], release="shop", namespace="team-a")
    assert owned(once, release="shop", namespace="team-a") == once


@pytest.mark.parametrize(
    ("objects", "kept"),
    [
        ([workload()], True),
        ([workload(), scaler()], False),
        ([scaler(), workload()], False),
        ([workload(), scaler("other")], True),
        ([workload(kind="StatefulSet"), scaler(kind="Deployment")], True),
        ([workload(kind="StatefulSet"), scaler(kind="StatefulSet")], False),
        ([workload(namespace="a"), scaler(namespace="b")], True),
        ([workload(namespace="a"), scaler(namespace="a")], False),
    ],
)
def test_replicas_are_left_to_an_autoscaler_of_the_same_release(objects, kept):
    given = copy.deepcopy(objects)
    made = next(obj for obj, _ in scaled_by_others(objects) if obj["kind"] != "HorizontalPodAutoscaler")
    assert ("replicas" in made["spec"]) is kept
    assert objects == given


@pytest.mark.parametrize(
    ("obj", "told"),
    [
        ({"apiVersion": "v1", "kind": "List", "items": []}, "documents of their own"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}}, "no metadata.name"),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "no metadata.name"),
    ],
)
def test_what_no_release_can_have_is_refused(obj, told):
    with pytest.raises(Invalid, match=told) as raised:
        check([workload(), obj])
    assert raised.value.reason == "InvalidManifest"


def test_a_kind_whose_name_ends_in_list_is_none():
    check([{"apiVersion": "x.io/v1", "kind": "AllowList", "metadata": {"name": "x"}, "spec": {}}])
