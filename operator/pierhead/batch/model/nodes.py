"""Several instances for one index: Batch's multi-node parallel jobs.

Invariant: they run on EC2 and are never arrays, so such a BatchJob has one index.
"""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from pierhead.batch.model.containers import Container
from pierhead.model import FreeForm, Model, Rule, exactly_one

MOST_NODES = 1000
MOST_RANGES = 5
"""Source: Batch API reference, NodeProperties."""


class Nodes(Model):
    """The nodes, which all start together."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("container", "nodeRangeProperties"),
        Rule(
            "!has(self.mainNode) || self.mainNode < self.count",
            "mainNode must be less than count",
            lambda nodes: nodes.main_node < nodes.count,
        ),
        Rule(
            "!has(self.container) || !has(self.container.fargate)",
            "multi-node jobs do not run on Fargate",
            lambda nodes: nodes.container is None or nodes.container.fargate is None,
        ),
        Rule(
            "!has(self.instanceType) || has(self.container)",
            "instanceType needs container; nodeRangeProperties have their own",
            lambda nodes: nodes.instance_type is None or nodes.container is not None,
        ),
    )

    count: Annotated[int, Field(ge=2, le=MOST_NODES)]
    """Number of nodes."""

    main_node: Annotated[int, Field(ge=0, le=MOST_NODES)] = 0
    """The node with whose end the job ends. Defaults to 0."""

    container: Container | None = None
    """What runs on every node."""

    instance_type: Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z0-9.-]+$")] | None = None
    """Instance type of all nodes. Defaults to what the compute environment chooses."""

    node_range_properties: Annotated[list[FreeForm], Field(min_length=1, max_length=MOST_RANGES)] | None = (
        None
    )
    """Batch's nodeRangeProperties, where nodes differ, as RegisterJobDefinition takes them."""
