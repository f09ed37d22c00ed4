"""What runs as every index.

Invariant: exactly one form is given; what a form's own fields say is said nowhere else.
"""

from typing import ClassVar, Literal

from pierhead.batch.model.containers import Container
from pierhead.batch.model.nodes import Nodes
from pierhead.batch.model.pods import Pod
from pierhead.model import FreeForm, Model, Rule, exactly_one

__all__ = ["Container", "Template"]


class Task(Model):
    """Several containers on ECS."""

    platform: Literal["EC2", "Fargate"] = "EC2"
    """Where they run. Defaults to EC2."""

    ecs_properties: FreeForm
    """Batch's ecsProperties, as RegisterJobDefinition takes them. Each container has a name where there are
    several; each finds its index, and `command`, `environment` and `secrets` are given here."""


class Template(Model):
    """What runs; pierhead registers a Batch job definition for it and reuses one of equal content."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("container", "eks", "ecs", "nodes"),)

    container: Container | None = None
    """One container on ECS: on EC2 or on Fargate."""

    eks: Pod | None = None
    """One Pod on EKS."""

    ecs: Task | None = None
    """Several containers on ECS."""

    nodes: Nodes | None = None
    """Several instances that work on one index together."""
