"""How an AppRelease's files become objects: a chart, an overlay, or both.

Invariant: what is rendered depends on nothing but these fields and what they name.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.apps.model.scalars import RelativePath
from pierhead.apps.model.sources import Source
from pierhead.apps.model.values import ValuesReference
from pierhead.model import FreeForm, Model, Rule, exactly_one


class TestFilter(Model):
    """Names a test."""

    __test__: ClassVar[bool] = False

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Name of the test hook's object."""

    exclude: bool = False
    """Whether it is left out instead of being one of those that run. Defaults to false."""


class HelmTest(Model):
    """The chart's tests: hooks of the event `test`, run one after another."""

    enabled: bool = False
    """Whether they run. Defaults to false."""

    ignore_failures: bool = False
    """Whether a failed test leaves the revision deployed; otherwise it is rolled back. Defaults to false."""

    filters: list[TestFilter] | None = Field(default=None, max_length=32)
    """Which tests run. Defaults to all."""


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
    """Whether a chart's hooks are left out, tests apart. Defaults to false."""

    crds: Literal["Skip", "Create", "CreateReplace"] | None = None
    """What becomes of the CRDs in the chart's `crds/`: nothing, those that the cluster lacks are created, or
    the others are brought up to date too. None is ever deleted or taken back. Defaults to Create."""

    test: HelmTest | None = None
    """Runs the chart's tests when a revision is deployed."""


class Kustomize(Model):
    """The overlay: from a path, or inline; after Helm where both are given."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("inline", "path"),)

    source: Source | None = None
    """Where the overlay comes from; with `inline` it only has files that `helm.valuesFrom` names. Defaults to
    `spec.source`."""

    path: RelativePath | None = None
    """Directory with the kustomization, relative to its source's root; `.` is the root itself."""

    inline: FreeForm | None = None
    """Fields of a kustomization.yaml, applied to what was rendered before."""
