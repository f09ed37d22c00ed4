import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.kube.resources import CONFIG_MAPS, NAMESPACES, ResourceType, split_api_version

ROLES = ResourceType("rbac.authorization.k8s.io", "v1", "roles", "Role")


@pytest.mark.parametrize(
    ("resource", "arguments", "path"),
    [
        (CONFIG_MAPS, {}, "/api/v1/configmaps"),
        (CONFIG_MAPS, {"namespace": "a"}, "/api/v1/namespaces/a/configmaps"),
        (CONFIG_MAPS, {"namespace": "a", "name": "b"}, "/api/v1/namespaces/a/configmaps/b"),
        (NAMESPACES, {"name": "a"}, "/api/v1/namespaces/a"),
        (
            NAMESPACES,
            {"namespace": "ignored", "name": "a", "subresource": "status"},
            "/api/v1/namespaces/a/status",
        ),
        (
            ROLES,
            {"namespace": "a", "name": "x:y/z"},
            "/apis/rbac.authorization.k8s.io/v1/namespaces/a/roles/x%3Ay%2Fz",
        ),
    ],
)
def test_paths(resource, arguments, path):
    assert resource.path(**arguments) == path


@given(st.text(min_size=1).filter(lambda name: name not in {".", ".."}))
def test_a_name_stays_one_segment_whatever_it_is(name):
    try:
        path = ROLES.path("a", name)
    except UnicodeEncodeError:
        return
    prefix, _, segment = path.rpartition("/")
    assert prefix == ROLES.path("a")
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]+", segment)
    assert unquote(segment) == name


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_would_climb_is_refused(name):
    with pytest.raises(ValueError, match="cannot be the name"):
        ROLES.path("a", name)


def test_one_object_of_a_namespaced_kind_needs_its_namespace():
    with pytest.raises(ValueError, match="a namespace is needed"):
        CONFIG_MAPS.path(None, "a")


@pytest.mark.parametrize(("text", "parts"), [("v1", ("", "v1")), ("apps/v1", ("apps", "v1"))])
def test_api_versions_split(text, parts):
    assert split_api_version(text) == parts


def test_verbs_do_not_make_another_resource():
    assert ResourceType("", "v1", "pods", "Pod", verbs=("get",)) == ResourceType("", "v1", "pods", "Pod")
    assert ROLES.group_resource == "roles.rbac.authorization.k8s.io"
