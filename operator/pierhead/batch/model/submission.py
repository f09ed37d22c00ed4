"""What travels with every job, whatever runs: parameters, overrides, tags, resources of the account.

Invariant: within Batch's limits, our own tags counted. Source: Batch API reference, SubmitJob; Batch user
guide, "Tag your resources".
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from pierhead.batch.model.variables import Command, Environment
from pierhead.model import ListMap, Model

MOST_TAGS = 40
"""Of Batch's 50; the others are for pierhead's own."""

MOST_PRIORITY = 9_999

_TAG_KEY = r"^[A-Za-z0-9 _.:/=+@-]{1,128}$"
_RESERVED_TAG = ("aws:", "pierhead.dev/")

Parameters = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")],
        Annotated[str, StringConstraints(max_length=4096)],
    ],
    Field(max_length=50),
]
Tags = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=_TAG_KEY)], Annotated[str, StringConstraints(max_length=256)]
    ],
    Field(max_length=MOST_TAGS),
]
ShareIdentifier = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9]+$")]


def tags_are_free(tags: dict[str, str] | None) -> bool:
    """Whether no key has a prefix that is AWS's or ours."""
    return not any(key.lower().startswith(_RESERVED_TAG) for key in tags or {})


TAGS_ARE_FREE = "!has(self.tags) || self.tags.all(key, !key.matches('(?i)^(aws:|pierhead[.]dev/)'))"


class ConsumableResource(Model):
    """So much of something that an account has a limited number of, such as licences."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9:/_-]+$")]
    """Name or ARN of Batch's consumable resource."""

    quantity: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """How much of it each index holds while it runs."""


ConsumableResources = Annotated[list[ConsumableResource], ListMap("name"), Field(min_length=1, max_length=50)]


class OverriddenResources(Model):
    """What each index needs instead of what the job definition says."""

    vcpu: Annotated[float, Field(ge=0.25, le=256)] | None = None
    """Virtual CPUs. Defaults to the definition's."""

    memory_mib: Annotated[int, Field(ge=4, le=4_194_304)] | None = Field(default=None, alias="memoryMiB")
    """Memory in MiB. Defaults to the definition's."""

    gpu: Annotated[int, Field(ge=1, le=16)] | None = None
    """Graphics processors. Defaults to the definition's."""


class Overrides(Model):
    """What differs from an existing job definition, in one of its containers."""

    container: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """Name of the container that is meant, where a Pod or task has several. Defaults to the first."""

    command: Command | None = None
    """Command and its arguments; of a Pod its `args`."""

    env: Environment | None = None
    """Environment variables, in addition to the definition's."""

    resources: OverriddenResources | None = None
    """What each index needs."""
