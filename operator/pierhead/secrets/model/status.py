"""What a SyncedSecret tells of itself.

Invariant: no field ever holds a value. One entry a line of spec, so status is as bounded as spec is.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from pierhead.model import ListMap, Model, Status
from pierhead.secrets.model.limits import (
    FIND_LIMIT,
    MESSAGE_LIMIT,
    MOST_EXTRACTS,
    MOST_FOUND,
    MOST_KEYS,
    MOST_RESTARTS,
    RESTART_MESSAGE_LIMIT,
)


class Stored(Model):
    """A part of the status."""

    # A status may have been written by a newer pierhead.
    model_config = ConfigDict(extra="ignore")


class SourceStatus(Stored):
    """What became of one source."""

    version_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Version whose value is in the Secret. Of a parameter: its number, and when it was made."""

    version: Annotated[int, Field(ge=0)] | None = None
    """The same of a parameter, as its number."""

    reason: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Why there is no value, or not the present one, in one CamelCase word."""

    message: Annotated[str, StringConstraints(max_length=MESSAGE_LIMIT)] | None = None
    """The same for people."""


class KeyStatus(SourceStatus):
    """What became of one entry of `spec.data`."""

    key: Annotated[str, StringConstraints(max_length=253)]
    """The key."""


class FoundStatus(Stored):
    """A secret or parameter that was found, and whose value is in the Secret."""

    name: Annotated[str, StringConstraints(max_length=2048)]
    """Its name."""

    version_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Its version, as in `status.keys`."""

    reason: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Why it is not found any more and its key is still kept."""


class ExtractStatus(SourceStatus):
    """What became of one entry of `spec.dataFrom`."""

    secret: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """The secret."""

    parameter: Annotated[str, StringConstraints(max_length=2048)] | None = None
    """The parameter."""

    find: Annotated[str, StringConstraints(max_length=FIND_LIMIT)] | None = None
    """The criteria of `find`."""

    found: list[FoundStatus] | None = Field(default=None, max_length=MOST_FOUND)
    """What was found by them, by name."""

    keys: Annotated[int, Field(ge=0)] | None = None
    """Number of keys it gave."""


class TargetStatus(Stored):
    """The Secret as it was last written."""

    name: Annotated[str, StringConstraints(max_length=253)]
    """Name."""

    type: Annotated[str, StringConstraints(max_length=253)]
    """Type."""

    form: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Names the labels and annotations it was asked to have, and whether it can change; absent for none."""

    uid: Annotated[str, StringConstraints(max_length=64)]
    """Uid; another one is another Secret."""

    resource_version: Annotated[str, StringConstraints(max_length=64)]
    """Version; another one means that somebody else wrote."""


class RestartStatus(Stored):
    """A restart that is not over."""

    kind: Annotated[str, StringConstraints(max_length=63)]
    """Kind of the workload."""

    name: Annotated[str, StringConstraints(max_length=253)]
    """Its name."""

    phase: Annotated[str, StringConstraints(max_length=32)]
    """`Waiting`: it is still to be restarted. `RollingOut`: it was, and is not healthy yet. `Failed`: it
    was, and does not become healthy."""

    since: Annotated[str, StringConstraints(max_length=32)]
    """When the values changed."""

    message: Annotated[str, StringConstraints(max_length=RESTART_MESSAGE_LIMIT)] | None = None
    """What it waits for, or why it failed."""

    generation: int | None = None
    """Generation of the SyncedSecret under which it failed; a change of spec lets the others go on."""

    despite_failure: bool | None = None
    """Whether it is to be restarted though its last rollout failed."""


class SyncedSecretStatus(Status):
    """What is in the Secret and why."""

    model_config = ConfigDict(extra="ignore")

    target: TargetStatus | None = None
    """The Secret as it was last written."""

    key_count: Annotated[int, Field(ge=0)] | None = None
    """Number of keys in the Secret."""

    keys: Annotated[list[KeyStatus], ListMap("key")] | None = Field(default=None, max_length=MOST_KEYS)
    """What became of each entry of `spec.data`."""

    extracts: list[ExtractStatus] | None = Field(default=None, max_length=MOST_EXTRACTS)
    """What became of each entry of `spec.dataFrom`, in its order."""

    expires_at: Annotated[str, StringConstraints(max_length=64)] | None = None
    """When the first of the passwords of registries in the Secret ends."""

    renew_at: Annotated[str, StringConstraints(max_length=64)] | None = None
    """When they are renewed."""

    marker: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Names the versions that the Secret is made of; the workloads are restarted for it, or `restarts` has
    them."""

    restarts: Annotated[list[RestartStatus], ListMap("kind", "name")] | None = Field(
        default=None, max_length=MOST_RESTARTS
    )
    """Restarts that are not over."""

    reconcile_at: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The annotation pierhead.dev/reconcile-at as of the last look at it that ended."""
