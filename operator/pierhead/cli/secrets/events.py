"""`pierhead secrets events …`: what events need in AWS.

Invariant: nothing is changed in AWS without `--apply`; what is printed is all that would be made.
"""

import asyncio
import json
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from pierhead.aws.stacks import apply_stack
from pierhead.cli import options
from pierhead.cli.aws import in_region, region_of
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.output import as_yaml
from pierhead.engine.outcome import ReconcileError
from pierhead.secrets.events.installation import Installation, cloudformation, pattern, terraform

PATTERN_LIMIT: Final = 2048
"""Characters of an event pattern. Source: EventBridge quotas."""


class Format(StrEnum):
    """How it is written down."""

    CLOUDFORMATION = "cloudformation"
    TERRAFORM = "terraform"


NameOption = Annotated[
    str, typer.Option("--name", help="Of the rule, the queue, the policy and the stack.", metavar="NAME")
]
PrefixOption = Annotated[
    list[str] | None,
    typer.Option(
        "--prefix", help="Only secrets whose names begin with this; may be given again.", metavar="PREFIX"
    ),
]
ParametersOption = Annotated[
    bool, typer.Option("--parameters", help="Hear of parameters in Parameter Store too.")
]
TrailOption = Annotated[
    bool,
    typer.Option(
        "--cloudtrail",
        help="Hear of secrets that are created, deleted, restored and tagged too. Needs a trail.",
    ),
]
RoleOption = Annotated[
    str,
    typer.Option("--role", help="Name of the operator's IAM role, which gets the policy.", metavar="ROLE"),
]
FormatOption = Annotated[Format, typer.Option("--format", help="What to print.")]
ApplyOption = Annotated[
    bool, typer.Option("--apply", help="Make it, as a CloudFormation stack, and print the setting.")
]


def install(
    *,
    name: NameOption = "pierhead-secret-events",
    prefix: PrefixOption = None,
    parameters: ParametersOption = False,
    cloudtrail: TrailOption = False,
    role: RoleOption = "",
    format_: FormatOption = Format.CLOUDFORMATION,
    apply: ApplyOption = False,
    region: options.RegionOption = None,
) -> None:
    """Print the rule, queue and rights that events need, as a template; with --apply, make them.

    One queue serves one cluster: two that share one lose events.
    """
    if apply and format_ is not Format.CLOUDFORMATION:
        raise CommandError("--apply makes a CloudFormation stack; Terraform applies its own", ExitCode.USAGE)
    wanted = Installation(
        name=name, prefixes=tuple(prefix or ()), parameters=parameters, trail=cloudtrail, role=role
    )
    if len(json.dumps(pattern(wanted))) > PATTERN_LIMIT:
        raise CommandError(
            f"the rule's pattern would be longer than {PATTERN_LIMIT} characters; give fewer prefixes",
            ExitCode.USAGE,
        )
    if apply:
        outputs = asyncio.run(_apply(region_of(region), wanted))
        typer.echo(f"PIERHEAD_SECRET_EVENTS_QUEUE_URL={outputs['QueueUrl']}")
        if not role:
            typer.echo(f"attach {outputs['OperatorPolicyArn']} to the operator's role", err=True)
    elif format_ is Format.TERRAFORM:
        typer.echo(json.dumps(terraform(wanted), indent=2))
    else:
        typer.echo(as_yaml(cloudformation(wanted)), nl=False)


async def _apply(region: str, wanted: Installation) -> dict[str, Any]:
    async with in_region(region, "cloudformation") as client:
        try:
            return await apply_stack(client, wanted.name, cloudformation(wanted))
        except ReconcileError as error:
            raise CommandError(str(error)) from None
