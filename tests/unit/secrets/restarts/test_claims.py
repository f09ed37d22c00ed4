"""What the statuses of all SyncedSecrets add up to."""

from typing import Any

import pytest

from pierhead.engine.resource import ObjectKey
from pierhead.secrets.restarts.claims import Claim, Claims
from pierhead.secrets.restarts.plan import WorkloadKey
from support.secret_specs import restart_of

A, B = ObjectKey("shop", "a"), ObjectKey("shop", "b")
SHOP = WorkloadKey("shop", "Deployment", "shop")


def listed(*restarts: Any, suspend: bool = False, **status: Any) -> dict[str, Any]:
    """An object as the API server lists it."""
    told = [one.model_dump(by_alias=True, exclude_none=True) for one in restarts]
    return {
        "spec": {"restart": [{"kind": "Deployment", "name": "shop"}], "suspend": suspend},
        "status": {"observedGeneration": 1, "marker": "m", "restarts": told, **status},
    }


def test_all_that_wait_for_a_workload_are_in_its_next_rollout() -> None:
    claims = Claims()
    claims.claim(A, Claim.of(A, "ma", [restart_of("shop")]))
    claims.claim(B, Claim.of(B, "mb", [restart_of("shop")]))
    assert claims.markers(SHOP) == {"a": "ma", "b": "mb"}

    assert claims.claim(B, Claim.of(B, "mb", [restart_of("shop", "RollingOut")])) == []
    assert claims.markers(SHOP) == {"a": "ma"}
    assert claims.holders(SHOP) == {A, B}


def test_a_workload_is_dropped_with_the_last_that_claims_it() -> None:
    claims = Claims()
    claims.claim(A, Claim.of(A, "m", [restart_of("shop"), restart_of("web")]))
    claims.claim(B, Claim.of(B, "m", [restart_of("shop")]))

    assert claims.claim(A, Claim.of(A, "m", [restart_of("shop")])) == [
        WorkloadKey("shop", "Deployment", "web")
    ]
    assert claims.forget(A) == []
    assert claims.forget(B) == [SHOP]


def test_anothers_failure_is_told_by_name() -> None:
    claims = Claims()
    claims.claim(A, Claim.of(A, "m", [restart_of("shop", "Failed", message="timed out")]))

    assert claims.failure(SHOP, but=B) == "its rollout failed for SyncedSecret a: timed out"
    assert claims.failure(SHOP, but=A) == ""


def test_what_is_listed_counts_until_a_pass_knows_better() -> None:
    claims = Claims()
    assert claims.expect(A, listed(restart_of("shop", "RollingOut"))) == [SHOP]
    assert claims.unseen("shop") == {A}
    claims.seen(A)
    claims.claim(A, None)

    assert claims.expect(A, listed(restart_of("shop"))) == []
    assert claims.unseen("shop") == frozenset()
    assert claims.markers(SHOP) == {}


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"spec": {"data": []}, "status": {"observedGeneration": 1}},
        listed(restart_of("shop"), suspend=True),
        listed(restart_of("shop")) | {"status": {"restarts": "nonsense", "observedGeneration": 1}},
    ],
    ids=["empty", "nothing-to-restart", "suspended", "nonsense"],
)
def test_what_restarts_nothing_is_not_waited_for(obj: dict[str, Any]) -> None:
    claims = Claims()

    assert claims.expect(A, obj) == []
    assert claims.unseen("shop") == frozenset()


def test_a_new_object_is_not_waited_for() -> None:
    claims = Claims()
    claims.expect(A, {"spec": {"restart": [{"uses": "Secret"}]}})

    assert claims.unseen("shop") == frozenset()
