"""What is started, and what of it follows from the event."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.expressions import ExpressionText
from pierhead.model import API_VERSION, FreeForm, Model, Rule, exactly_one

MOST_ASSIGNMENTS = 32
MOST_LABELS = 32

Label = Annotated[str, StringConstraints(max_length=256)]
Pointer = Annotated[
    str,
    StringConstraints(
        min_length=6, max_length=512, pattern=r"^/(spec|metadata/(labels|annotations))(/([^/~]|~[01])+)+$"
    ),
]


class TemplateMetadata(Model):
    """Labels and annotations of what is started."""

    labels: dict[str, Label] | None = Field(default=None, max_length=MOST_LABELS)
    """Labels."""

    annotations: dict[str, Label] | None = Field(default=None, max_length=MOST_LABELS)
    """Annotations."""


class ObjectTemplate(Model):
    """The object that is started."""

    api_version: Annotated[str, StringConstraints(max_length=128)] = API_VERSION
    """Its apiVersion. Defaults to pierhead.dev/v1alpha1."""

    kind: Literal["BatchJob"]
    """Its kind."""

    metadata: TemplateMetadata | None = None
    """Its labels and annotations."""

    spec: FreeForm
    """Its spec."""


class Assignment(Model):
    """One value of the object that follows from the event."""

    path: Pointer
    """JSON pointer of the value, such as `/spec/completions`; a `-` at its end adds to a list. What is
    missing on the way is made."""

    expression: ExpressionText
    """CEL over `event`, and `lines` where they are counted."""


class Deduplication(Model):
    """Which events are the same."""

    key: ExpressionText
    """CEL over `event` with a text, number or boolean: of the events with one value only the first starts
    something. Defaults to each event being itself, however often it is told."""


class Announcement(Model):
    """Where the end of what was started is told."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("eventBus", "topic"),)

    event_bus: (
        Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9._/-]+$")] | None
    ) = None
    """Name of an event bus: an event of the source `pierhead.dev` is put there."""

    topic: (
        Annotated[
            str,
            StringConstraints(
                max_length=512, pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?$"
            ),
        ]
        | None
    ) = None
    """ARN of an SNS topic: the same is published there."""
