"""One Pod of every index, as Batch runs it on EKS.

Invariant: secrets are volumes, never variables; the Pod has its own network unless somebody asked otherwise.
"""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from pierhead.batch.model.variables import Command, Environment, Image, Resources
from pierhead.model import DNSSubdomain, FreeForm, ListMap, Model, Rule


class SecretVolume(Model):
    """A Kubernetes Secret of the Pod's namespace as files."""

    secret: DNSSubdomain
    """The Secret, in the namespace that the compute environment runs Pods in."""

    path: Annotated[str, StringConstraints(min_length=2, max_length=1024, pattern=r"^/[^:]+$")]
    """Where its keys are as files."""

    optional: bool = False
    """Whether the Pod also starts without the Secret. Defaults to false."""


class Pod(Model):
    """The Pod, with one container `main`."""

    # Source: Batch API reference, EksContainerResourceRequirements.
    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.resources) || !has(self.resources.vcpu)"
            " || double(int(self.resources.vcpu * 4.0)) == self.resources.vcpu * 4.0",
            "the vcpu of a Pod must be a multiple of 0.25",
            lambda pod: float(pod.resources.vcpu * 4).is_integer(),
        ),
    )

    image: Image
    """Image."""

    command: Command | None = None
    """Entrypoint. Defaults to the image's own."""

    args: Command | None = None
    """Arguments of the entrypoint. Defaults to the image's own."""

    env: Environment | None = None
    """Environment variables, in addition to those by which an index is found (docs/batchjob.md)."""

    resources: Resources = Field(default_factory=Resources)
    """What each index needs: requests and limits. Defaults to 1 vCPU and 2048 MiB."""

    service_account_name: DNSSubdomain | None = None
    """ServiceAccount in the namespace that the compute environment runs Pods in. Defaults to `default`."""

    host_network: bool = False
    """Whether the Pod uses the node's network. Defaults to false, other than in Batch."""

    secret_volumes: Annotated[list[SecretVolume], ListMap("path")] | None = Field(default=None, max_length=20)
    """Secrets as files."""

    container_properties: FreeForm | None = None
    """Other fields of the container, as Batch's EksContainer has them: imagePullPolicy, securityContext,
    volumeMounts. Nothing that has a field here."""

    pod_properties: FreeForm | None = None
    """Other fields of Batch's podProperties: further containers, initContainers, volumes, metadata,
    dnsPolicy, imagePullSecrets and so on. Nothing that has a field here."""
