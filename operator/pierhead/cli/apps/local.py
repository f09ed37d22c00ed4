"""What a render on this machine is given: the caller's files in place of what the operator would fetch.

Invariant: the same objects come out as the operator would render, or an error names the part of the spec
that has to be given; nothing is taken to be empty because it is not here.
"""

import base64
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pierhead.apps.inputs.layering import Layering
from pierhead.apps.inputs.reader import Inputs
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.rendering import Helm
from pierhead.apps.model.sources import GitSource, Source
from pierhead.apps.model.values import ValuesReference
from pierhead.apps.sources.artifact import Artifact, digest_of, safe_path
from pierhead.apps.sources.files import text_of
from pierhead.cli.apps.fetching import fetched
from pierhead.cli.apps.given import Given, Lookup
from pierhead.cli.failures import CommandError
from pierhead.cli.masking import texts_of
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.resources import CONFIG_MAPS, SECRETS

_OPEN = frozenset({"configMap", "file"})
"""Entries of valuesFrom that hold nothing secret."""

_KINDS = {"configMap": CONFIG_MAPS, "secret": SECRETS}


class LocalInputs:
    """Reads the inputs of one AppRelease; fetched files go below `scratch`."""

    def __init__(self, given: Given, lookup: Lookup, scratch: Path) -> None:
        self._given = given
        self._lookup = lookup
        self._scratch = scratch

    async def read(self, spec: AppReleaseSpec) -> Inputs:
        """All inputs. Raises CommandError for what is missing, and Invalid as the operator would."""
        source = await self._artifact(spec.source, self._given.source, at="spec.source", option="--local")
        overlay = None
        if spec.kustomize is not None and spec.kustomize.source is not None:
            at = "spec.kustomize.source"
            overlay = await self._artifact(
                spec.kustomize.source, self._given.overlay, at=at, option="--local-overlay"
            )
        sensitive: set[str] = set()
        values: Mapping[str, Any] = {}
        if spec.helm is not None:
            values = await self._values(spec.helm, source, overlay, sensitive)
        return Inputs(
            digest="", source=source, overlay=overlay, values=values, sensitive=frozenset(sensitive)
        )

    async def _artifact(self, source: Source, given: Path | None, *, at: str, option: str) -> Artifact:
        if given is not None:
            return _here(given, option)
        if source.inline is not None:
            return self._written({name: text.encode() for name, text in source.inline.files.items()}, at)
        if source.config_map is not None:
            found = await self._lookup(CONFIG_MAPS, source.config_map.name)
            if found is None:
                raise CommandError(
                    f"{at}.configMap: ConfigMap {source.config_map.name} is not here; give {option}"
                )
            held = {key: text.encode() for key, text in (found.get("data") or {}).items()}
            held |= {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}
            items = source.config_map.items
            missing = [item.key for item in items or () if item.key not in held]
            if missing:
                raise CommandError(f"{at}.configMap: there is no key {missing[0]!r}")
            return self._written(held if items is None else {item.path: held[item.key] for item in items}, at)
        if source.git is not None:
            return self._cloned(source.git, at=at, option=option)
        return await fetched(source, self._lookup, self._scratch / at, at=at, option=option)

    def _written(self, files: Mapping[str, bytes], at: str) -> Artifact:
        folder = self._scratch / at
        for name, content in files.items():
            target = folder / safe_path(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        digest = digest_of(files)
        return Artifact(revision=digest.removeprefix("sha256:")[:12], digest=digest, path=folder)

    def _cloned(self, source: GitSource, *, at: str, option: str) -> Artifact:
        """A checkout by the caller's own git, with their own credentials."""
        ref = source.ref
        moving = (ref.given() if ref is not None else frozenset()) - {"branch", "tag", "commit"}
        if moving:
            raise CommandError(f"{at}.git.ref.{min(moving)} is resolved by the operator alone: give {option}")
        wanted = (ref.commit or ref.tag or ref.branch) if ref is not None else None
        folder = self._scratch / at
        try:
            self._git("init", "--quiet", str(folder))
            self._git("-C", str(folder), "fetch", "--quiet", "--depth=1", "--", source.url, wanted or "HEAD")
            self._git("-C", str(folder), "checkout", "--quiet", "FETCH_HEAD")
            commit = self._git("-C", str(folder), "rev-parse", "HEAD").strip()
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            said = getattr(error, "stderr", "") or str(error)
            last = said.strip().rpartition("\n")[2]
            raise CommandError(f"{at}.git: {last}; give its files with {option}") from None
        shutil.rmtree(folder / ".git")
        return Artifact(revision=f"{wanted or 'HEAD'}@{commit}", digest=f"sha1:{commit}", path=folder)

    def _git(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout  # noqa: S603, S607

    async def _values(
        self, helm: Helm, source: Artifact, overlay: Artifact | None, sensitive: set[str]
    ) -> Mapping[str, Any]:
        """All layers merged, as the operator merges them; adds to `sensitive` what is nobody's to see."""
        layering = Layering()
        for index, name in enumerate(helm.values_files or ()):
            at = f"spec.helm.valuesFiles[{index}]"
            layering.add_file(text_of(source, name, field=at), field=at)
        for index, reference in enumerate(helm.values_from or ()):
            at = f"spec.helm.valuesFrom[{index}]"
            text = await self._text(index, reference, source, overlay, at)
            if text is None:
                continue
            value = layering.add_entry(reference, text, index=index, field=at)
            if not reference.given() & _OPEN:
                sensitive |= texts_of(value)
        return layering.merged(helm)

    async def _text(
        self, index: int, reference: ValuesReference, source: Artifact, overlay: Artifact | None, at: str
    ) -> str | None:
        """The text of an entry of valuesFrom; None for an optional one that is not there."""
        option = f"--values-from {index}=FILE"
        if index in self._given.values:
            return self._given.values[index].read_text()
        if reference.file is not None:
            artifact = overlay if reference.file.source == "Overlay" else source
            if artifact is None:
                raise CommandError(f"{at}.file: spec.kustomize.source is not given")
            return text_of(artifact, reference.file.path, field=f"{at}.file")
        kind = min(reference.given() & {"configMap", "secret", "parameter", "secretsManager"})
        if kind not in _KINDS:
            raise CommandError(f"{at}.{kind} is read by the operator alone: give {option}")
        named = reference.config_map or reference.secret
        assert named is not None, "the model holds exactly one"  # noqa: S101
        try:
            found = await self._lookup(_KINDS[kind], named.name)
        except ReconcileError as error:
            raise CommandError(f"{at}.{kind}: {error.message}; or give {option}") from None
        text = _data_of(found or {}, named.key)
        if text is None and not reference.optional:
            why = f"has no key {named.key!r}" if found is not None else "is not here"
            raise CommandError(f"{at}.{kind}: {_KINDS[kind].kind} {named.name} {why}; or give {option}")
        return text


def _data_of(obj: Object, key: str) -> str | None:
    """The text of a key of a ConfigMap or Secret."""
    if key in (obj.get("stringData") or {}):
        return str(obj["stringData"][key])
    text = (obj.get("data") or {}).get(key)
    if text is None or obj["kind"] == "ConfigMap":
        return text
    return base64.b64decode(text).decode()


def _here(path: Path, option: str) -> Artifact:
    if not path.exists():
        raise CommandError(f"{option}: there is no {path}")
    return Artifact(revision=str(path), digest=f"sha256:{'0' * 64}", path=path.resolve())
