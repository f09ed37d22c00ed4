"""As whom, and where, the objects of a namespace use AWS.

Invariants: nothing is called by an access before the policy has allowed its region and its role to the
namespace; objects of one namespace that say the same have the same identity, and so one session and its
answers.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pierhead.aws.identity import OPERATOR, AwsIdentity
from pierhead.aws.policy import Policy
from pierhead.engine.outcome import Invalid, ReconcileError
from pierhead.model.aws import AwsAccess, AwsRole

ROLE_ANNOTATION: Final = "eks.amazonaws.com/role-arn"
"""Names a ServiceAccount's role. Source: Amazon EKS, "IAM roles for service accounts"."""

ACCOUNT_FIELD: Final = "spec.aws.serviceAccountName"

NAMESPACE_TAG: Final = "kubernetes-namespace"
CLUSTER_TAG: Final = "eks-cluster-name"
"""Session tags, called as EKS Pod Identity calls its own, so that one policy in IAM fits both."""

_SESSION_NAME_LIMIT: Final = 64

RoleOf = Callable[[str], Awaitable[str]]
"""Reads the role that a ServiceAccount of the object's namespace is annotated with. Raises ReconcileError."""


@dataclass(frozen=True, slots=True)
class Access:
    """As whom, and where."""

    identity: AwsIdentity
    region: str


class Accesses:
    """Makes the accesses of all objects."""

    def __init__(self, policy: Policy, *, region: str, cluster: str = "") -> None:
        """`region` is the operator's, for objects that name none; `cluster` is EKS's name of this one."""
        self._policy = policy
        self._region = region
        self._cluster = cluster

    async def of(self, aws: AwsAccess | None, namespace: str, role_of: RoleOf) -> Access:
        """The access that `spec.aws` describes; a ServiceAccount's role is asked for where it is needed.

        Raises PolicyDenied and Invalid naming the field, and what `role_of` raises.
        """
        if aws is not None and aws.region is not None:
            self._policy.check(namespace, "region", aws.region, field="spec.aws.region")
        if aws is not None and aws.role_arn is not None:
            self._policy.check(namespace, "role", aws.role_arn, field="spec.aws.roleArn")
        access = await self.described(aws, namespace, role_of)
        self.check(aws, namespace, access)
        return access

    async def described(self, aws: AwsAccess | None, namespace: str, role_of: RoleOf) -> Access:
        """As `of`, but for the policy: who uses it asks `check` before any call that it has not answered."""
        if aws is None:
            return Access(OPERATOR, self._region)
        return Access(await self._identity(aws, namespace, role_of), aws.region or self._region)

    def check(self, aws: AwsAccess | None, namespace: str, access: Access) -> None:
        """Returns when the namespace may use region and role. Raises PolicyDenied naming the field."""
        if aws is None:
            return
        if aws.region is not None:
            self._policy.check(namespace, "region", aws.region, field="spec.aws.region")
        role = access.identity.role_arn
        if role is not None:
            field = "spec.aws.roleArn" if aws.role_arn is not None else ACCOUNT_FIELD
            self._policy.check(namespace, "role", role, field=field)

    async def _identity(self, aws: AwsAccess, namespace: str, role_of: RoleOf) -> AwsIdentity:
        account = aws.service_account_name
        if account is None:
            return assumed(aws, namespace, cluster=self._cluster)
        if aws.pod_identity:
            # No role is named: whoever may make associations in EKS has allowed this account its own.
            if not self._cluster:
                raise Invalid(
                    "EKS Pod Identity needs the cluster's name: an administrator gives it in the setting "
                    "PIERHEAD_CLUSTER_NAME",
                    reason="ClusterNameMissing",
                    field="spec.aws.podIdentity",
                )
            return AwsIdentity(service_account=(namespace, account), pod_identity=True)
        role = aws.role_arn or await role_of(account)
        return AwsIdentity(
            role_arn=role, service_account=(namespace, account), session_name=_session_name(namespace)
        )


def assumed(aws: AwsRole, namespace: str, *, cluster: str = "") -> AwsIdentity:
    """Who pierhead is when it assumes the role for the namespace; itself without a role."""
    if aws.role_arn is None:
        return OPERATOR
    tags = [(NAMESPACE_TAG, namespace)]
    if cluster:
        tags.append((CLUSTER_TAG, cluster))
    return AwsIdentity(
        role_arn=aws.role_arn,
        external_id=aws.external_id,
        # Not the object's name: all objects of a namespace share one session, and its answers.
        session_name=_session_name(namespace),
        tags=tuple(tags),
    )


def role_reader(read: Callable[[str, str], Awaitable[Mapping[str, Any]]], namespace: str) -> RoleOf:
    """Reads roles with what reads a ServiceAccount of a namespace; its errors get the field."""

    async def role_of(account: str) -> str:
        try:
            return annotated_role(await read(namespace, account))
        except ReconcileError as error:
            error.field = ACCOUNT_FIELD
            raise

    return role_of


def annotated_role(account: Mapping[str, Any]) -> str:
    """The role in a ServiceAccount's annotation. Raises Invalid without one."""
    metadata = account["metadata"]
    role = (metadata.get("annotations") or {}).get(ROLE_ANNOTATION)
    if not role:
        raise Invalid(
            f"ServiceAccount {metadata['name']} has no annotation {ROLE_ANNOTATION}, "
            "and roleArn names no role",
            reason="KeyNotFound",
            field=ACCOUNT_FIELD,
        )
    return str(role)


def _session_name(namespace: str) -> str:
    return f"pierhead-{namespace}"[:_SESSION_NAME_LIMIT]
