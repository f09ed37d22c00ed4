"""The one container of an index on ECS: on EC2 or on Fargate.

Invariant: a size that Fargate does not have is refused before anybody calls Batch.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.batch.model.variables import Command, Environment, Image, Resources, SecretVariable
from pierhead.model import FreeForm, ListMap, Model, Rule
from pierhead.model.aws import RoleArn

FARGATE_MEMORY: dict[float, tuple[int, ...]] = {
    0.25: (512, 1024, 2048),
    0.5: (1024, 2048, 3072, 4096),
    1.0: tuple(range(2048, 8193, 1024)),
    2.0: tuple(range(4096, 16385, 1024)),
    4.0: tuple(range(8192, 30721, 1024)),
    8.0: tuple(range(16384, 61441, 4096)),
    16.0: tuple(range(32768, 122881, 8192)),
    32.0: (61440, 122880, 249856),
}
"""MiB by vCPUs. Source: Batch API reference, ResourceRequirement."""


def _sizes() -> str:
    memory = "(has(self.resources) && has(self.resources.memoryMiB) ? self.resources.memoryMiB : 2048)"
    vcpu = "(has(self.resources) && has(self.resources.vcpu) ? self.resources.vcpu : 1.0)"
    sizes = " || ".join(f"(v == {vcpus} && m in {list(sizes)})" for vcpus, sizes in FARGATE_MEMORY.items())
    return f"!has(self.fargate) || [{vcpu}].exists(v, [{memory}].exists(m, {sizes}))"


def _has_a_size(container: "Container") -> bool:
    resources = container.resources
    return container.fargate is None or resources.memory_mib in FARGATE_MEMORY.get(resources.vcpu, ())


FARGATE_SIZES = Rule(
    _sizes(), "Fargate has no such size: vcpu and memoryMiB must be one of its combinations", _has_a_size
)


class Fargate(Model):
    """What only Fargate has."""

    assign_public_ip: bool = False
    """Whether the network interface gets a public address; without one, and without a NAT gateway or
    endpoints, no image can be pulled. Defaults to false."""

    ephemeral_storage_gib: Annotated[int, Field(ge=21, le=200)] | None = Field(
        default=None, alias="ephemeralStorageGiB"
    )
    """Disk space in GiB. Defaults to Fargate's 20."""

    platform_version: (
        Annotated[str, StringConstraints(max_length=32, pattern=r"^(LATEST|[0-9]+(\.[0-9]+)+)$")] | None
    ) = None
    """Platform version. Defaults to LATEST."""

    cpu_architecture: Literal["X86_64", "ARM64"] | None = None
    """Processors. Defaults to X86_64."""

    operating_system: (
        Literal[
            "LINUX",
            "WINDOWS_SERVER_2019_CORE",
            "WINDOWS_SERVER_2019_FULL",
            "WINDOWS_SERVER_2022_CORE",
            "WINDOWS_SERVER_2022_FULL",
        ]
        | None
    ) = None
    """Operating system. Defaults to LINUX."""


class Container(Model):
    """The one container of every index, as Batch runs it on ECS."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.fargate) || has(self.executionRoleArn)",
            "fargate needs an executionRoleArn",
            lambda container: container.fargate is None or container.execution_role_arn is not None,
        ),
        FARGATE_SIZES,
        Rule(
            "!has(self.fargate) || !has(self.resources) || !has(self.resources.gpu)",
            "Fargate has no GPUs",
            lambda container: container.fargate is None or container.resources.gpu is None,
        ),
    )

    image: Image
    """Image."""

    command: Command | None = None
    """Command and its arguments. Defaults to the image's own."""

    env: Environment | None = None
    """Environment variables, in addition to those by which an index is found (docs/batchjob.md)."""

    secrets: Annotated[list[SecretVariable], ListMap("name")] | None = Field(default=None, max_length=100)
    """Environment variables whose values come from Secrets Manager or Parameter Store."""

    resources: Resources = Field(default_factory=Resources)
    """What each index needs. Defaults to 1 vCPU and 2048 MiB."""

    job_role_arn: RoleArn | None = None
    """IAM role of the container's own AWS calls."""

    execution_role_arn: RoleArn | None = None
    """IAM role by which ECS pulls the image and reads the secrets."""

    fargate: Fargate | None = None
    """Runs it on Fargate; `{}` is enough. Then vcpu and memoryMiB are one of Fargate's sizes, and there is an
    `executionRoleArn`. Defaults to EC2."""

    properties: FreeForm | None = None
    """Other fields of Batch's containerProperties, as RegisterJobDefinition takes them: volumes (EFS, host),
    mountPoints, ulimits, linuxParameters, logConfiguration, user and so on. Nothing that has a field here."""
