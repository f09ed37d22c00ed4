"""From an AppRelease's inputs to the objects of a revision.

Invariant: what comes out is complete and applicable as one release, or the error names the part of the
spec at fault; nothing is left out silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pierhead.apps.history.release import Release as StoredRelease
from pierhead.apps.hooks import progress as helm_hooks
from pierhead.apps.hooks.progress import Hook as StoredHook
from pierhead.apps.images.pins import pinned
from pierhead.apps.inputs.reader import Inputs
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.objects.ownership import check
from pierhead.apps.sources.artifact import inside
from pierhead.apps.sources.helm_repository import CHART_FILE
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import Forbidden, NotFound
from pierhead.kube.resources import SECRETS
from pierhead.render.errors import RenderInvalid
from pierhead.render.pool import RendererPool
from pierhead.render.protocol import (
    Capabilities,
    Chart,
    Hook,
    LookupCall,
    Overlay,
    PlainManifests,
    Release,
    Rendering,
    RenderRequest,
)

_FIELDS = {"helm": "spec.helm", "kustomize": "spec.kustomize", "values": "spec.helm.values"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of a revision, and what Helm's history keeps beside them."""

    objects: tuple[Object, ...]
    crds: tuple[Object, ...]
    """From the chart's `crds/` folder: created where absent, never changed or deleted."""

    manifest: str
    chart: Mapping[str, Any]
    notes: str
    hooks: tuple[Mapping[str, Any], ...] = ()
    """As Helm stores them; without those that are not to be run."""


class Renderer:
    """Renders AppReleases with the cluster's real capabilities."""

    def __init__(self, pool: RendererPool, discovery: Discovery) -> None:
        self._pool = pool
        self._discovery = discovery

    async def render(
        self, spec: AppReleaseSpec, inputs: Inputs, release: Release, client: Client
    ) -> Rendered:
        """Renders a revision; `client` answers the chart's `lookup`s.

        Raises Invalid with the field at fault; Transient when the renderer itself failed; Conflict when the
        values moved since the inputs were read.
        """
        await inputs.load()
        capabilities = Capabilities(
            kube_version=await self._discovery.server_version(),
            api_versions=await self._discovery.api_versions() if spec.helm else (),
        )
        request = RenderRequest(
            chart=_chart(spec, inputs, release),
            overlay=_overlay(spec, inputs),
            manifests=_manifests(spec, inputs),
            capabilities=capabilities,
            namespace=release.namespace,
        )

        async def lookup(call: LookupCall) -> Mapping[str, Any] | list[Mapping[str, Any]] | None:
            found = await self._lookup(call, client)
            if call.kind == SECRETS.kind:
                inputs.hide(found)
            return found

        try:
            rendering = await self._pool.render(request, lookup)
        except RenderInvalid as error:
            raise Invalid(
                str(error), reason=error.reason, field=_FIELDS.get(error.source, "spec.source")
            ) from None
        if inputs.pins:
            rendering = _with_images(rendering, inputs)
        hooks: tuple[Mapping[str, Any], ...] = tuple(_stored(hook) for hook in rendering.hooks)
        if spec.helm is not None and spec.helm.disable_hooks:
            hooks = helm_hooks.only_tests(hooks)
        objects = tuple(item.object for item in rendering.objects)
        if not objects:
            raise Invalid(
                "nothing was rendered: the source holds no objects",
                reason="NothingRendered",
                field="spec.source",
            )
        check(objects)
        return Rendered(
            objects=objects,
            crds=tuple(item.object for item in rendering.crds),
            manifest=rendering.manifest,
            chart=rendering.chart_metadata or _pseudo_chart(release.name, inputs),
            notes=rendering.notes,
            hooks=hooks,
        )

    async def objects_of(self, revision: StoredRelease) -> tuple[Object, ...]:
        """The objects of a stored manifest, read by the parser that Helm reads it with.

        Raises Invalid when it is not one any more.
        """
        manifests = PlainManifests(text=revision.manifest)
        try:
            rendering = await self._pool.render(
                RenderRequest(manifests=manifests, namespace=revision.namespace)
            )
        except RenderInvalid as error:
            raise Invalid(f"{revision.secret_name}: {error}", reason="DamagedRelease") from None
        return tuple(item.object for item in rendering.objects)

    async def hook_object(self, revision: StoredRelease, hook: StoredHook) -> Object:
        """The object of a stored hook. Raises Invalid when it is not one any more."""
        manifests = PlainManifests(text=hook.manifest)
        try:
            rendering = await self._pool.render(
                RenderRequest(manifests=manifests, namespace=revision.namespace)
            )
        except RenderInvalid as error:
            raise Invalid(
                f"{revision.secret_name}: hook {hook.name}: {error}", reason="DamagedRelease"
            ) from None
        if len(rendering.hooks) != 1:
            raise Invalid(f"{revision.secret_name}: {hook.name} is no hook", reason="DamagedRelease")
        return rendering.hooks[0].object

    async def _lookup(
        self, call: LookupCall, client: Client
    ) -> Mapping[str, Any] | list[Mapping[str, Any]] | None:
        resource = await self._discovery.resource_for(call.api_version, call.kind)
        namespace = call.namespace or None
        try:
            if call.name:
                return await client.get(resource, call.name, namespace)
            return [item async for page in client.pages(resource, namespace) for item in page.items]
        except NotFound:
            return None if call.name else []
        except Forbidden as error:
            place = "/".join(part for part in (call.namespace, call.name) if part) or "all namespaces"
            error.message = f"the chart looks up {call.kind} {place}: {error.message}"
            error.field = "spec.helm"
            raise


def _stored(hook: Hook) -> dict[str, Any]:
    """A rendered hook as Helm stores it, not run yet."""
    return {
        "name": hook.name,
        "kind": hook.kind,
        "path": hook.path,
        "manifest": hook.manifest,
        "events": list(hook.events),
        "last_run": helm_hooks.never_run(),
        "weight": hook.weight,
        "delete_policies": list(hook.delete_policies),
        "output_log_policies": list(hook.output_log_policies),
    }


def _with_images(rendering: Rendering, inputs: Inputs) -> Rendering:
    """The rendering with the images that were chosen. Raises Invalid for one that is not in it."""
    made, found = pinned(rendering, inputs.pins)
    for index, pin in enumerate(inputs.pins):
        if pin.name not in found:
            raise Invalid(
                f"no container that was rendered has the image {pin.name}",
                reason="ImageNotRendered",
                field=f"spec.images[{index}].name",
            )
    return made


def _chart(spec: AppReleaseSpec, inputs: Inputs, release: Release) -> Chart | None:
    if spec.helm is None:
        return None
    root = inputs.source.path
    path = inside(root, spec.helm.path, field="spec.helm.path")
    packaged = path / CHART_FILE
    if path.is_dir() and packaged.exists():
        path = packaged
    return Chart(path=path, release=release, values=inputs.values, root=root if root.is_dir() else None)


def _overlay(spec: AppReleaseSpec, inputs: Inputs) -> Overlay | None:
    kustomize = spec.kustomize
    if kustomize is None:
        return None
    if kustomize.inline is not None:
        return Overlay(inline=kustomize.inline)
    root = (inputs.overlay or inputs.source).path
    return Overlay(path=inside(root, kustomize.path, field="spec.kustomize.path"), root=root)


def _manifests(spec: AppReleaseSpec, inputs: Inputs) -> PlainManifests | None:
    """The source's own files, unless a chart or an overlay of the same source reads them."""
    if spec.helm is not None:
        return None
    kustomize = spec.kustomize
    if kustomize is not None and kustomize.path is not None and kustomize.source is None:
        return None
    return PlainManifests(path=inputs.source.path, root=inputs.source.path)


def _pseudo_chart(name: str, inputs: Inputs) -> dict[str, Any]:
    """What Helm shows as the chart of a release that has none."""
    return {
        "apiVersion": "v2",
        "name": name,
        "version": f"0.0.0+{inputs.source.digest.partition(':')[2][:12]}",
        "appVersion": inputs.source.revision,
        "description": "Not a Helm chart: made by pierhead",
    }
