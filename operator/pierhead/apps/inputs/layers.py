"""The layers of an AppRelease's Helm values, read from where they are kept.

Invariant: while nothing moved that the values of a settled release are made of, they are not read again: then
their digest alone is known. The order in which they are merged is `layering`'s.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pierhead.apps.aws import AwsScope
from pierhead.apps.inputs.aws import Answer, AwsReference, AwsValues
from pierhead.apps.inputs.layering import Layering
from pierhead.apps.inputs.references import Reader
from pierhead.apps.inputs.texts import data_text, property_text, telling, whole_text
from pierhead.apps.model.rendering import Helm
from pierhead.apps.model.values import DataKey, ValuesReference
from pierhead.apps.sources.artifact import Artifact
from pierhead.apps.sources.files import text_of
from pierhead.aws.errors import AwsError
from pierhead.aws.parameters import without_selector
from pierhead.engine.outcome import Invalid, ReconcileError, Transient
from pierhead.kube.resources import CONFIG_MAPS, SECRETS, ResourceType

_MISSING = frozenset({"KeyNotFound", "PathNotFound", "ReferenceNotFound"})
"""Reasons of errors that `optional` forgives."""


@dataclass(slots=True)
class Layers:
    """All layers in one."""

    digest: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sensitive: frozenset[str] = field(default=frozenset(), repr=False)
    """Texts that came from Secrets or from AWS."""

    failure: ReconcileError | None = None
    """Why some of it may be stale."""

    unread: Callable[[], Awaitable["Layers"]] | None = field(default=None, repr=False)
    """Reads the values, where only the digest is known because nothing moved."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of `valuesFrom`."""

    reference: ValuesReference
    at: str
    """The field that says where the value is."""

    answer: Answer | None = field(default=None, repr=False)
    """What AWS said."""

    @property
    def named(self) -> tuple[ResourceType, DataKey] | None:
        """The ConfigMap or Secret, and which key of it."""
        if self.reference.config_map is not None:
            return CONFIG_MAPS, self.reference.config_map
        return (SECRETS, self.reference.secret) if self.reference.secret is not None else None

    @property
    def in_aws(self) -> bool:
        """Whether it is read from AWS."""
        return self.reference.parameter is not None or self.reference.secrets_manager is not None

    @property
    def sensitive(self) -> bool:
        """Whether its text must not come back in an error."""
        return self.in_aws or self.reference.secret is not None


@dataclass(frozen=True, slots=True)
class _Memo:
    """The digest of what was read last, and what that was made of."""

    made_of: tuple[Any, ...]
    digest: str


class LayerReader:
    """Reads the values of one AppRelease, in one pass."""

    def __init__(
        self,
        references: Reader,
        aws: AwsValues,
        scope: Callable[[], Awaitable[AwsScope]],
        *,
        interval: float,
        force: bool,
    ) -> None:
        """`scope` is asked only where something of AWS is read; `interval` is in seconds."""
        self._references = references
        self._aws = aws
        self._scope = scope
        self._interval = interval
        self._force = force

    async def read(
        self, helm: Helm | None, source: Artifact, overlay: Artifact | None, *, settled: bool
    ) -> Layers:
        """The values as they are now; of a `settled` release the digest alone while nothing moved.

        Raises, naming the field, Transient for an object that does not exist, Invalid and Denied, and what
        AWS fails with while it has not answered once.
        """
        entries = await self._entries(helm)
        failure = next((_stale(entry) for entry in entries if entry.answer and entry.answer.failure), None)
        artifacts = (source.digest, overlay.digest if overlay else None)
        if helm is None or not (helm.values_from or helm.values_files):
            return await self._load(helm, source, overlay, entries)
        memo: _Memo | None = self._references.noted("values")

        async def load() -> Layers:
            layers = await self._load(helm, source, overlay, entries)
            layers.failure = failure
            read = self._made_of(entries, self._references.last_read)
            self._references.note("values", _Memo((*artifacts, *read), layers.digest))
            return layers

        now = (*artifacts, *self._made_of(entries, self._references.version))
        if not settled or memo is None or memo.made_of != now:
            return await load()
        return Layers(memo.digest, failure=failure, unread=load)

    async def _entries(self, helm: Helm | None) -> list[_Entry]:
        """All entries, with what AWS says for those it has to be asked about."""
        references = (helm.values_from if helm else None) or []
        entries = [
            _Entry(reference, f"spec.helm.valuesFrom[{index}].{_kind(reference)}")
            for index, reference in enumerate(references)
        ]
        in_aws = [index for index, entry in enumerate(entries) if entry.in_aws]
        scope = await self._scope() if in_aws else None
        wanted = {index: _aws_reference(entries[index], scope) for index in in_aws if scope is not None}
        self._aws.keep(self._references.user, wanted.values())
        answers = await asyncio.gather(
            *(self._ask(reference, entries[index].at) for index, reference in wanted.items())
        )
        for index, answer in zip(wanted, answers, strict=True):
            entries[index] = replace(entries[index], answer=answer)
        return entries

    async def _ask(self, reference: AwsReference, at: str) -> Answer:
        try:
            return await self._aws.read(
                reference, user=self._references.user, interval=self._interval, force=self._force
            )
        except AwsError as error:
            error.field = at
            raise

    def _made_of(
        self, entries: list[_Entry], version: Callable[[ResourceType, str], str | None]
    ) -> tuple[Any, ...]:
        """What tells whether a text of these has moved; unlike anything else where nothing tells."""
        parts: list[Any] = []
        for entry in entries:
            if entry.named is not None:
                resource, key = entry.named
                known = version(resource, key.name)
                parts.append(object() if known is None else known)
            else:
                parts.append(entry.answer.version if entry.answer else None)
        return tuple(parts)

    async def _load(
        self, helm: Helm | None, source: Artifact, overlay: Artifact | None, entries: list[_Entry]
    ) -> Layers:
        layering = Layering()
        for index, path in enumerate((helm.values_files if helm else None) or ()):
            at = f"spec.helm.valuesFiles[{index}]"
            layering.add_file(await _file(source, path, at), field=at)
        sensitive: set[str] = set()
        for index, entry in enumerate(entries):
            text = await self._text(entry, source, overlay)
            if text is None:
                continue
            value = layering.add_entry(entry.reference, text, index=index, field=entry.at)
            if entry.sensitive:
                sensitive |= set(telling(value))
        values = layering.merged(helm)
        self._references.settle()
        return Layers(_digest(values), values, frozenset(sensitive))

    async def _text(self, entry: _Entry, source: Artifact, overlay: Artifact | None) -> str | None:
        """The text an entry names; None for an optional one that does not exist."""
        try:
            return await self._required(entry, source, overlay)
        except (Invalid, Transient) as error:
            if entry.reference.optional and error.reason in _MISSING:
                return None
            raise

    async def _required(self, entry: _Entry, source: Artifact, overlay: Artifact | None) -> str:
        reference, at = entry.reference, entry.at
        if entry.named is not None:
            resource, key = entry.named
            obj = await self._references.get(resource, key.name, at=at)
            return data_text(obj, resource, key.key, field=at)
        if reference.file is not None:
            artifact = overlay if reference.file.source == "Overlay" else source
            if artifact is None:
                raise Invalid("spec.kustomize.source is not given", field=f"{at}.from")
            return await _file(artifact, reference.file.path, at)
        secret, text = reference.secrets_manager, entry.answer.text if entry.answer else None
        if text is None:
            named = secret or reference.parameter
            what = "secret" if secret is not None else "parameter"
            name = named.name if named is not None else ""
            raise Invalid(f"{what} {name} does not exist", reason="ReferenceNotFound", field=at)
        if secret is not None and secret.property is not None:
            return property_text(text, secret.property, field=at)
        return whole_text(text, field=at)


def _aws_reference(entry: _Entry, scope: AwsScope) -> AwsReference:
    parameter, secret = entry.reference.parameter, entry.reference.secrets_manager
    if parameter is not None:
        scope.check("parameter", without_selector(parameter.name), field=f"{entry.at}.name")
        return AwsReference(scope.identity, scope.region, "parameter", parameter.name)
    assert secret is not None, "the model holds exactly one"  # noqa: S101
    scope.check("secret", secret.name, field=f"{entry.at}.name")
    return AwsReference(scope.identity, scope.region, "secret", secret.name)


def _kind(reference: ValuesReference) -> str:
    (kind,) = reference.given() & {"configMap", "secret", "parameter", "secretsManager", "file"}
    return kind


def _stale(entry: _Entry) -> ReconcileError:
    """Why what AWS said last may be stale, with the field it is about."""
    assert entry.answer is not None, "only of entries with an answer"  # noqa: S101
    assert entry.answer.failure is not None, "only of failures"  # noqa: S101
    failure = entry.answer.failure.copy()
    failure.field = entry.at
    return failure


async def _file(artifact: Artifact, path: str, at: str) -> str:
    if artifact.path.is_dir():
        return text_of(artifact, path, field=at)
    return await asyncio.to_thread(text_of, artifact, path, field=at)


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
