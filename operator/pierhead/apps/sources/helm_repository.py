"""Charts in classic Helm repositories.

Invariant: a chart is kept only when its bytes have the digest that the repository's index states, where
it states one. Source: Helm, "The Chart Repository Guide".
"""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from pierhead.apps.documents import DocumentError, load_index
from pierhead.apps.model.sources import HelmRepositorySource
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.engine.outcome import Invalid
from pierhead.stores.http import HTTPFiles

INDEX_LIMIT = 32 * 1024 * 1024
CHART_LIMIT = 16 * 1024 * 1024
CHART_FILE = "chart.tgz"


@dataclass(frozen=True, slots=True)
class _Entry:
    url: str
    digest: str | None


class HelmRepositoryFetcher:
    """Fetches packaged charts by exact version."""

    def __init__(self, store: ArtifactStore, files: HTTPFiles) -> None:
        self._store = store
        self._files = files

    async def fetch(self, source: HelmRepositorySource, known: Artifact | None) -> Artifact:
        """The packaged chart.

        A version that was fetched before (`known`) is not asked for again: it is exact, and published
        charts do not change. Raises Invalid when the repository has no such chart or version, or when
        the digest differs, fields relative to the source; what `HTTPFiles.fetch` raises besides.
        """
        revision = f"{source.chart}-{source.version}"
        if known is not None and known.revision == revision and self._store.find(known.digest) is not None:
            return known
        base = source.url.rstrip("/") + "/"
        index = await self._files.fetch(f"{base}index.yaml", limit=INDEX_LIMIT)
        entry = await asyncio.to_thread(_find, index.content if index else b"", source)
        url = urljoin(base, entry.url)
        if not url.startswith(("http://", "https://")):
            raise Invalid(
                f"the index gives an address that is not http: {entry.url!r}",
                reason="InvalidIndex",
                field="url",
            )
        fetched = await self._files.fetch(url, limit=CHART_LIMIT)
        content = fetched.content if fetched else b""
        digest = hashlib.sha256(content).hexdigest()
        if entry.digest is not None and entry.digest.removeprefix("sha256:") != digest:
            raise Invalid(
                f"{revision} has the digest {digest}, and the index says {entry.digest}",
                reason="DigestMismatch",
                field="version",
            )

        def write(directory: Path) -> None:
            (directory / CHART_FILE).write_bytes(content)

        path = await asyncio.to_thread(self._store.put, f"sha256:{digest}", write)
        return Artifact(revision=revision, digest=f"sha256:{digest}", path=path / CHART_FILE)


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
            f"{source.url} has an index.yaml that is not one",
            reason="InvalidIndex",
            field="url",
        ) from None
    if not versions:
        raise Invalid(
            f"{source.url} has no chart {source.chart!r}",
            reason="ChartNotFound",
            field="chart",
        )
    wanted = source.version.removeprefix("v")
    for version in versions:
        if version.number.removeprefix("v") == wanted and version.url:
            return _Entry(url=version.url, digest=version.digest or None)
    newest = ", ".join(version.number for version in versions[:5])
    raise Invalid(
        f"{source.url} has no version {source.version!r} of {source.chart!r}; the newest are {newest}",
        reason="VersionNotFound",
        field="version",
    )
