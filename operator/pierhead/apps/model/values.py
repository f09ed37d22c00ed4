"""Helm values that are kept elsewhere than in the AppRelease.

Invariant: an entry names one place, and what is there goes to one place: the root of the values, or a path.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.apps.model.scalars import ObjectDataKey, RelativePath
from pierhead.model import DNSSubdomain, Model, Rule, exactly_one

_NAME = r"([-a-zA-Z0-9_/@:+~ ]|\\[.])+"
TARGET_PATH = rf"^{_NAME}(\[[0-9]{{1,3}}\])*(\.{_NAME}(\[[0-9]{{1,3}}\])*)*$"
r"""Names with dots between them, `\.` for a dot in a name, and `[0]` for a place in a list."""


class DataKey(Model):
    """One key of a ConfigMap or Secret."""

    name: DNSSubdomain
    """The object's name."""

    key: ObjectDataKey = "values.yaml"
    """Key in its data. Defaults to `values.yaml`."""


class ParameterName(Model):
    """A parameter of AWS Systems Manager."""

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=2048, pattern=r"^[-a-zA-Z0-9_./]+(:[-a-zA-Z0-9_./]+)*$"),
    ]
    """Name or ARN, of any type of parameter; `:` and a version or a label may follow."""


class SecretProperty(Model):
    """A secret of AWS Secrets Manager, or a property in it."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[-A-Za-z0-9/_+=.@:]+$")]
    """Name or ARN of the secret."""

    property: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Path of a property in the secret's JSON, with dots between its parts and numbers for places in lists.
    A property whose name itself has dots wins over a path. Defaults to the whole secret as it is."""


class ValuesFile(Model):
    """A file of a source."""

    path: RelativePath
    """The file, relative to its source's root."""

    source: Annotated[Literal["Source", "Overlay"], Field(alias="from")] = "Source"
    """`Source` is `spec.source`, `Overlay` is `spec.kustomize.source`. Defaults to Source."""


class ValuesReference(Model):
    """Values kept elsewhere: one of `configMap`, `secret`, `parameter`, `secretsManager` and `file`."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("configMap", "secret", "parameter", "secretsManager", "file"),
        Rule(
            "!has(self.format) || has(self.targetPath)",
            "format needs a targetPath",
            lambda reference: "format" not in reference.given() or "targetPath" in reference.given(),
        ),
    )

    config_map: DataKey | None = None
    """A ConfigMap's key that holds a YAML mapping."""

    secret: DataKey | None = None
    """A Secret's key that holds a YAML mapping."""

    parameter: ParameterName | None = None
    """A parameter of AWS Systems Manager, read as `spec.aws` says and again every `spec.interval`."""

    secrets_manager: SecretProperty | None = None
    """A secret of AWS Secrets Manager, read like a parameter."""

    file: ValuesFile | None = None
    """A YAML file of `spec.source` or `spec.kustomize.source`."""

    target_path: (
        Annotated[str, StringConstraints(min_length=1, max_length=250, pattern=TARGET_PATH)] | None
    ) = None
    r"""Where the value goes, as in `helm --set`: names with dots between them, `\.` for a dot in a name, and
    `[0]` for a place in a list. It wins over `values`. Defaults to the root, for a mapping."""

    format: Literal["Text", "YAML"] | None = None
    """What goes to `targetPath`: exactly the text, or the YAML it holds. Defaults to Text."""

    optional: bool = False
    """Whether what does not exist (object, key, parameter, secret, property, file) is skipped instead of an
    error. Defaults to false."""
