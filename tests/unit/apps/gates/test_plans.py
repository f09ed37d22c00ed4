"""What a plan shows: bounded, and nothing of Secrets."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from pierhead.apps.gates.plans import (
    DIFF_LIMIT,
    PLAN_LIMIT,
    Masks,
    described,
    difference,
    hooks_told,
    masks_of,
)
from pierhead.kube.inventory import Entry
from pierhead.kube.plan import Action, Step

NO_MASKS = Masks()


def config(**data: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "one", "namespace": "shop"},
        "data": data,
    }


def secret(annotations: dict | None = None, **data: str) -> dict:
    metadata = {"name": "one", "namespace": "shop", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def step(obj: dict, action: Action, live: dict | None = None, **more) -> Step:
    return Step(Entry.of(obj), obj, None, "", action, answer=obj, live=live, **more)


def test_a_difference_is_a_unified_one():
    assert difference(config(a="1", b="2"), config(a="1", b="3"), NO_MASKS) == (
        "@@ -2,5 +2,5 @@\n data:\n   a: '1'\n-  b: '2'\n+  b: '3'\n kind: ConfigMap\n metadata:"
    )


def test_a_secret_shows_which_values_change_and_none_of_them():
    last = {"kubectl.kubernetes.io/last-applied-configuration": '{"data": {"old": "b2xk"}}'}
    text = difference(
        secret(last, same="c2FtZQ==", old="b2xk"), secret(same="c2FtZQ==", old="bmV3", more="eA=="), NO_MASKS
    )

    assert text is not None
    assert "-  old: '*** (before)'" in text
    assert "+  old: '*** (after)'" in text
    assert "+  more: '***'" in text
    assert not [value for value in ("c2FtZQ", "b2xk", "bmV3", "eA==", "last-applied") if value in text]


def test_values_of_secrets_are_masked_in_other_objects():
    before = {"password": "hunter-one", "replicas": 3, "image": {"tag": "v1.0"}, "same": "stays"}
    after = {"password": "hunter-two", "replicas": 3, "image": {"tag": "v1.0"}, "same": "stays"}
    masks = masks_of({"hunter-two"}, after, before)
    text = difference(
        config(url="db://u:hunter-one@db", tag="v1.0 stays"),
        config(url="db://u:hunter-two@db", tag="v1.1 stays"),
        masks,
    )

    assert text is not None
    assert "hunter" not in text
    assert "-  tag: v1.0 stays" in text


def test_a_value_that_is_gone_is_masked_where_the_revision_before_had_secrets():
    masks = masks_of((), {}, {"db": {"password": "hunter-one"}})

    assert "hunter" not in (difference(config(url="hunter-one"), config(), masks) or "")
    assert masks_of((), {}, None)("hunter-one") == "hunter-one"


def test_the_objects_of_a_plan():
    steps = [
        step(config(a="1"), Action.UPDATE, live=config(a="0"), changes=("/data/a",)),
        step({**config(a="1"), "metadata": {"name": "new"}}, Action.CREATE),
        step({**config(), "metadata": {"name": "same"}}, Action.NOTHING),
        step({**config(), "metadata": {"name": "later"}}, Action.UNTRIED, why="its kind is new"),
    ]
    told = described(steps, [Entry("", "Service", "shop", "gone", "v1")], NO_MASKS)

    assert {name: told[name] for name in ("creates", "updates", "deletes", "untried")} == {
        "creates": 1,
        "updates": 1,
        "deletes": 1,
        "untried": 1,
    }
    assert [(item["object"], item["action"]) for item in told["objects"]] == [
        ("ConfigMap shop/one", "Update"),
        ("ConfigMap new", "Create"),
        ("ConfigMap later", "Untried"),
        ("Service shop/gone", "Delete"),
    ]
    assert told["objects"][0]["changes"] == ["/data/a"]
    assert told["objects"][2]["why"] == "its kind is new"
    assert "omitted" not in told


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6000), st.integers(1, 250)), max_size=300))
def test_a_plan_is_bounded_and_counts_what_it_leaves_out(sizes):
    steps = [
        step({**config(a="x" * size), "metadata": {"name": f"{'n' * name}{index}"}}, Action.CREATE)
        for index, (size, name) in enumerate(sizes)
    ]
    told = described(steps, [], NO_MASKS)
    shown = told.get("objects", [])

    assert told["creates"] == len(sizes) == len(shown) + told.get("omitted", 0)
    assert len(json.dumps(shown)) <= PLAN_LIMIT + 64
    assert all(len(item.get("diff", "")) <= DIFF_LIMIT for item in shown)


def test_the_hooks_of_an_operation_in_their_order():
    hooks = [
        {"kind": "Job", "name": "late", "events": ["pre-upgrade"], "weight": 5},
        {"kind": "Job", "name": "early", "events": ["pre-upgrade", "pre-install"], "weight": -5},
        {"kind": "Pod", "name": "after", "events": ["post-upgrade"]},
        {"kind": "Pod", "name": "check", "events": ["test"]},
    ]

    assert hooks_told(hooks, "upgrade") == [
        "pre-upgrade: Job early",
        "pre-upgrade: Job late",
        "post-upgrade: Pod after",
    ]
    assert hooks_told(hooks, "install") == ["pre-install: Job early"]


def test_an_object_too_large_to_be_compared_tells_its_pointers_only():
    live, wanted = config(a="x" * 70_000), config(a="y" * 70_000)
    told = described([step(wanted, Action.UPDATE, live=live, changes=("/data/a",))], [], NO_MASKS)

    assert told["objects"] == [{"object": "ConfigMap shop/one", "action": "Update", "changes": ["/data/a"]}]
