"""Whose fields are whose after Helm's are taken over."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.objects.takeover import merged_fields


def entry(manager: str, *fields: str, operation: str = "Apply", **more: Any) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "time": "2026-11-23T12:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {f"f:{name}": {} for name in fields}},
        **more,
    }


HELM, OURS, THEIRS = (
    entry("helm", "a", "b"),
    entry("pierhead", "b", "c"),
    entry("kubectl", "d", operation="Update"),
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], []),
        ([OURS, THEIRS], [OURS, THEIRS]),
        ([HELM], [entry("pierhead", "a", "b")]),
        ([THEIRS, HELM, OURS], [entry("pierhead", "a", "b", "c"), THEIRS]),
        ([entry("helm", "a", operation="Update"), OURS], [entry("pierhead", "a", "b", "c")]),
        ([HELM, entry("helm", "z", operation="Update")], [entry("pierhead", "a", "b", "z")]),
        (
            [entry("helm", "s", operation="Update", subresource="status"), OURS],
            [entry("helm", "s", operation="Update", subresource="status"), OURS],
        ),
        (
            [entry("helm", "a", apiVersion="v1beta1"), OURS],
            [OURS, entry("helm", "a", apiVersion="v1beta1")],
        ),
    ],
    ids=[
        "nobody",
        "no Helm",
        "only Helm",
        "Helm and us",
        "Helm 3",
        "Helm 3 and 4",
        "a subresource",
        "another version of the kind",
    ],
)
def test_fields_of_helm_become_ours(before, after):
    assert merged_fields(before) == after


FIELDS = st.recursive(
    st.just({}), lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", "k:c"]), inner), max_leaves=6
)


def leaves(fields: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = {path}
    for key, value in fields.items():
        found |= leaves(value, (*path, key))
    return found


@given(FIELDS, FIELDS)
def test_no_field_is_lost_and_none_is_made_up(ours, helms):
    (made,) = merged_fields([entry("helm", fieldsV1=helms), entry("pierhead", fieldsV1=ours)])
    assert leaves(made["fieldsV1"]) == leaves(ours) | leaves(helms)


def test_what_is_ours_already_is_left_as_it_is():
    once = merged_fields([THEIRS, HELM, OURS])
    assert merged_fields(once) == once
