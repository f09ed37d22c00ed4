"""Fields that are left to others keep their values, whoever owns them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.kube.ownership import leaves, left_to_live, owners, owns, pointer_of, tokens_of, without


def owned(*pointers: str) -> dict[str, Any]:
    """FieldsV1 of plain members, given as JSON pointers."""
    fields: dict[str, Any] = {}
    for pointer in pointers:
        node = fields
        for token in tokens_of(pointer):
            node = node.setdefault(token if token[:2] in {"k:", "v:"} else f"f:{token}", {})
    return fields


WEB = 'k:{"name":"web"}'
LIVE = {
    "spec": {
        "replicas": 4,
        "containers": [
            {"name": "sidecar", "image": "mesh:1"},
            {"name": "web", "image": "web:1", "args": ["a"]},
        ],
    }
}
DESIRED = {"spec": {"replicas": 1, "containers": [{"name": "web", "image": "web:2", "args": ["b"]}]}}
OURS = owned("/spec/replicas", f"/spec/containers/{WEB}/image", f"/spec/containers/{WEB}/args")
NOBODY: dict[str, Any] = {"f:none": {}}


def with_web(**changes: Any) -> dict[str, Any]:
    web = {**DESIRED["spec"]["containers"][0], **changes}
    return {"spec": {"replicas": 1, "containers": [{key: web[key] for key in web if web[key] is not None}]}}


TABLE: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]], dict[str, Any]]] = {
    "only ours: the live value": (
        "/spec/replicas",
        OURS,
        [],
        {"spec": {**DESIRED["spec"], "replicas": 4}},
    ),
    "somebody else's: not sent": (
        "/spec/replicas",
        NOBODY,
        [owned("/spec/replicas")],
        {"spec": {"containers": DESIRED["spec"]["containers"]}},
    ),
    "ours and somebody else's: not sent": (
        "/spec/replicas",
        OURS,
        [owned("/spec/replicas")],
        {"spec": {"containers": DESIRED["spec"]["containers"]}},
    ),
    "nobody's, as a default is: not sent": (
        "/spec/replicas",
        NOBODY,
        [],
        {"spec": {"containers": DESIRED["spec"]["containers"]}},
    ),
    "in a list whose elements have names": (
        "/spec/containers/1/image",
        OURS,
        [],
        with_web(image="web:1"),
    ),
    "in a list whose elements have names, somebody else's": (
        "/spec/containers/1/image",
        NOBODY,
        [owned(f"/spec/containers/{WEB}/image")],
        with_web(image=None),
    ),
    "an element that others added": (
        "/spec/containers/0",
        OURS,
        [owned('/spec/containers/k:{"name":"sidecar"}/image')],
        DESIRED,
    ),
    "what is not there": ("/spec/nothing/here", OURS, [], DESIRED),
    "a place beyond the list": ("/spec/containers/7/image", OURS, [], DESIRED),
    "everything, of which a part is ours": (
        "/spec",
        OURS,
        [owned("/spec/replicas")],
        with_web(image="web:1", args=["a"]) | {},
    ),
}


@pytest.mark.parametrize(("pointer", "ours", "others", "expected"), TABLE.values(), ids=TABLE)
def test_what_is_sent(pointer, ours, others, expected):
    made = left_to_live(DESIRED, LIVE, tokens_of(pointer), ours, others)
    if pointer == "/spec":
        expected = {"spec": {"containers": expected["spec"]["containers"]}}
    assert made == expected


def test_a_manager_keeps_its_fields_and_we_the_keys_of_the_elements():
    fields = owned("/spec/replicas", f"/spec/containers/{WEB}/image", f"/spec/containers/{WEB}/name")
    assert without(DESIRED, fields) == {"spec": {"containers": [{"name": "web", "args": ["b"]}]}}


def test_a_manager_of_the_whole_list_keeps_it():
    assert without(DESIRED, owned("/spec/containers")) == {"spec": {"replicas": 1}}


def test_a_key_that_is_left_out_has_its_default():
    port = 'k:{"containerPort":80,"protocol":"TCP"}'
    desired = {"ports": [{"containerPort": 80, "hostPort": 1}]}
    assert without(desired, owned(f"/ports/{port}/hostPort")) == {"ports": [{"containerPort": 80}]}


@pytest.mark.parametrize(
    ("pointer", "held"),
    [
        ("/spec/replicas", True),
        ("/spec/containers/1/image", True),
        ("/spec/containers/1/args/0", True),
        ("/spec/containers/0/image", False),
        ("/spec/paused", False),
        ("/spec", True),
    ],
)
def test_whose_a_field_is(pointer, held):
    assert owns(OURS, LIVE, tokens_of(pointer)) == held


def test_leaves_are_counted_as_in_the_live_object():
    found = {pointer_of(tokens) for tokens in leaves(DESIRED, LIVE, [OURS])}
    assert found == {
        "/spec/replicas",
        "/spec/containers/1/name",
        "/spec/containers/1/image",
        "/spec/containers/1/args",
    }


def test_owners_are_read_whole():
    entry = {"manager": "a", "operation": "Update", "subresource": "scale", "fieldsV1": OURS}
    (found,) = owners({"metadata": {"managedFields": [entry]}})
    assert (found.manager, found.subresource, found.fields) == ("a", "scale", OURS)


@given(st.lists(st.text(max_size=4), max_size=4).map(tuple))
def test_a_pointer_is_taken_apart_and_put_together(tokens):
    assert tokens_of(pointer_of(tokens)) == tokens


NAMES = st.sampled_from(["a", "b", "c"])
MAPS = st.dictionaries(NAMES, st.sampled_from(["1", "2"]))


@given(MAPS, MAPS, st.sets(NAMES), st.sets(NAMES), st.sets(NAMES))
def test_what_is_left_alone_is_as_it_was_after_the_apply(live, desired, ours, theirs, ignored):
    """By a model of server-side apply: what the applier alone owned and does not send is deleted."""
    ours, theirs = ours & live.keys(), theirs & live.keys()
    mine = owned(*(f"/data/{name}" for name in sorted(ours))) or NOBODY
    others = [owned(*(f"/data/{name}" for name in sorted(theirs)))] if theirs else []
    made: Any = {"data": desired}
    for name in sorted(ignored):
        made = left_to_live(made, {"data": live}, ("data", name), mine, others)
    sent = made.get("data", {})
    after = {name: value for name, value in live.items() if name in sent or name not in ours - theirs} | sent
    assert {name: after.get(name) for name in ignored} == {name: live.get(name) for name in ignored}
    assert {name: sent.get(name) for name in desired.keys() - ignored} == {
        name: desired[name] for name in desired.keys() - ignored
    }
    assert json.dumps(made)
