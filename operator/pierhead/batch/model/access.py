"""Where the queue is and who submits to it."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from pierhead.model import Model, Rule

RoleArn = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"),
]


class AwsAccess(Model):
    """Where the queue is and who submits to it."""

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
    """Region of the queue. Defaults to the operator's setting."""

    role_arn: RoleArn | None = None
    """IAM role that pierhead assumes to submit and follow the jobs, with the namespace as session tag.
    Defaults to its own."""

    external_id: (
        Annotated[str, StringConstraints(min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]+$")]
        | None
    ) = None
    """External id that the role's trust policy asks for."""
