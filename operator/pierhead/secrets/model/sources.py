"""Where the values of keys come from."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.model import Model, Rule, at_most_one, exactly_one
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.model.limits import MOST_REWRITES
from pierhead.secrets.model.rewriting import Rewrite

DataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
SecretId = Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[-A-Za-z0-9/_+=.@:]+$")]
ParameterId = Annotated[
    str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[-a-zA-Z0-9_./]+(:[-a-zA-Z0-9_./]+)*$")
]
VersionId = Annotated[str, StringConstraints(min_length=32, max_length=64, pattern=r"^[!-~]+$")]
VersionStage = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[!-~]+$")]
Decode = Literal["None", "Base64", "Base64URL", "Auto"]

SECRETS_PATH = "aws/reference/secretsmanager/"
"""Parameters of this path are secrets. Source: Systems Manager, "Referencing Secrets Manager secrets"."""


_VERSION_RULES: tuple[Rule, ...] = (
    at_most_one("versionStage", "versionId"),
    # A way around what the policy says of secrets, and without versions to tell.
    Rule(
        f"!has(self.parameter) || !self.parameter.contains('{SECRETS_PATH}')",
        f"parameters of {SECRETS_PATH} are secrets: name them with secret",
        lambda source: SECRETS_PATH not in (source.parameter or ""),
    ),
    Rule(
        "!has(self.parameter) || !(has(self.versionStage) || has(self.versionId))",
        "versionStage and versionId are for secrets; a parameter's name takes :VERSION or :LABEL",
        lambda source: (
            not ({"parameter"} <= source.given() and {"versionStage", "versionId"} & source.given())
        ),
    ),
)


class SourceReference(Model):
    """One version of a secret in Secrets Manager, or of a parameter in Parameter Store."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("secret", "parameter"), *_VERSION_RULES)

    secret: SecretId | None = None
    """Name or ARN of a secret in Secrets Manager."""

    parameter: ParameterId | None = None
    """Name or ARN of a parameter in Parameter Store, of any type; `:` and a version or a label may follow."""

    version_stage: VersionStage | None = None
    """Staging label of the secret's version. Defaults to AWSCURRENT."""

    version_id: VersionId | None = None
    """Id of the secret's version: pins it, so that a rotation changes nothing."""


class EcrSource(Model):
    """The password of a registry of ECR, as the text of a pull secret (`.dockerconfigjson`)."""

    registry_id: Annotated[str, StringConstraints(max_length=12, pattern=r"^[0-9]{12}$")] | None = None
    """Account of the registry that the password is for. Defaults to the account of who reads it."""

    region: (
        Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] | None
    ) = None
    """Region of the registry. Defaults to `spec.aws.region`."""


class KeySource(SourceReference):
    """Where the value of one key comes from."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("secret", "parameter", "ecr"),
        *_VERSION_RULES,
        Rule(
            "!has(self.ecr) || !(has(self.versionStage) || has(self.versionId) || has(self.property)"
            " || has(self.decode))",
            "versionStage, versionId, property and decode are not for ecr",
            lambda source: (
                "ecr" not in source.given()
                or not {"versionStage", "versionId", "property", "decode"} & source.given()
            ),
        ),
    )

    ecr: EcrSource | None = None
    """Password of a registry of ECR. It is renewed when a third of its life is left, whatever `refresh` says,
    and restarts nothing."""

    property: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Path of a property in the JSON, with dots between its parts and numbers for places in lists. A property
    whose name itself has dots wins over a path. Of a StringList, the number of an element, from 0. Defaults
    to the whole as it is."""

    decode: Decode | None = None
    """How the value is decoded, after the property is taken. `Base64` and `Base64URL` refuse what is not;
    `Auto` decodes what is padded Base64, or else padded Base64URL, and leaves all else. Defaults to None."""


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
    """Whether the Secret may be without this key when the secret, parameter or property does not exist. A key
    that is there stays when its source goes, unless onSourceDelete is Delete. Defaults to false."""


class ExtractSource(SourceReference):
    """A secret or parameter that holds many keys."""

    format: Literal["json", "dotenv"] | None = None
    """`json`: one object, each property a key; nested values become JSON text. `dotenv`: lines KEY=value.
    Defaults to json."""


class DataFromEntry(Model):
    """Several keys of the Secret."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("extract", "find"),)

    extract: ExtractSource | None = None
    """Takes every key of one secret or parameter."""

    find: FindSource | None = None
    """Takes every secret that meets all criteria, or every parameter below a path: each is one key."""

    rewrite: Annotated[list[Rewrite], Field(max_length=MOST_REWRITES)] | None = None
    """Steps, one after the other, that turn names into keys. Two names that become one key are an error."""

    decode: Decode | None = None
    """How each value is decoded, as in `data[].from.decode`. Defaults to None."""

    optional: bool | None = None
    """Whether the secret or parameter may not exist, or nothing may be found. Defaults to false."""
