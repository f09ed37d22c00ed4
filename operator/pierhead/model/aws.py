"""As whom, and where, an object uses AWS.

Invariant: an object has one identity for all that it does there, and names nothing outside its own namespace;
the operator's policy says which roles and regions a namespace may name.
"""

from typing import Annotated, ClassVar, Final

from pydantic import StringConstraints

from pierhead.model.base import Model
from pierhead.model.rules import Rule
from pierhead.model.scalars import DNSSubdomain

STS_AUDIENCE: Final = "sts.amazonaws.com"
PODS_AUDIENCE: Final = "pods.eks.amazonaws.com"
"""For whom a ServiceAccount's token is made: for IRSA, and for EKS Pod Identity, which takes only tokens of
Pods. Source: Amazon EKS user guide."""

RoleArn = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"),
]
"""ARN of an IAM role."""


class AwsRole(Model):
    """Where in AWS an object works, and as which role."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.externalId) || has(self.roleArn)",
            "externalId needs a roleArn",
            lambda aws: aws.external_id is None or aws.role_arn is not None,
        ),
    )

    region: (
        Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] | None
    ) = None
    """Region of what is used. Defaults to the operator's setting; a registry's address names its own."""

    role_arn: RoleArn | None = None
    """IAM role that pierhead assumes, with the namespace as session tag. Defaults to pierhead's own."""

    external_id: (
        Annotated[str, StringConstraints(min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]+$")]
        | None
    ) = None
    """External id that the role's trust policy asks for."""


class AwsAccess(AwsRole):
    """Where in AWS an object works, and as which role or ServiceAccount."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.externalId) || (has(self.roleArn) && !has(self.serviceAccountName))",
            "externalId needs a roleArn, and no serviceAccountName",
            lambda aws: (
                aws.external_id is None or (aws.role_arn is not None and aws.service_account_name is None)
            ),
        ),
        Rule(
            "!has(self.podIdentity) || !self.podIdentity"
            " || (has(self.serviceAccountName) && !has(self.roleArn))",
            "podIdentity needs a serviceAccountName, and no roleArn",
            lambda aws: (
                not aws.pod_identity or (aws.service_account_name is not None and aws.role_arn is None)
            ),
        ),
    )

    role_arn: RoleArn | None = None
    """IAM role that is assumed. Defaults to the one that `serviceAccountName` is annotated with, and without
    that to pierhead's own."""

    service_account_name: DNSSubdomain | None = None
    """ServiceAccount of this namespace whose token is exchanged for the role, as a Pod's is (IRSA). Its
    annotation `eks.amazonaws.com/role-arn` names the role. Defaults to none: pierhead assumes it."""

    pod_identity: bool | None = None
    """Whether the role is the one that EKS Pod Identity associates with `serviceAccountName`, instead of the
    annotation's. AWS asks for a Pod that uses the account: one has to be there, running or about to.
    Defaults to false."""
