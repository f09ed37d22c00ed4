"""Everything that goes into a render, read as the release's own account.

Invariant: the input digest changes exactly when something that could change the rendered objects does;
it is a function of contents, never of resourceVersions or times.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pierhead.apps import values as helm_values
from pierhead.apps.accesses import Accesses
from pierhead.apps.aws import AwsScopes
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.rendering import ValuesReference
from pierhead.apps.model.sources import Source
from pierhead.apps.references import read_reference
from pierhead.apps.sources.artifact import Artifact, inside
from pierhead.apps.sources.fetcher import Provided, Sources
from pierhead.engine.outcome import Invalid, ReconcileError, Transient
from pierhead.engine.resource import ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import CONFIG_MAPS, SECRETS

_RENDERER_GENERATION = "1"
"""Part of every digest: raised when the same input renders to something else."""

_TELLING = 4
"""Shorter values are not masked: they would take half of every message along."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is rendered, and by which name it is known."""

    digest: str
    source: Artifact
    overlay: Artifact | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    """All layers of Helm values, merged."""

    source_failure: ReconcileError | None = None
    """Why the artifacts may be stale."""

    sensitive: frozenset[str] = field(default=frozenset(), repr=False)
    """Texts that came from Secrets, and must not come back in an error."""

    def masked(self, text: str) -> str:
        """The text without anything sensitive: Helm and the API server quote what they refuse."""
        for value in sorted(self.sensitive, key=len, reverse=True):
            text = text.replace(value, "***")
        return text


class InputReader:
    """Reads the inputs of one AppRelease."""

    def __init__(self, sources: Sources, client: Client, scopes: AwsScopes, *, interval: float) -> None:
        """`interval` is in seconds, between looks at the sources."""
        self._sources = sources
        self._client = client
        self._accesses = Accesses(client, scopes)
        self._interval = interval

    async def read(self, spec: AppReleaseSpec, key: ObjectKey, *, force: bool) -> Inputs:
        """All inputs as they are now.

        Raises Waiting while a source is first fetched; Invalid and Denied name the field at fault.
        """
        source = await self._provide(spec, spec.source, key, at="spec.source", force=force)
        overlay = None
        if spec.kustomize is not None and spec.kustomize.source is not None:
            overlay = await self._provide(
                spec, spec.kustomize.source, key, at="spec.kustomize.source", force=force
            )
        merged: Mapping[str, Any] = {}
        sensitive: set[str] = set()
        if spec.helm is not None:
            layers = [
                self._file(source.artifact, spec, index) for index in range(len(spec.helm.values_files or ()))
            ]
            for index, reference in enumerate(spec.helm.values_from or ()):
                at = f"spec.helm.valuesFrom[{index}]"
                layers.append(await self._referred(reference, key.namespace, at))
                if reference.secret is not None:
                    sensitive |= set(_texts(layers[-1]))
            merged = helm_values.merge([*layers, spec.helm.values or {}])
        failure = source.failure or (overlay.failure if overlay else None)
        return Inputs(
            digest=_digest(spec, source.artifact, overlay.artifact if overlay else None, merged),
            source=source.artifact,
            overlay=overlay.artifact if overlay else None,
            values=merged,
            source_failure=failure,
            sensitive=frozenset(sensitive),
        )

    async def _provide(
        self, spec: AppReleaseSpec, source: Source, key: ObjectKey, *, at: str, force: bool
    ) -> Provided:
        if source.inline is not None:
            return self._sources.files(source.inline.files, at=f"{at}.inline.files")
        if source.config_map is not None:
            at = f"{at}.configMap"
            obj = await self._read(CONFIG_MAPS, source.config_map.name, key.namespace, at=at)
            return self._sources.config_map(source.config_map, obj, at=at)
        field, access = await self._accesses.of(source, spec.aws, key.namespace, at=at)
        return self._sources.remote(
            source, access, user=key, interval=self._interval, force=force, at=f"{at}.{field}"
        )

    async def _referred(self, reference: ValuesReference, namespace: str, at: str) -> dict[str, Any]:
        named = reference.config_map or reference.secret
        assert named is not None, "the model holds exactly one"  # noqa: S101
        resource = CONFIG_MAPS if reference.config_map is not None else SECRETS
        at = f"{at}.{'configMap' if reference.config_map is not None else 'secret'}"
        try:
            data = (await self._read(resource, named.name, namespace, at=at)).get("data") or {}
        except Transient as error:
            if reference.optional and isinstance(error.__cause__, NotFound):
                return {}
            raise
        if named.key not in data:
            if reference.optional:
                return {}
            raise Invalid(
                f"{resource.kind} {named.name} has no key {named.key!r}", reason="KeyNotFound", field=at
            )
        text = data[named.key] if reference.config_map is not None else _text(data[named.key], at)
        return helm_values.parse(text, field=at)

    async def _read(self, resource: Any, name: str, namespace: str, *, at: str) -> Mapping[str, Any]:
        return await read_reference(self._client, resource, name, namespace, at=at)

    def _file(self, artifact: Artifact, spec: AppReleaseSpec, index: int) -> dict[str, Any]:
        assert spec.helm is not None, "values files belong to helm"  # noqa: S101
        at = f"spec.helm.valuesFiles[{index}]"
        path = inside(artifact.path, (spec.helm.values_files or [])[index], field=at)
        try:
            return helm_values.parse(path.read_text(), field=at)
        except (OSError, UnicodeDecodeError):
            raise Invalid("this is not a text file", reason="InvalidValues", field=at) from None


def _texts(value: Any) -> Iterator[str]:
    """The texts and numbers in a tree of values that are long enough to tell something."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool) and len(str(value)) >= _TELLING:
        yield str(value)


def _text(encoded: str, at: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Invalid("the Secret's value is not text", reason="InvalidValues", field=at) from None


def _digest(
    spec: AppReleaseSpec, source: Artifact, overlay: Artifact | None, values: Mapping[str, Any]
) -> str:
    """Covers what is rendered and how; leaves out how the result is watched, kept and rolled back."""
    kustomize = spec.kustomize
    parts = {
        "renderer": _RENDERER_GENERATION,
        "source": source.digest,
        "overlay": overlay.digest if overlay else None,
        "helm": {"path": spec.helm.path, "hooks": spec.helm.disable_hooks} if spec.helm else None,
        "values": values,
        "kustomize": {"path": kustomize.path, "inline": kustomize.inline} if kustomize else None,
    }
    return f"sha256:{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}"
