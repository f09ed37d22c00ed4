"""Which change of an object asks for a reconcile, and how loudly."""

from typing import Any

import pytest

from pierhead.engine.changes import priority_of
from pierhead.engine.queue import Priority

AT = "pierhead.dev/reconcile-at"


def thing(**metadata: Any) -> dict[str, Any]:
    status = metadata.pop("status", {"observedGeneration": 1})
    return {"metadata": {"uid": "u", "generation": 1, **metadata}, "status": status}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, thing(status={}), Priority.SPEC),
        (None, thing(generation=2), Priority.SPEC),
        (None, thing(), Priority.RESYNC),
        (None, thing(deletionTimestamp="t"), Priority.SPEC),
        (thing(uid="other"), thing(status=None), Priority.SPEC),
        (thing(), thing(generation=2), Priority.SPEC),
        (thing(), thing(deletionTimestamp="t"), Priority.SPEC),
        (thing(), thing(annotations={AT: "1"}), Priority.SPEC),
        (thing(annotations={AT: "1"}), thing(annotations={AT: "2"}), Priority.SPEC),
        (thing(annotations={AT: "1"}), thing(annotations={AT: "1"}), None),
        (thing(), thing(annotations={"a": "b"}), Priority.EVENT),
        (thing(), thing(labels={"a": "b"}), Priority.EVENT),
        (thing(), thing(ownerReferences=[{"uid": "x"}]), Priority.EVENT),
        (thing(labels={}), thing(), None),
        (thing(), thing(status={"observedGeneration": 1, "keys": 3}), None),
        (thing(), thing(finalizers=["pierhead.dev/cleanup"]), None),
        (thing(resourceVersion="1"), thing(resourceVersion="2"), None),
        (thing(), thing(status=None), Priority.EVENT),
        (thing(status={}), thing(status=None), None),
        (thing(finalizers=["a"]), thing(), Priority.EVENT),
        (thing(finalizers=["a"]), thing(finalizers=["a", "b"]), None),
        (thing(deletionTimestamp="t", finalizers=["a"]), thing(deletionTimestamp="t"), None),
    ],
)
def test_priority_of_a_change(before: Any, now: Any, expected: Priority | None) -> None:
    assert priority_of(before, now, reconcile_at=AT) == expected
