"""Charts in classic Helm repositories.

Invariant: a chart is kept only when its bytes have the digest that the repository's index states, where
it states one. Source: Helm, "The Chart Repository Guide".
"""

import asyncio
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from pierhead.apps.inputs.documents import DocumentError, load_index
from pierhead.apps.model.sources import HelmRepositorySource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.archives import check_archive
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.engine.outcome import Invalid
from pierhead.stores.web import Web, basic, shown
from pierhead.versions import VersionRange

INDEX_LIMIT = 32 * 1024 * 1024
CHART_LIMIT = 16 * 1024 * 1024
CHART_FILE = "chart.tgz"


@dataclass(frozen=True, slots=True)
class _Entry:
    version: str
    url: str
    digest: str | None
    field: str
    """The field of the source that chose it."""


class HelmRepositoryFetcher:
    """Fetches packaged charts."""

    def __init__(self, store: ArtifactStore, web: Web) -> None:
        self._store = store
        self._web = web

    async def fetch(self, source: HelmRepositorySource, access: Access, known: Artifact | None) -> Artifact:
        """The packaged chart.

        An exact version that was fetched before (`known`) is not asked for again: published charts do not
        change. A range costs a request at every look, and is answered by what is known while the index is
        as it was. Raises Invalid when the repository has no such chart or version, or when the digest
        differs, fields relative to the source; what `Web.fetch` raises besides.
        """
        if known is not None and source.version is not None and self._has(known):
            return known
        login = access.login()
        authorization = basic(*login) if login is not None else None
        base = source.url.rstrip("/") + "/"
        seen = known.entity_tag if known is not None and self._has(known) else None
        index = await self._web.fetch(
            f"{base}index.yaml",
            limit=INDEX_LIMIT,
            entity_tag=seen,
            authorization=authorization,
            trust=access.trust,
            certificate=access.certificate,
        )
        if index is None and known is not None:
            return known
        entry = await asyncio.to_thread(_find, index.content if index else b"", source)
        tag = index.entity_tag if index else None
        revision = f"{source.chart}-{entry.version}"
        stated = f"sha256:{(entry.digest or '').removeprefix('sha256:')}"
        if known is not None and (known.revision, known.digest) == (revision, stated) and self._has(known):
            return replace(known, entity_tag=tag)
        url = urljoin(base, entry.url)
        if not url.startswith(("http://", "https://")):
            raise Invalid(
                f"the index gives an address that is not http: {entry.url!r}",
                reason="InvalidIndex",
                field="url",
            )
        fetched = await self._web.fetch(
            url,
            limit=CHART_LIMIT,
            authorization=authorization if same_host(url, base) else None,
            trust=access.trust,
            certificate=access.certificate if same_host(url, base) else None,
        )
        content = fetched.content if fetched else b""
        digest = hashlib.sha256(content).hexdigest()
        if entry.digest is not None and entry.digest.removeprefix("sha256:") != digest:
            raise Invalid(
                f"{revision} has the digest {digest}, and the index says {entry.digest}",
                reason="DigestMismatch",
                field=entry.field,
            )
        await asyncio.to_thread(check_archive, io.BytesIO(content), what=shown(url))

        def write(directory: Path) -> None:
            (directory / CHART_FILE).write_bytes(content)

        path = await asyncio.to_thread(self._store.put, f"sha256:{digest}", write)
        return Artifact(revision=revision, digest=f"sha256:{digest}", path=path / CHART_FILE, entity_tag=tag)

    def _has(self, known: Artifact) -> bool:
        return self._store.find(known.digest) is not None


def same_host(one: str, other: str) -> bool:
    """Whether two addresses are of the same server."""
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)


class _Version:
    """One entry of an index; only texts of it are looked at. Raises AttributeError when it is no mapping."""

    def __init__(self, entry: Any) -> None:
        urls = entry.get("urls")
        self.number = _text(entry.get("version"))
        self.url = _text(urls[0]) if isinstance(urls, list) and urls else ""
        self.digest = _text(entry.get("digest"))


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else ""


def _find(index: bytes, source: HelmRepositorySource) -> _Entry:
    try:
        document = load_index(index.decode())
        listed = document["entries"].get(source.chart) or []
        versions = [_Version(version) for version in listed]
    except (DocumentError, UnicodeDecodeError, TypeError, LookupError, AttributeError):
        raise Invalid(
            f"{shown(source.url)} has an index.yaml that is not one",
            reason="InvalidIndex",
            field="url",
        ) from None
    if not versions:
        raise Invalid(
            f"{shown(source.url)} has no chart {source.chart!r}",
            reason="ChartNotFound",
            field="chart",
        )
    field = "version" if source.version is not None else "semver"
    number = source.version.removeprefix("v") if source.version is not None else _newest(source, versions)
    for version in versions:
        if (
            number is not None
            and version.number.removeprefix("v") == number.removeprefix("v")
            and version.url
        ):
            return _Entry(version.number, version.url, version.digest or None, field)
    newest = ", ".join(version.number for version in versions[:5])
    raise Invalid(
        f"{shown(source.url)} has no version {source.version or source.semver!r} of {source.chart!r}; "
        f"the newest are {newest}",
        reason="VersionNotFound",
        field=field,
    )


def _newest(source: HelmRepositorySource, versions: list[_Version]) -> str | None:
    try:
        wanted = VersionRange(source.semver or "*")
    except ValueError as error:
        raise Invalid(str(error), reason="InvalidVersionRange", field="semver") from None
    return wanted.newest(version.number for version in versions if version.url)
