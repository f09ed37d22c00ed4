"""Renders an AppRelease on this machine, with the operator's own renderer.

Invariant: nothing is written to a cluster; without one, templates see the versions that were given and find
nothing by `lookup`.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml

from pierhead.apps.images.pins import Pin
from pierhead.apps.model import RESOURCE, AppReleaseSpec
from pierhead.apps.names import release_name
from pierhead.apps.rendering import Rendered, Renderer
from pierhead.cli.apps.given import Given, Lookup
from pierhead.cli.apps.local import LocalInputs
from pierhead.cli.cluster import Cluster
from pierhead.cli.failures import CommandError
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import ResourceType, split_api_version
from pierhead.render.pool import RendererPool
from pierhead.render.protocol import Release
from pierhead.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be rendered, and as which revision templates see it."""

    obj: Object
    namespace: str
    given: Given
    revision: int = 1
    pins: tuple[Pin, ...] = ()
    """The images that were chosen for `spec.images`."""

    @property
    def spec(self) -> AppReleaseSpec:
        """The spec. Raises Invalid naming the field at fault."""
        return RESOURCE.parse(self.obj)

    @property
    def release(self) -> Release:
        """What templates see as `.Release`."""
        name = release_name(self.obj["metadata"]["name"])
        return Release(name, self.namespace, self.revision, is_upgrade=self.revision > 1)


class NoCluster:
    """What a render asks a cluster for, where there is none."""

    def __init__(self, *, kube_version: str = "", api_versions: Sequence[str] = ()) -> None:
        self._kube_version = kube_version
        self._api_versions = frozenset(api_versions)

    async def server_version(self) -> str:
        """The version that was given; empty for the one Helm assumes."""
        return self._kube_version

    async def api_versions(self) -> frozenset[str]:
        """The API versions that were given."""
        return self._api_versions

    async def resource_for(self, api_version: str, kind: str) -> ResourceType:
        """Some resource for any kind: `lookup` finds nothing in it."""
        group, version = split_api_version(api_version)
        return ResourceType(group, version, kind.lower(), kind)

    async def get(self, resource: ResourceType, name: str, namespace: str | None = None) -> Object:
        """Raises NotFound."""
        raise NotFound(f"{resource.kind} {namespace}/{name} is not looked up without a cluster")

    async def pages(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Nothing."""
        nothing: tuple[Any, ...] = ()
        for page in nothing:
            yield page


async def rendered(
    wanted: Wanted, *, cluster: Cluster | None, lookup: Lookup, offline: NoCluster
) -> tuple[Rendered, frozenset[str]]:
    """What the operator would render, and the texts in it that came from Secrets.

    Raises CommandError, and Invalid as the operator would, with nothing of those texts.
    """
    spec = wanted.spec
    discovery = cluster.discovery if cluster is not None else cast("Discovery", offline)
    client = cluster.client if cluster is not None else cast("Client", offline)
    async with _pool() as pool:
        with tempfile.TemporaryDirectory(prefix="pierhead-") as scratch:
            read = await LocalInputs(wanted.given, lookup, Path(scratch)).read(spec)
            inputs = replace(read, pins=wanted.pins)
            try:
                found = await Renderer(pool, discovery).render(spec, inputs, wanted.release, client)
            except Invalid as error:
                error.message = inputs.masked(error.message)
                raise
            return found, inputs.sensitive


def pins_of(status: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[Pin, ...]:
    """The images that the operator has chosen, as far as the spec still asks for them."""
    wanted = {entry.get("name") for entry in spec.get("images") or ()}
    chosen = [entry for entry in status.get("images") or () if entry["name"] in wanted]
    return tuple(Pin(entry["name"], entry["tag"], entry["digest"]) for entry in chosen)


def hooks_of(found: Rendered) -> list[Object]:
    """The objects of a rendering's hooks, where it has any."""
    stored: Iterable[Mapping[str, Any]] = getattr(found, "hooks", ())
    documents = (yaml.load(hook["manifest"], Loader=yaml.CSafeLoader) for hook in stored)
    return [document for document in documents if isinstance(document, dict)]


@asynccontextmanager
async def _pool() -> AsyncIterator[RendererPool]:
    settings = Settings()
    path = settings.renderer_path
    if not os.access(path, os.X_OK):
        raise CommandError(
            f"there is no renderer at {path}: set PIERHEAD_RENDERER_PATH to the pierhead-renderer of the "
            "image, or of a checkout after `make binaries`"
        )
    async with RendererPool(
        path,
        processes=1,
        memory_mib=settings.renderer_memory_mib,
        deadline_seconds=settings.renderer_deadline_seconds,
    ) as pool:
        yield pool
