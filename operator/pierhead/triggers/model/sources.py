"""What starts an object: uploads, and events of EventBridge."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pierhead.model import ListSet, Model

QueueName = Annotated[
    str, StringConstraints(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_-]{1,75}(\.fifo)?$")
]
KeyPart = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class S3Events(Model):
    """Objects of a bucket that come or go."""

    bucket: Annotated[
        str, StringConstraints(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$")
    ]
    """Name of the bucket."""

    prefix: KeyPart | None = None
    """What the key begins with. Defaults to anything."""

    suffix: KeyPart | None = None
    """What the key ends with. Defaults to anything."""

    types: (
        Annotated[list[Literal["Created", "Removed"]], ListSet(), Field(min_length=1, max_length=2)] | None
    ) = None
    """What has to happen to the object. Defaults to Created."""

    count_lines: bool | None = None
    """Whether the object is read and its lines are counted, for the variable `lines`: up to 16 MiB; a last
    line needs no end. Defaults to false."""
