"""As whom an AppRelease uses AWS.

Invariant: one AppRelease has one identity, for its sources, values, alarms and images alike; the operator's
policy says which roles and regions a namespace may name.
"""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from pierhead.model import DNSSubdomain, Model, Rule


class AwsAccess(Model):
    """Where in AWS an AppRelease reads, and as whom."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.externalId) || (has(self.roleArn) && !has(self.serviceAccountName))",
            "externalId needs a roleArn, and no serviceAccountName",
            lambda aws: (
                aws.external_id is None or (aws.role_arn is not None and aws.service_account_name is None)
            ),
        ),
    )

    region: (
        Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] | None
    ) = None
    """Region of what is read. Defaults to the operator's setting; a registry's address names its own."""

    role_arn: (
        Annotated[
            str,
            StringConstraints(
                max_length=2048, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"
            ),
        ]
        | None
    ) = None
    """IAM role that is assumed. Defaults to the one that `serviceAccountName` is annotated with, and without
    that to the operator's own."""

    external_id: (
        Annotated[str, StringConstraints(min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]+$")]
        | None
    ) = None
    """External id that the role's trust policy asks for."""

    service_account_name: DNSSubdomain | None = None
    """ServiceAccount of this namespace whose token is exchanged for the role, as a Pod's is (IRSA). Its
    annotation `eks.amazonaws.com/role-arn` names the role. Defaults to none: the operator assumes it."""
