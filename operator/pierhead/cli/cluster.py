"""The cluster a command works on, as the person who typed it.

Invariant: kubeconfigs are read by Kubernetes' own client, so contexts, merged files and exec plug-ins mean
here what they mean to kubectl; everything after that is done with the caller's own rights.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from yaml import YAMLError

from pierhead import __version__
from pierhead.cli.failures import CommandError
from pierhead.cli.place import Place
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import Forbidden, KindNotServed, NotFound, Unauthorized, Unreachable
from pierhead.kube.resources import APP_RELEASES, ResourceType

USER_AGENT = f"pierhead-cli/{__version__}"
"""What is before the slash is the field manager of what a command patches."""

_BEARER = "Bearer "

_ADVICE: Mapping[type[ReconcileError], str] = {
    KindNotServed: "the cluster does not know this kind: are pierhead's CRDs installed there?",
    Unreachable: "is this context's cluster up, and does `kubectl version` reach it?",
    Unauthorized: "log in to the cluster again",
    Forbidden: "docs/cli.md says which rights each command needs",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cluster:
    """An open connection and the namespace that is meant."""

    client: Client
    discovery: Discovery
    namespace: str

    async def app_release(self, name: str) -> Object:
        """An AppRelease of the namespace. Raises CommandError when there is none."""
        return await self.one(APP_RELEASES, name)

    async def one(self, resource: ResourceType, name: str) -> Object:
        """An object of the namespace. Raises CommandError when there is none."""
        try:
            return await self.client.get(resource, name, self.namespace)
        except KindNotServed:
            raise
        except NotFound:
            raise CommandError(f"there is no {resource.kind} {name} in namespace {self.namespace}") from None

    async def annotate(
        self, name: str, annotations: Mapping[str, str], *, resource: ResourceType = APP_RELEASES
    ) -> Object:
        """Sets annotations of an object."""
        patch = {"metadata": {"annotations": dict(annotations)}}
        return await self.client.merge_patch(resource, name, self.namespace, patch)


def on(place: Place, work: Callable[[Cluster], Awaitable[T]]) -> T:
    """What `work` gives, done on the cluster. Raises CommandError for everything that is refused."""

    async def run() -> T:
        async with connected(place) as cluster:
            return await work(cluster)

    try:
        return asyncio.run(run())
    except ReconcileError as error:
        raise CommandError(f"{error}{_advice(error)}") from None


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Cluster]:
    """The cluster while it is used. Raises CommandError when the kubeconfig does not lead to one."""
    credentials, namespace = credentials_of(place)
    try:
        client = await Client.connect(credentials, user_agent=USER_AGENT)
    except OSError as error:
        raise CommandError(f"the kubeconfig's certificates cannot be used: {error}") from None
    try:
        yield Cluster(client, Discovery(client), place.namespace or namespace)
    finally:
        await client.close()


def credentials_of(place: Place) -> tuple[Credentials, str]:
    """The context's credentials and namespace.

    Raises CommandError for a kubeconfig that cannot be read, and for one that asks not to verify the server.
    """
    # Half a second to import, which only commands that need a cluster pay.
    from kubernetes.client import Configuration  # noqa: PLC0415
    from kubernetes.config import (  # noqa: PLC0415
        ConfigException,
        list_kube_config_contexts,
        load_kube_config,
    )

    found = Configuration()
    given = str(place.kubeconfig) if place.kubeconfig else None
    try:
        contexts, current = list_kube_config_contexts(config_file=given)  # type: ignore[no-untyped-call]
        load_kube_config(  # type: ignore[no-untyped-call]
            config_file=given, context=place.context, client_configuration=found
        )
    except (ConfigException, OSError) as error:
        raise CommandError(f"kubeconfig: {error} Give --kubeconfig and --context as to kubectl") from None
    except YAMLError:
        raise CommandError("kubeconfig: it is not YAML") from None
    chosen = next((entry for entry in contexts if entry["name"] == place.context), current)
    if not found.verify_ssl:
        raise CommandError(
            "kubeconfig: insecure-skip-tls-verify is not followed: give the server's CA instead"
        )
    if found.proxy:
        raise CommandError(
            "a proxy (proxy-url or HTTPS_PROXY) is not followed: set NO_PROXY for the API server's host"
        )
    if found.tls_server_name:
        raise CommandError("kubeconfig: tls-server-name is not followed: use a name of the certificate")
    authorization = found.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
    credentials = Credentials(
        server=found.host.rstrip("/"),
        ca_file=_path(found.ssl_ca_cert),
        client_cert_file=_path(found.cert_file),
        client_key_file=_path(found.key_file),
        token=authorization.removeprefix(_BEARER) or None,
    )
    return credentials, _namespace(chosen)


def _advice(error: ReconcileError) -> str:
    """What helps against what the API server, or its absence, has said."""
    for kind, advice in _ADVICE.items():
        if isinstance(error, kind):
            return f"; {advice}"
    return ""


def _namespace(context: Mapping[str, Any] | None) -> str:
    return ((context or {}).get("context") or {}).get("namespace") or "default"


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
