"""How an AppRelease's files become objects: a chart, an overlay, or both.

Invariant: what is rendered depends on nothing but these fields and what they name.
"""

from typing import ClassVar

from pydantic import Field

from pierhead.apps.model.scalars import RelativePath
from pierhead.apps.model.sources import Source
from pierhead.apps.model.values import ValuesReference
from pierhead.model import FreeForm, Model, Rule, exactly_one


class Helm(Model):
    """How the source is rendered as a chart."""

    path: RelativePath | None = None
    """Where in the source the chart is. Defaults to the source's root; a packaged chart needs none."""

    values: FreeForm | None = None
    """Values; they win over every entry of `valuesFrom` but those with a `targetPath`."""

    values_from: list[ValuesReference] | None = Field(default=None, max_length=32)
    """Values kept elsewhere, each merged over the ones before it."""

    values_files: list[RelativePath] | None = Field(default=None, max_length=32)
    """Values files of the source, each merged over the ones before it; `valuesFrom` wins over them."""

    disable_hooks: bool = False
    """Whether a chart's hooks are left out. A chart with hooks is refused otherwise. Defaults to false."""


class Kustomize(Model):
    """The overlay: from a path, or inline; after Helm where both are given."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("inline", "path"),
        Rule(
            "!has(self.source) || has(self.path)",
            "source needs path",
            lambda kustomize: kustomize.source is None or kustomize.path is not None,
        ),
    )

    source: Source | None = None
    """Where the overlay comes from. Defaults to `spec.source`."""

    path: RelativePath | None = None
    """Directory with the kustomization, relative to its source's root; `.` is the root itself."""

    inline: FreeForm | None = None
    """Fields of a kustomization.yaml, applied to what was rendered before."""
