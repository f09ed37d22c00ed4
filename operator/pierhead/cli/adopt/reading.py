"""Where what is translated comes from: the cluster, or files.

Invariant: translations stay pure; what they ask for and is not known yet is fetched, and they begin again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pierhead.cli.adopt import argo, flux, flux_helm, flux_kustomize
from pierhead.cli.adopt.translation import Translation
from pierhead.cli.cluster import Cluster
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.engine.resource import Object
from pierhead.kube.errors import NotFound

_GROUPS = {
    "Application": "argoproj.io",
    "HelmRelease": "helm.toolkit.fluxcd.io",
    "Kustomization": "kustomize.toolkit.fluxcd.io",
}
_SOURCES = "source.toolkit.fluxcd.io"
_FLUX: dict[str, Callable[[Object, flux.Find], Translation]] = {
    "helmrelease": flux_helm.translate,
    "kustomization": flux_kustomize.translate,
}
_NAMES = {"helmrelease": "HelmRelease", "kustomization": "Kustomization"}


@dataclass
class _Missing(Exception):
    kind: str
    namespace: str
    name: str


class Reader:
    """Finds objects in files first, then in the cluster, if there is one."""

    def __init__(self, objects: Sequence[Object], cluster: Cluster | None) -> None:
        self._objects = list(objects)
        self._cluster = cluster

    async def flux(self, reference: str, namespace: str | None) -> Translation:
        """The AppRelease that equals `KIND/NAME`. Raises CommandError."""
        kind, _, name = reference.partition("/")
        short = kind.lower().removesuffix("s")
        short = {"hr": "helmrelease", "ks": "kustomization"}.get(short, short)
        if short not in _FLUX or not name:
            raise CommandError("--from-flux takes HelmRelease/NAME or Kustomization/NAME", ExitCode.USAGE)
        obj = await self._named(_NAMES[short], namespace, name)
        while True:
            try:
                return _FLUX[short](obj, self._known)
            except _Missing as missing:
                await self._fetch(missing)

    async def argo(self, name: str, namespace: str | None) -> Translation:
        """The AppRelease that equals an Application. Raises CommandError."""
        return argo.translate(await self._named("Application", namespace, name))

    async def _named(self, kind: str, namespace: str | None, name: str) -> Object:
        found = [obj for obj in self._objects if _is(obj, kind, namespace, name)]
        if found:
            return found[0]
        where = namespace or (self._cluster.namespace if self._cluster else "default")
        live = await self._live(kind, where, name)
        if live is None:
            raise CommandError(f"there is no {kind} {where}/{name}")
        return live

    def _known(self, kind: str, namespace: str, name: str) -> Object | None:
        for obj in self._objects:
            if _is(obj, kind, namespace, name):
                return obj
        if self._cluster is None:
            return None
        raise _Missing(kind, namespace, name)

    async def _fetch(self, missing: _Missing) -> None:
        live = await self._live(missing.kind, missing.namespace, missing.name)
        if live is None:
            raise CommandError(f"there is no {missing.kind} {missing.namespace}/{missing.name}")
        self._objects.append(live)

    async def _live(self, kind: str, namespace: str, name: str) -> Object | None:
        if self._cluster is None:
            return None
        group = _GROUPS.get(kind, _SOURCES)
        resource = await self._cluster.discovery.resource_in_group(group, kind)
        try:
            return await self._cluster.client.get(resource, name, namespace)
        except NotFound:
            return None


def _is(obj: Object, kind: str, namespace: str | None, name: str) -> bool:
    metadata = obj.get("metadata") or {}
    group = str(obj.get("apiVersion", "")).partition("/")[0]
    if (obj.get("kind"), metadata.get("name"), group) != (kind, name, _GROUPS.get(kind, _SOURCES)):
        return False
    return namespace is None or metadata.get("namespace", namespace) == namespace
