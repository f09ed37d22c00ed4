"""What a render on this machine is given: the caller's files in place of what the operator would fetch.

Invariant: the same objects come out as the operator would render, or an error names the part of the spec
that has to be given; nothing is taken to be empty because it is not here.
"""

import base64
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pierhead.apps import values as helm_values
from pierhead.apps.inputs import Inputs
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.sources import GitSource, Source
from pierhead.apps.sources.artifact import Artifact, digest_of, inside, safe_path
from pierhead.cli.failures import CommandError
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.resources import CONFIG_MAPS, SECRETS, ResourceType
from pierhead.model import Model

Lookup = Callable[[ResourceType, str], Awaitable[Object | None]]
"""Finds a ConfigMap or Secret of the AppRelease's namespace; None where there is none."""

_KINDS = {"configMap": CONFIG_MAPS, "secret": SECRETS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the caller gives on the command line."""

    source: Path | None = None
    """Stands for `spec.source`: a directory, or a packaged chart."""

    overlay: Path | None = None
    """Stands for `spec.kustomize.source`."""

    values: Mapping[int, Path] = field(default_factory=dict)
    """Files that stand for entries of `spec.helm.valuesFrom`, by their place in it."""


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
        values = await self._values(spec, source) if spec.helm is not None else {}
        return Inputs(digest="", source=source, overlay=overlay, values=values)

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
        kind = next(iter(source.given()))
        raise CommandError(f"{at}.{kind} is fetched by the operator alone: give its files with {option}")

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

    async def _values(self, spec: AppReleaseSpec, source: Artifact) -> Mapping[str, Any]:
        assert spec.helm is not None, "values belong to helm"  # noqa: S101
        layers = []
        for index, name in enumerate(spec.helm.values_files or ()):
            at = f"spec.helm.valuesFiles[{index}]"
            layers.append(_parsed(inside(source.path, name, field=at).read_text(), at))
        for index, reference in enumerate(spec.helm.values_from or ()):
            at = f"spec.helm.valuesFrom[{index}]"
            text = await self._text(index, _as_written(reference), at)
            if text is not None:
                layers.append(_parsed(text, at))
        return helm_values.merge([*layers, spec.helm.values or {}])

    async def _text(self, index: int, entry: Mapping[str, Any], at: str) -> str | None:
        """The text of an entry of valuesFrom; None for an optional one that is not there."""
        if index in self._given.values:
            return self._given.values[index].read_text()
        kind = next((name for name in _KINDS if name in entry), None)
        if kind is None:
            named = min(entry.keys() - {"optional"})
            raise CommandError(f"{at}.{named} is read by the operator alone: give --values-from {index}=FILE")
        named = entry[kind]
        key = named.get("key", "values.yaml")
        try:
            found = await self._lookup(_KINDS[kind], named["name"])
        except ReconcileError as error:
            raise CommandError(f"{at}.{kind}: {error.message}; or give --values-from {index}=FILE") from None
        data = (found or {}).get("data") or {}
        given = (found or {}).get("stringData") or {} if kind == "secret" else {}
        if key in given:
            return str(given[key])
        if key in data:
            return str(data[key]) if kind == "configMap" else base64.b64decode(data[key]).decode()
        if entry.get("optional"):
            return None
        what = f"{_KINDS[kind].kind} {named['name']}"
        why = f"has no key {key!r}" if found is not None else "is not here"
        raise CommandError(f"{at}.{kind}: {what} {why}; or give --values-from {index}=FILE")


def _here(path: Path, option: str) -> Artifact:
    if not path.exists():
        raise CommandError(f"{option}: there is no {path}")
    return Artifact(revision=str(path), digest=f"sha256:{'0' * 64}", path=path.resolve())


def _parsed(text: str, at: str) -> dict[str, Any]:
    return helm_values.parse(text, field=at)


def _as_written(model: Model) -> dict[str, Any]:
    return model.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
