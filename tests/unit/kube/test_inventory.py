import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.kube.inventory import Entry, difference, union
from pierhead.kube.order import FIRST, INSTALL_ORDER, rank, stages, uninstall_stages

labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
groups = st.just("") | st.lists(labels, min_size=1, max_size=3).map(".".join)
names = st.text(st.characters(exclude_characters="/%", exclude_categories=["Cs"]), min_size=1)
kinds = st.sampled_from(
    ["Deployment", "Service", "ClusterRole", "Widget", "CustomResourceDefinition", "Zebra"]
)
entries = st.builds(Entry, groups, kinds, st.just("") | labels, names, labels)


@given(entries)
def test_an_entry_survives_being_text(entry):
    parsed = Entry.parse(str(entry))
    assert parsed == entry
    assert parsed.version == entry.version


def test_the_text_is_as_flux_has_it_with_the_version():
    entry = Entry("apps", "Deployment", "shop", "web", "v1")
    assert str(entry) == "shop_web_apps_Deployment_v1"
    assert entry.label == "Deployment shop/web"
    role = Entry("rbac.authorization.k8s.io", "ClusterRole", "", "system:my_role", "v1")
    assert str(role) == "_system:my_role_rbac.authorization.k8s.io_ClusterRole_v1"
    assert role.label == "ClusterRole system:my_role"
    assert Entry("", "Secret", "a", "b", "v1").api_version == "v1"


@pytest.mark.parametrize("text", ["", "a", "a_b", "a_b_c_d"])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="not an inventory entry"):
        Entry.parse(text)


def test_an_object_is_its_own_entry():
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    assert Entry.of(obj) == Entry("apps", "Deployment", "shop", "web", "v1")
    assert Entry.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}).namespace == ""


def test_a_newer_version_is_the_same_object():
    old, new = Entry("g", "K", "n", "a", "v1"), Entry("g", "K", "n", "a", "v2")
    assert difference([old], [new]) == ()
    assert [entry.version for entry in union([old], [new])] == ["v2"]


@given(st.lists(entries), st.lists(entries))
def test_union_and_difference_are_those_of_sets(one, other):
    assert set(union(one, other)) == {*one, *other}
    assert set(difference(one, other)) == {*one} - {*other}
    assert list(union(one, other)) == sorted({*one, *other})
    assert not {*difference(one, other)} & {*other}


@given(st.lists(entries, unique=True))
def test_stages_keep_every_object_once_and_uninstalling_is_the_reverse(some):
    found = stages(some)
    assert sorted(entry for stage in found for entry in stage) == sorted(some)
    assert all(len({entry.kind for entry in stage}) == 1 for stage in found)
    assert uninstall_stages(some) == found[::-1]


def test_what_others_need_comes_first_then_helms_order_then_the_unknown():
    kinds = ["Zebra", "Ingress", "Deployment", "Service", "ClusterRole", "Apple", "Namespace", "Secret"]
    kinds += ["CustomResourceDefinition", "PriorityClass", "ValidatingWebhookConfiguration", "RoleBinding"]
    assert sorted(kinds, key=rank) == [
        *("CustomResourceDefinition", "Namespace", "ClusterRole", "PriorityClass", "Secret", "RoleBinding"),
        *("Service", "Deployment", "Ingress", "ValidatingWebhookConfiguration", "Apple", "Zebra"),
    ]


def test_the_rest_is_exactly_helms_order():
    rest = [kind for kind in INSTALL_ORDER if kind not in FIRST]
    assert sorted(rest, key=rank) == rest
