"""Everything that goes into a render, read as the release's own account.

Invariant: the input digest changes exactly when something that could change the rendered objects does;
it is a function of contents, never of resourceVersions or times.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pierhead.apps.aws import AwsScopes
from pierhead.apps.images.pins import Pin
from pierhead.apps.images.updates import Chosen
from pierhead.apps.inputs.accesses import Accesses
from pierhead.apps.inputs.aws import AwsValues
from pierhead.apps.inputs.layers import LayerReader, Layers
from pierhead.apps.inputs.references import Reader
from pierhead.apps.inputs.texts import secret_texts
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.rendering import Helm
from pierhead.apps.model.sources import Source
from pierhead.apps.sources.artifact import Artifact
from pierhead.apps.sources.fetcher import Provided, Sources
from pierhead.engine.outcome import Conflict, ReconcileError
from pierhead.engine.resource import ObjectKey
from pierhead.kube.resources import CONFIG_MAPS

_RENDERER_GENERATION = "1"
"""Part of every digest: raised when the same input renders to something else."""


@dataclass(slots=True)
class Inputs:
    """What is rendered, and by which name it is known."""

    digest: str
    source: Artifact
    overlay: Artifact | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    """All layers of Helm values, merged; empty until `load` where nothing of them moved."""

    source_failure: ReconcileError | None = None
    """Why the artifacts may be stale."""

    sensitive: frozenset[str] = field(default=frozenset(), repr=False)
    """Texts that came from Secrets or AWS, and must not come back in an error."""

    layers: Layers | None = field(default=None, repr=False)
    """Where the values come from, until they were read."""

    pins: tuple[Pin, ...] = ()
    """The images that were chosen for it."""

    images: tuple[Mapping[str, Any], ...] = ()
    """`status.images`."""

    async def load(self) -> None:
        """Reads the values where only their digest is known; free when they are.

        Raises Conflict when they moved since, and whatever reading them raises.
        """
        if self.layers is None or self.layers.unread is None:
            return
        layers = await self.layers.unread()
        if layers.digest != self.layers.digest:
            raise Conflict("the values moved")
        self.values, self.sensitive, self.layers = layers.values, layers.sensitive, layers

    async def told(self, text: str) -> str:
        """The text as `masked` has it, the values read for that if need be."""
        try:
            await self.load()
        except ReconcileError as error:
            return f"what went wrong is not shown, because it may quote values that cannot be read: {error}"
        return self.masked(text)

    def hide(self, found: Any) -> None:
        """Masks what a template looked up in a Secret, or in a list of them, as well."""
        objects = found if isinstance(found, list) else [found] if found is not None else []
        self.sensitive |= frozenset(text for obj in objects for text in secret_texts(obj))

    def with_images(self, chosen: Chosen) -> "Inputs":
        """The same inputs, rendered with these images."""
        pins = [[pin.name, pin.tag, pin.digest] for pin in chosen.pins]
        text = json.dumps([self.digest, sorted(pins)])
        return replace(
            self,
            digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
            pins=chosen.pins,
            images=chosen.status,
            source_failure=self.source_failure or chosen.failure,
        )

    def masked(self, text: str) -> str:
        """The text without anything sensitive: Helm and the API server quote what they refuse."""
        for value in sorted(self.sensitive, key=len, reverse=True):
            text = text.replace(value, "***")
        return text


class InputReader:
    """Reads the inputs of one AppRelease."""

    def __init__(
        self,
        sources: Sources,
        references: Reader,
        aws: AwsValues,
        scopes: AwsScopes,
        *,
        interval: float,
    ) -> None:
        """`interval` is in seconds, between looks at the sources."""
        self._sources = sources
        self._references = references
        self._aws = aws
        self._scopes = scopes
        self._accesses = Accesses(references, scopes)
        self._interval = interval

    async def read(
        self, spec: AppReleaseSpec, key: ObjectKey, *, force: bool, settled: bool = False
    ) -> Inputs:
        """All inputs as they are now; of a `settled` release without values that did not move.

        Raises Waiting while a source is first fetched; Invalid and Denied name the field at fault.
        """
        source = await self._provide(spec, spec.source, key, at="spec.source", force=force)
        overlay = None
        if spec.kustomize is not None and spec.kustomize.source is not None:
            overlay = await self._provide(
                spec, spec.kustomize.source, key, at="spec.kustomize.source", force=force
            )
        artifact = overlay.artifact if overlay else None
        reader = LayerReader(
            self._references,
            self._aws,
            lambda: self._scopes.of(spec.aws, self._references),
            interval=self._interval,
            force=force,
        )
        layers = await reader.read(spec.helm, source.artifact, artifact, settled=settled)
        return Inputs(
            digest=_digest(spec, source.artifact, artifact, layers.digest),
            source=source.artifact,
            overlay=artifact,
            values=layers.values,
            source_failure=source.failure or (overlay.failure if overlay else None) or layers.failure,
            sensitive=layers.sensitive,
            layers=layers,
        )

    async def _provide(
        self, spec: AppReleaseSpec, source: Source, key: ObjectKey, *, at: str, force: bool
    ) -> Provided:
        if source.inline is not None:
            return self._sources.files(source.inline.files, at=f"{at}.inline.files")
        if source.config_map is not None:
            named, at = source.config_map, f"{at}.configMap"
            return await self._references.derived(
                CONFIG_MAPS,
                named.name,
                at=at,
                make=lambda obj: self._sources.config_map(named, obj, at=at),
                valid=lambda made: self._sources.holds(made.artifact),
            )
        field, access = await self._accesses.of(source, spec.aws, at=at)
        return self._sources.remote(
            source, access, user=key, interval=self._interval, force=force, at=f"{at}.{field}"
        )


def _of_helm(helm: Helm) -> dict[str, Any]:
    found = {"path": helm.path, "hooks": helm.disable_hooks}
    return found if helm.crds in {None, "Create"} else {**found, "crds": helm.crds}


def _digest(spec: AppReleaseSpec, source: Artifact, overlay: Artifact | None, values: str) -> str:
    """Covers what is rendered and how; leaves out how the result is watched, kept and rolled back."""
    kustomize = spec.kustomize
    parts = {
        "renderer": _RENDERER_GENERATION,
        "source": source.digest,
        "overlay": overlay.digest if overlay else None,
        "helm": _of_helm(spec.helm) if spec.helm else None,
        "values": values,
        "kustomize": {"path": kustomize.path, "inline": kustomize.inline} if kustomize else None,
    }
    return f"sha256:{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}"
