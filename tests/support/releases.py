"""AppReleases of a test: applied, awaited by watch, and what became of them."""

import asyncio
from collections.abc import Callable
from typing import Any

from pierhead.apps.history.release import Release, decode
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import APP_RELEASES, SECRETS, ResourceType
from pierhead.kube.watch import Watch
from pierhead.model import API_VERSION


def condition(obj: Object, kind: str = "Ready") -> dict[str, Any]:
    """A condition of an object; empty when it has none of this type."""
    entries = (obj.get("status") or {}).get("conditions") or ()
    return next((entry for entry in entries if entry["type"] == kind), {})


def settled(obj: Object) -> bool:
    """Ready for the present generation."""
    ready = condition(obj)
    return ready.get("status") == "True" and ready["observedGeneration"] == obj["metadata"]["generation"]


def at_revision(number: int) -> Callable[[Object], bool]:
    """Ready, with this revision of the release."""
    return lambda obj: settled(obj) and obj["status"]["release"]["revision"] == number


def because(reason: str, kind: str = "Ready") -> Callable[[Object], bool]:
    """The condition has this reason for the present generation."""

    def check(obj: Object) -> bool:
        found = condition(obj, kind)
        return found.get("reason") == reason and found["observedGeneration"] == obj["metadata"]["generation"]

    return check


def config_map(name: str = "one", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "1"}}


def deployment(name: str = "web", replicas: int = 1, **metadata: Any) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **metadata},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "registry.example.com/web:1"}]},
            },
        },
    }


def inline(*objects: dict[str, Any]) -> dict[str, Any]:
    """A source with these objects, a file each."""
    import json

    return {"inline": {"files": {f"{index}.json": json.dumps(obj) for index, obj in enumerate(objects)}}}


class Releases:
    """The AppReleases of one namespace."""

    def __init__(self, kube: Client, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace

    async def apply(self, spec: dict[str, Any], name: str = "shop", **annotations: str) -> Object:
        obj = {
            "apiVersion": API_VERSION,
            "kind": "AppRelease",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "annotations": {key.replace("_", "-"): value for key, value in annotations.items()},
            },
            "spec": spec,
        }
        return await self.kube.apply(APP_RELEASES, obj, field_manager="test")

    async def delete(self, name: str = "shop") -> None:
        await self.kube.delete(APP_RELEASES, name, self.namespace)

    async def get(self, name: str = "shop") -> Object:
        return await self.kube.get(APP_RELEASES, name, self.namespace)

    async def until(
        self, check: Callable[[Object], bool] = settled, name: str = "shop", *, seconds: float = 45
    ) -> Object:
        """The AppRelease, once the check holds. Raises AssertionError with its last status."""
        return await self._awaited(APP_RELEASES, name, lambda obj: obj is not None and check(obj), seconds)

    async def gone(
        self, name: str = "shop", resource: ResourceType = APP_RELEASES, *, seconds: float = 45
    ) -> None:
        await self._awaited(resource, name, lambda obj: obj is None, seconds)

    async def object(
        self,
        resource: ResourceType,
        name: str,
        check: Callable[[Object], bool] = lambda _: True,
        *,
        seconds: float = 45,
    ) -> Object:
        """Any object of the namespace, once it is there and the check holds."""
        return await self._awaited(resource, name, lambda obj: obj is not None and check(obj), seconds)

    async def history(self, name: str = "shop") -> list[Release]:
        """The revisions, oldest first."""
        found = []
        async for page in self.kube.pages(SECRETS, self.namespace, label_selector=f"owner=helm,name={name}"):
            found += [decode(secret) for secret in page.items]
        return sorted(found, key=lambda release: release.revision)

    async def statuses(self, name: str = "shop") -> list[str]:
        """Helm's status of each revision, oldest first."""
        return [release.status.value for release in await self.history(name)]

    async def exists(self, resource: ResourceType, name: str) -> bool:
        try:
            await self.kube.get(resource, name, self.namespace)
        except NotFound:
            return False
        return True

    async def _awaited(
        self, resource: ResourceType, name: str, check: Callable[[Object | None], bool], seconds: float
    ) -> Any:
        found: asyncio.Future[Object | None] = asyncio.get_running_loop().create_future()
        last: list[Object | None] = [None]

        def look(event_type: str, obj: Object) -> None:
            last[0] = None if event_type == "DELETED" else obj
            if not found.done() and check(last[0]):
                found.set_result(last[0])

        watch = Watch(
            self.kube, resource, look, namespace=self.namespace, field_selector=f"metadata.name={name}"
        )
        task = asyncio.create_task(watch.run())
        try:
            async with asyncio.timeout(seconds):
                await watch.ready()
                if last[0] is None and not found.done() and check(None):
                    return None
                return await found
        except TimeoutError:
            status = (last[0] or {}).get("status")
            raise AssertionError(
                f"{resource.kind} {name} did not get there in {seconds:g}s: {status}"
            ) from None
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
