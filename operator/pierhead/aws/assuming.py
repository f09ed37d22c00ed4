"""Trading an identity for temporary credentials. Everything here blocks, on the threads of `aws.session`.

Invariants: a refusal says who has to allow what; it never means that something asked for later does not
exist; a token is in no error and no representation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pierhead.aws.errors import AccessDenied, AwsError, NotFound, translate
from pierhead.aws.identity import AwsIdentity
from pierhead.model.aws import PODS_AUDIENCE, STS_AUDIENCE

Keys = dict[str, str]
"""What botocore takes: access_key, secret_key, token and expiry_time (ISO 8601)."""


class RoleNotAssumable(AccessDenied):
    """AWS gives no credentials for the identity."""

    default_reason = "RoleNotAssumable"


@dataclass(frozen=True, slots=True)
class Means:
    """What it takes to ask."""

    client: Callable[[str], Any]
    """boto3's client of a service, as the operator, in the operator's region."""

    token: Callable[[str, str, str], str]
    """A token of a ServiceAccount: namespace, name, audience. Raises AwsError."""

    cluster: str
    count: Callable[[str, str, str], None]


def credentials(identity: AwsIdentity, means: Means) -> Keys:
    """Asks once. Raises RoleNotAssumable, and what passes as the other classes of `aws.errors`."""
    service, operation, arguments = _request(identity, means)
    method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).strip("_")
    ask = getattr(means.client(service), method)
    try:
        answer = ask(**arguments)
    except (ClientError, BotoCoreError) as error:
        refusal = translate(error, operation=operation)
    else:
        means.count(service, operation, "OK")
        return _keys(answer["credentials" if identity.pod_identity else "Credentials"])
    means.count(service, operation, refusal.code)
    raise explained(refusal, identity)


def explained(error: AwsError, identity: AwsIdentity) -> AwsError:
    """The refusal with what would help; what passes as it is."""
    if not error.terminal:
        return error
    told = RoleNotAssumable(f"{_advice(error, identity)} ({error.message})")
    if identity.pod_identity and isinstance(error, NotFound):
        told.reason = "NoPodIdentityAssociation"
    told.code, told.operation = error.code, error.operation
    return told


def _request(identity: AwsIdentity, means: Means) -> tuple[str, str, dict[str, Any]]:
    account = identity.service_account
    if identity.pod_identity and account is not None:
        token = means.token(*account, PODS_AUDIENCE)
        return "eks-auth", "AssumeRoleForPodIdentity", {"clusterName": means.cluster, "token": token}
    request: dict[str, Any] = {"RoleArn": identity.role_arn, "RoleSessionName": identity.session_name}
    if account is not None:
        request["WebIdentityToken"] = means.token(*account, STS_AUDIENCE)
        return "sts", "AssumeRoleWithWebIdentity", request
    if identity.external_id:
        request["ExternalId"] = identity.external_id
    if identity.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in identity.tags]
    return "sts", "AssumeRole", request


def _keys(found: Mapping[str, Any]) -> Keys:
    # STS writes these in capitals, EKS not.
    given = {name[0].lower() + name[1:]: value for name, value in found.items()}
    return {
        "access_key": given["accessKeyId"],
        "secret_key": given["secretAccessKey"],
        "token": given["sessionToken"],
        "expiry_time": given["expiration"].isoformat(),
    }


def _advice(error: AwsError, identity: AwsIdentity) -> str:
    if identity.service_account is None:
        external = " with this external id" if identity.external_id else ""
        return (
            f"role {identity.role_arn} cannot be assumed: its trust policy has to allow pierhead's role "
            f"sts:AssumeRole and sts:TagSession{external}, and so has a policy of pierhead's role"
        )
    namespace, name = identity.service_account
    if not identity.pod_identity:
        return (
            f"role {identity.role_arn} cannot be assumed by ServiceAccount {name}: its trust policy has to "
            f"allow sts:AssumeRoleWithWebIdentity to the cluster's OIDC provider for the audience "
            f"{STS_AUDIENCE} and system:serviceaccount:{namespace}:{name}"
        )
    if isinstance(error, NotFound):
        return f"ServiceAccount {name} has no EKS Pod Identity association: make one for it in EKS"
    return (
        f"EKS Pod Identity gives ServiceAccount {name} no credentials: pierhead's role has to be allowed "
        "eks-auth:AssumeRoleForPodIdentity for the cluster, and the associated role has to trust "
        f"{PODS_AUDIENCE}"
    )
