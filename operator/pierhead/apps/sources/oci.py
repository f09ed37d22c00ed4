"""Charts and plain artifacts in OCI registries.

Invariant: what is kept has the digest that the registry's manifest states, of a manifest that the reference
names now and, where keys are given, that one of them has signed. Looking again at a tag costs one request.
"""

import asyncio
import base64
import binascii
import json
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pierhead.apps.model.sources import OCISource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.archives import check_archive, unpack
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.apps.sources.helm_repository import CHART_FILE
from pierhead.apps.sources.signatures import verify
from pierhead.aws.registry import EcrLogins, EcrRegistry
from pierhead.engine.outcome import Invalid
from pierhead.stores.registry import Login, Manifest, Repository
from pierhead.stores.web import Web
from pierhead.versions import VersionRange

DOCKER_CONFIG = ".dockerconfigjson"
LAYER_LIMIT = 32 * 1024 * 1024
MOST_REPOSITORIES = 256
"""Repositories whose tokens are kept."""

_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_ARCHIVES = ("tar+gzip", "tar.gzip")
_HUB_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class OCIFetcher:
    """Fetches artifacts of registries."""

    def __init__(self, store: ArtifactStore, web: Web, logins: EcrLogins) -> None:
        self._store = store
        self._web = web
        self._logins = logins
        self._repositories: OrderedDict[tuple[str, str, bool], Repository] = OrderedDict()

    async def fetch(self, source: OCISource, access: Access, known: Artifact | None) -> Artifact:
        """The artifact that the reference names now.

        A digest that is `known` is not asked for again. Raises Invalid, Denied or Transient, fields relative
        to the source.
        """
        fresh = known if known is not None and self._store.find(known.digest) is not None else None
        if fresh is not None and source.tag is None and source.semver is None:
            return fresh
        repository = self.repository(source, access)
        name, digest = await _resolve(repository, source)
        revision = f"{name}@{digest}" if name else digest
        if fresh is not None and fresh.entity_tag == digest:
            return replace(fresh, revision=revision)
        manifest = await repository.manifest(digest)
        if source.verify is not None:
            await verify(repository, digest, access.keys)
        layer = _layer(manifest, source)
        chart = layer.get("mediaType") == _CHART
        # One content may be a chart here and files there.
        kept = str(layer["digest"]) + ("" if chart else "+files")
        if fresh is not None and fresh.digest == kept:
            return replace(fresh, revision=revision, entity_tag=digest)
        # Never from what others have fetched: who knows a digest need not have the right to its content.
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="pierhead-oci-"))
        try:
            await repository.blob(str(layer["digest"]), limit=LAYER_LIMIT, into=folder / CHART_FILE)
            path = await asyncio.to_thread(self._keep, source, kept, folder / CHART_FILE, chart=chart)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return Artifact(revision, kept, path / CHART_FILE if chart else path, entity_tag=digest)

    def _keep(self, source: OCISource, digest: str, layer: Path, *, chart: bool) -> Path:
        def write(directory: Path) -> None:
            with layer.open("rb") as packed:
                if chart:
                    check_archive(packed, what=source.url)
                    shutil.copyfile(layer, directory / CHART_FILE)
                else:
                    unpack(packed, directory, what=source.url)

        return self._store.put(digest, write)

    def repository(self, source: OCISource, access: Access) -> Repository:
        """The repository that a source names, with its token if it was asked before."""
        key = (source.url, access.fingerprint, source.insecure)
        found = self._repositories.get(key)
        if found is None:
            host, _, name = source.url.removeprefix("oci://").partition("/")
            found = self._repositories[key] = Repository(
                self._web,
                host,
                name,
                login=self._login(host, access),
                trust=access.trust,
                certificate=access.certificate,
                insecure=source.insecure,
            )
            if len(self._repositories) > MOST_REPOSITORIES:
                self._repositories.popitem(last=False)
        self._repositories.move_to_end(key)
        return found

    def _login(self, host: str, access: Access) -> Login:
        given = credentials(host, access)
        ecr = EcrRegistry.of(host)
        if given is None and ecr is not None and access.aws is not None:
            client = access.aws.client("ecr", region=ecr.region)

            async def ask(fresh: bool) -> tuple[str, str] | None:
                return await self._logins.login(client, fresh=fresh)

            return ask

        async def give(_fresh: bool) -> tuple[str, str] | None:
            return given

        return give


async def _resolve(repository: Repository, source: OCISource) -> tuple[str | None, str]:
    """The tag, where one is followed, and the digest. Raises Invalid where a pinned tag has moved."""
    if source.semver is not None:
        tag = await _newest(repository, source.semver)
    elif source.tag is not None:
        tag = source.tag
    else:
        assert source.digest is not None, "the model holds a reference"  # noqa: S101
        return None, source.digest
    digest = await repository.digest(tag)
    if source.digest is not None and digest != source.digest:
        raise Invalid(
            f"the tag {tag} has moved: it is {digest} now, and not the digest that is pinned",
            reason="TagMoved",
            field="digest",
        )
    return tag, digest


async def _newest(repository: Repository, semver: str) -> str:
    try:
        wanted = VersionRange(semver)
    except ValueError as error:
        raise Invalid(str(error), reason="InvalidVersionRange", field="semver") from None
    # A tag has no `+`: Helm writes `_` for it.
    tags = {tag.replace("_", "+"): tag for tag in await repository.tags()}
    newest = wanted.newest(tags)
    if newest is None:
        raise Invalid(f"there is no tag in the range {semver!r}", reason="VersionNotFound", field="semver")
    return tags[newest]


def _layer(manifest: Manifest, source: OCISource) -> Mapping[str, Any]:
    """The layer that holds the chart, or the first archive."""
    layers = manifest.layers()
    charts = [layer for layer in layers if layer.get("mediaType") == _CHART]
    archives = [layer for layer in layers if str(layer.get("mediaType")).endswith(_ARCHIVES)]
    for layer in (*charts, *archives):
        size = layer.get("size")
        if isinstance(size, int) and size > LAYER_LIMIT:
            raise Invalid(f"{source.url} is over {LAYER_LIMIT} bytes", reason="SourceTooLarge", field="url")
        return layer
    what = "an index of several images" if "manifests" in manifest.document else "no layer that is a tar+gzip"
    raise Invalid(
        f"{source.url} holds {what}, and neither a chart nor files", reason="InvalidArtifact", field="url"
    )


def credentials(host: str, access: Access) -> tuple[str, str] | None:
    """Username and password for a registry; None for an anonymous one.

    Raises Invalid for a Secret that holds nothing for this registry.
    """
    config = access.secret.get(DOCKER_CONFIG)
    if config is not None:
        found = _in_docker_config(config, host)
        if found is None:
            raise Invalid(
                f"Secret {access.secret_name} has no credentials for {host} under {DOCKER_CONFIG!r}",
                reason="KeyNotFound",
                field="secret",
            )
        return found
    login = access.login()
    if login is None and access.secret_name and not (access.trust or access.certificate):
        access.needed("username")
    return login


def _in_docker_config(text: str, host: str) -> tuple[str, str] | None:
    try:
        auths = json.loads(text)["auths"]
        entries = {_registry(name): entry for name, entry in auths.items()}
        entry = entries[_registry(host)]
        if "auth" in entry:
            username, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
            return username, password
        return str(entry["username"]), str(entry["password"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None


def _registry(name: str) -> str:
    """A registry's host, as Docker's configuration may spell it."""
    host = name.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return "docker.io" if host in _HUB_ALIASES else host
