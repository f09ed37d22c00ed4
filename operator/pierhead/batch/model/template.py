"""What runs as every index."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from pierhead.batch.submitting.contract import RESERVED_PREFIXES
from pierhead.model import ListMap, Model, Rule
from pierhead.model.aws import RoleArn

VariableName = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
]


def _not_reserved(variable: "Variable | SecretVariable") -> bool:
    return not variable.name.startswith(RESERVED_PREFIXES)


_NOT_RESERVED = Rule(
    " && ".join(f"!self.name.startsWith('{prefix}')" for prefix in RESERVED_PREFIXES),
    f"names that begin with {' or '.join(RESERVED_PREFIXES)} are reserved",
    _not_reserved,
)


class Variable(Model):
    """One environment variable. Batch shows it to everybody who may describe jobs: not for secrets."""

    __rules__: ClassVar[tuple[Rule, ...]] = (_NOT_RESERVED,)

    name: VariableName
    """The variable."""

    value: Annotated[str, StringConstraints(max_length=8192)]
    """Its value."""


class SecretVariable(Model):
    """One environment variable whose value only the container sees."""

    __rules__: ClassVar[tuple[Rule, ...]] = (_NOT_RESERVED,)

    name: VariableName
    """The variable."""

    value_from: Annotated[
        str,
        StringConstraints(
            max_length=2048, pattern=r"^arn:aws[a-z-]*:(secretsmanager|ssm):[a-z0-9-]+:[0-9]{12}:[!-~]+$"
        ),
    ]
    """ARN of a Secrets Manager secret or of a Parameter Store parameter; the execution role reads it."""


class Resources(Model):
    """What each index needs."""

    vcpu: Annotated[float, Field(ge=0.25, le=256)] = 1
    """Virtual CPUs. Defaults to 1."""

    memory_mib: Annotated[int, Field(alias="memoryMiB", ge=4, le=4_194_304)] = 2048
    """Memory in MiB. Defaults to 2048."""

    gpu: Annotated[int, Field(ge=1, le=16)] | None = None
    """Graphics processors."""


class Container(Model):
    """The one container of every index, as Batch runs it on ECS."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[!-~]+$")]
    """Image."""

    command: list[Annotated[str, StringConstraints(max_length=8192)]] | None = Field(
        default=None, max_length=64
    )
    """Command and its arguments. Defaults to the image's own."""

    env: Annotated[list[Variable], ListMap("name")] | None = Field(default=None, max_length=100)
    """Environment variables, in addition to those by which an index is found (docs/batchjob.md)."""

    secrets: Annotated[list[SecretVariable], ListMap("name")] | None = Field(default=None, max_length=100)
    """Environment variables whose values come from Secrets Manager or Parameter Store."""

    resources: Resources = Field(default_factory=Resources)
    """What each index needs. Defaults to 1 vCPU and 2048 MiB."""

    job_role_arn: RoleArn | None = None
    """IAM role of the container's own AWS calls."""

    execution_role_arn: RoleArn | None = None
    """IAM role by which ECS pulls the image and reads the secrets."""


class Template(Model):
    """What runs; pierhead registers a Batch job definition for it and reuses one of equal content."""

    container: Container
    """The container."""
