"""Where the values of keys come from."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.model import Model, Rule, at_most_one

DataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
SecretId = Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[-A-Za-z0-9/_+=.@:]+$")]
VersionId = Annotated[str, StringConstraints(min_length=32, max_length=64, pattern=r"^[!-~]+$")]
VersionStage = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[!-~]+$")]


class SecretVersionReference(Model):
    """One version of a secret in Secrets Manager."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_most_one("versionStage", "versionId"),)

    secret: SecretId
    """Name or ARN of the secret."""

    version_stage: VersionStage | None = None
    """Staging label of the version. Defaults to AWSCURRENT."""

    version_id: VersionId | None = None
    """Id of the version: pins it, so that a rotation changes nothing."""


class KeySource(SecretVersionReference):
    """Where the value of one key comes from."""

    property: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Path of a property in the secret's JSON, with dots between its parts and numbers for places in lists.
    A property whose name itself has dots wins over a path. Defaults to the whole secret as it is."""


class DataEntry(Model):
    """One key of the Secret."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.key != '.' && !self.key.startsWith('..')",
            "key must not be . and not begin with ..",
            lambda entry: entry.key != "." and not entry.key.startswith(".."),
        ),
    )

    key: DataKey
    """The key."""

    source: Annotated[KeySource, Field(alias="from")]
    """Where its value comes from."""

    optional: bool | None = None
    """Whether the Secret may be without this key when the secret or the property does not exist. A key that
    is there stays when its source goes, unless onSourceDelete is Delete. Defaults to false."""


class ExtractSource(SecretVersionReference):
    """A secret that holds many keys."""

    format: Literal["json", "dotenv"] | None = None
    """`json`: one object, each property a key; nested values become JSON text. `dotenv`: lines KEY=value.
    Defaults to json."""


class DataFromEntry(Model):
    """Several keys of the Secret."""

    extract: ExtractSource
    """Takes every key of one secret."""

    optional: bool | None = None
    """Whether the secret may not exist. Defaults to false."""
