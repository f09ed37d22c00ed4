"""As whom an AppRelease uses AWS: its namespace's role, or a ServiceAccount's, within the policy."""

import base64
import json

import pytest

from pierhead.apps.aws import AwsScopes
from pierhead.apps.inputs.references import References
from pierhead.aws.identity import OPERATOR
from pierhead.aws.policy import Policy, PolicyDenied
from pierhead.aws.session import AwsSessions
from pierhead.engine.outcome import Invalid, Transient
from pierhead.engine.resource import ObjectKey
from pierhead.kube.resources import SERVICE_ACCOUNTS
from pierhead.kube.tokens import service_account_token
from pierhead.model.aws import AwsAccess
from pierhead.settings import Settings

ROLE = "arn:aws:iam::111122223333:role/"


@pytest.fixture
async def scope(kube, namespace):
    sessions = AwsSessions(Settings())
    scopes = AwsScopes(sessions, Policy((), region="us-east-1"), region="us-east-1")

    references = References(kube)

    async def made(**aws):
        given = AwsAccess.model_validate(aws) if aws else None
        return await scopes.of(given, references.of(ObjectKey(namespace, "shop"), 1, kube))

    yield made
    await references.stop()
    await sessions.close()


async def annotated(kube, namespace, role):
    annotations = {"eks.amazonaws.com/role-arn": role} if role else {}
    metadata = {"name": "reader", "namespace": namespace, "annotations": annotations}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    await kube.apply(SERVICE_ACCOUNTS, account, field_manager="test")


async def test_without_a_word_it_is_the_operator(scope):
    assert (await scope()).identity == OPERATOR
    assert (await scope()).region == "us-east-1"


async def test_a_role_is_assumed_for_the_namespace(scope, namespace):
    found = (await scope(roleArn=f"{ROLE}{namespace}-reader", externalId="shop")).identity
    assert found.tags == (("kubernetes-namespace", namespace),)
    assert (found.external_id, found.service_account) == ("shop", None)


async def test_a_service_account_names_its_role(scope, kube, namespace):
    await annotated(kube, namespace, f"{ROLE}{namespace}-reader")
    found = (await scope(serviceAccountName="reader")).identity
    assert found.role_arn == f"{ROLE}{namespace}-reader"
    assert found.service_account == (namespace, "reader")
    other = (await scope(serviceAccountName="reader", roleArn=f"{ROLE}{namespace}-other")).identity
    assert other.role_arn == f"{ROLE}{namespace}-other"


@pytest.mark.parametrize(
    ("role", "aws", "error", "field"),
    [
        (None, {"region": "eu-west-1"}, PolicyDenied, "spec.aws.region"),
        (None, {"roleArn": f"{ROLE}admin"}, PolicyDenied, "spec.aws.roleArn"),
        (f"{ROLE}admin", {"serviceAccountName": "reader"}, PolicyDenied, "spec.aws.serviceAccountName"),
        ("", {"serviceAccountName": "reader"}, Invalid, "spec.aws.serviceAccountName"),
        (None, {"serviceAccountName": "absent"}, Transient, "spec.aws.serviceAccountName"),
    ],
)
async def test_what_is_not_allowed_or_missing_is_named(scope, kube, namespace, role, aws, error, field):
    if role is not None:
        await annotated(kube, namespace, role)
    with pytest.raises(error) as raised:
        await scope(**aws)
    assert raised.value.field == field


async def test_values_pass_the_policy(scope, namespace):
    found = await scope()
    found.check("parameter", f"/{namespace}/shop", field="spec.x")
    with pytest.raises(PolicyDenied) as raised:
        found.check("parameter", "/other/shop", field="spec.x")
    assert raised.value.field == "spec.x"


async def test_a_token_is_for_sts_and_for_the_account(kube, namespace):
    token = await service_account_token(kube, namespace, "default")
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:default"
