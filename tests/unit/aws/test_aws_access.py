"""Who calls AWS for whom: one identity for all objects of a namespace that say the same."""

from typing import Any

import pytest

from pierhead.aws.access import Accesses, assumed
from pierhead.aws.assuming import RoleNotAssumable, explained
from pierhead.aws.errors import AccessDenied, NotFound, Unavailable, clean, from_code
from pierhead.aws.identity import OPERATOR, AwsIdentity
from pierhead.aws.policy import Policy
from pierhead.model.aws import AwsAccess

ROLE = "arn:aws:iam::111122223333:role/"
ACCESSES = Accesses(Policy((), region="eu-west-1"), region="eu-west-1", cluster="harbour")


async def annotated(account: str) -> str:
    return f"{ROLE}shop-{account}"


def given(**fields: Any) -> AwsAccess:
    return AwsAccess.model_validate(fields)


@pytest.mark.parametrize(
    ("aws", "identity"),
    [
        (None, OPERATOR),
        (given(region="eu-west-1"), OPERATOR),
        (
            given(role_arn=f"{ROLE}shop-x", external_id="id"),
            AwsIdentity(
                role_arn=f"{ROLE}shop-x",
                external_id="id",
                session_name="pierhead-shop",
                tags=(("kubernetes-namespace", "shop"), ("eks-cluster-name", "harbour")),
            ),
        ),
        (
            given(service_account_name="reader"),
            AwsIdentity(
                role_arn=f"{ROLE}shop-reader",
                service_account=("shop", "reader"),
                session_name="pierhead-shop",
            ),
        ),
        (
            given(service_account_name="reader", pod_identity=True),
            AwsIdentity(service_account=("shop", "reader"), pod_identity=True),
        ),
        (
            given(service_account_name="reader", pod_identity=False, role_arn=f"{ROLE}shop-x"),
            AwsIdentity(
                role_arn=f"{ROLE}shop-x", service_account=("shop", "reader"), session_name="pierhead-shop"
            ),
        ),
    ],
)
async def test_what_is_said_is_who_one_is(aws: AwsAccess | None, identity: AwsIdentity) -> None:
    found = await ACCESSES.of(aws, "shop", annotated)

    assert (found.identity, found.region) == (identity, "eu-west-1")
    assert found.identity.is_operator == (identity == OPERATOR)


def test_the_cluster_is_a_tag_only_where_it_is_known_and_names_are_short_enough() -> None:
    found = assumed(given(role_arn=f"{ROLE}x"), "n" * 63)

    assert found.tags == (("kubernetes-namespace", "n" * 63),)
    assert len(found.session_name) == 64


@pytest.mark.parametrize("code", ["AccessDenied", "ResourceNotFoundException", "InvalidTokenException"])
def test_a_refusal_of_credentials_is_never_the_absence_of_a_secret(code: str) -> None:
    identity = AwsIdentity(service_account=("shop", "reader"), pod_identity=True)
    told = explained(from_code(code, "no", operation="AssumeRoleForPodIdentity"), identity)

    assert isinstance(told, AccessDenied)
    assert not isinstance(told, NotFound)
    assert (told.code, told.operation, told.copy().reason) == (code, "AssumeRoleForPodIdentity", told.reason)


def test_what_passes_stays_what_it_is() -> None:
    passing = from_code("ExpiredTokenException", "", operation="AssumeRoleWithWebIdentity")

    assert isinstance(passing, Unavailable)
    assert explained(passing, OPERATOR) is passing
    assert not isinstance(passing, RoleNotAssumable)


def test_a_message_names_the_role_and_not_its_session_which_is_another_one_after_every_start() -> None:
    text = "User: arn:aws:sts::1:assumed-role/pierhead/botocore-session-17 is not authorized"
    assert clean(text) == "User: arn:aws:sts::1:assumed-role/pierhead is not authorized"
