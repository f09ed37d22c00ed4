"""One repository of an OCI registry.

Invariant: what comes back has the digest that it was asked by; credentials go to the registry and to the
token server that it names, over TLS unless the source is insecure. A token is asked for once in its lifetime.
Source: OCI Distribution Specification 1.1; Docker's "Token authentication specification".
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from pierhead.engine.outcome import Denied, Invalid, Transient
from pierhead.stores.web import Answer, Request, Web, basic

Login = Callable[[bool], Awaitable[tuple[str, str] | None]]
"""Gives username and password; asked again with True when the ones before were refused."""

MANIFEST_LIMIT = 4 * 1024 * 1024
MOST_TAG_PAGES = 100
TAG_PAGE = 1000

_ACCEPTED = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?')
_TOKEN_LIMIT = 64 * 1024
_TOKEN_SECONDS = 60.0
_EARLY_SECONDS = 10.0
_UNAUTHORIZED = 401
_HUB = "docker.io"
_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, as JSON."""

    digest: str
    document: Mapping[str, Any]

    def layers(self) -> list[Mapping[str, Any]]:
        """Descriptors of its layers that name a digest."""
        listed = self.document.get("layers")
        found = [layer for layer in listed if isinstance(layer, dict)] if isinstance(listed, list) else []
        return [layer for layer in found if _DIGEST.fullmatch(str(layer.get("digest")))]


class Repository:
    """One repository, as one identity; keeps its token."""

    def __init__(
        self,
        web: Web,
        host: str,
        name: str,
        *,
        login: Login,
        trust: str | None = None,
        certificate: tuple[str, str] | None = None,
        insecure: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._web = web
        scheme = "http" if insecure else "https"
        self._base = f"{scheme}://{_HUB_API if host == _HUB else host}/v2/{name}/"
        self._name = name
        self._login = login
        self._trust = trust
        self._certificate = certificate
        self._insecure = insecure
        self._monotonic = monotonic
        self._challenge: dict[str, str] = {}
        self._scheme = ""
        self._token: tuple[str, float] | None = None

    async def digest(self, tag: str) -> str:
        """The digest a tag points to now: one request. Raises Invalid where there is no such tag."""
        answer = await self._ask(f"manifests/{tag}", method="HEAD", accept=", ".join(_ACCEPTED))
        digest = answer.headers.get("docker-content-digest", "")
        if _DIGEST.fullmatch(digest):
            return digest
        return (await self.manifest(tag)).digest

    async def manifest(self, reference: str) -> Manifest:
        """The manifest of a tag or digest. Raises Invalid where there is none, or another than asked for."""
        answer = await self._ask(f"manifests/{reference}", accept=", ".join(_ACCEPTED))
        if _DIGEST.fullmatch(reference) and answer.digest != reference:
            raise Invalid(
                f"the registry gave {answer.digest} for {reference}", reason="DigestMismatch", field="url"
            )
        return Manifest(answer.digest, _object(answer.content, self._base))

    async def blob(self, digest: str, *, limit: int, into: Path | None = None) -> bytes:
        """A blob; nothing where a file takes it.

        Raises Invalid where there is none, it is over `limit` bytes, or another than asked for.
        """
        answer = await self._ask(f"blobs/{digest}", limit=limit, into=into)
        if answer.digest != digest:
            raise Invalid(
                f"the registry gave {answer.digest} for {digest}", reason="DigestMismatch", field="url"
            )
        return answer.content

    async def referrers(self, digest: str, kind: str) -> list[Mapping[str, Any]]:
        """Descriptors of the manifests of an artifact type that refer to a digest."""
        try:
            answer = await self._ask(f"referrers/{digest}?{urlencode({'artifactType': kind})}")
        except Invalid:
            # A registry without this API has a tag of this name: the specification's "Referrers Tag Schema".
            answer = await self._ask(f"manifests/{digest.replace(':', '-')}", accept=_ACCEPTED[2])
        listed = _object(answer.content, self._base).get("manifests")
        found = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        return [
            entry
            for entry in found
            if entry.get("artifactType") == kind and _DIGEST.fullmatch(str(entry.get("digest")))
        ]

    async def tags(self) -> list[str]:
        """All tags. Raises Invalid for a registry that lists without an end."""
        found: list[str] = []
        path = f"tags/list?n={TAG_PAGE}"
        for _ in range(MOST_TAG_PAGES):
            answer = await self._ask(path)
            listed = _object(answer.content, self._base).get("tags")
            found += [tag for tag in listed if isinstance(tag, str)] if isinstance(listed, list) else []
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return found
            path = urljoin(answer.url, following[1])
            if urlsplit(path)[:2] != urlsplit(self._base)[:2]:
                raise Invalid(
                    "the registry lists its tags elsewhere", reason="SourceUnreachable", field="url"
                )
        raise Invalid("the repository has too many tags for a range", reason="SourceTooLarge", field="semver")

    async def _ask(
        self,
        path: str,
        *,
        method: str = "GET",
        accept: str = "",
        limit: int = MANIFEST_LIMIT,
        into: Path | None = None,
    ) -> Answer:
        def request(authorization: str | None, *, last: bool) -> Request:
            return Request(
                url=urljoin(self._base, path),
                method=method,
                limit=limit,
                into=into,
                headers={"Accept": accept} if accept else {},
                authorization=authorization,
                trust=self._trust,
                certificate=self._certificate,
                also=frozenset() if last else frozenset({_UNAUTHORIZED}),
            )

        answer = await self._web.send(request(await self._authorization(fresh=False), last=False))
        if answer.status != _UNAUTHORIZED:
            return answer
        self._take(answer.headers.get("www-authenticate", ""))
        try:
            return await self._web.send(request(await self._authorization(fresh=True), last=True))
        except Denied as error:
            error.field = error.field or "secret"
            raise

    def _take(self, challenge: str) -> None:
        self._scheme = challenge.partition(" ")[0].lower()
        self._challenge = dict(_PARAMETER.findall(challenge))
        self._token = None

    async def _authorization(self, *, fresh: bool) -> str | None:
        """The header; None before the registry has said what it wants."""
        if self._scheme == "bearer":
            if self._token is None or self._monotonic() >= self._token[1]:
                self._token = await self._bearer(fresh=fresh)
            return self._token[0]
        if self._scheme == "basic":
            login = await self._login(fresh)
            return basic(*login) if login is not None else None
        return None

    async def _bearer(self, *, fresh: bool) -> tuple[str, float]:
        """A token from the server that the registry names, and until when it is good."""
        realm = self._challenge.get("realm", "")
        if urlsplit(realm).scheme not in {"https", *(("http",) if self._insecure else ())}:
            raise Invalid("the registry names no https token server", reason="SourceUnreachable", field="url")
        query = {"scope": self._challenge.get("scope") or f"repository:{self._name}:pull"}
        if "service" in self._challenge:
            query["service"] = self._challenge["service"]
        login = await self._login(fresh)
        url = f"{realm}{'&' if urlsplit(realm).query else '?'}{urlencode(query)}"
        began = self._monotonic()
        try:
            answer = await self._web.send(
                Request(
                    url=url,
                    limit=_TOKEN_LIMIT,
                    authorization=basic(*login) if login is not None else None,
                    trust=self._trust,
                )
            )
        except Denied as error:
            error.field = error.field or "secret"
            raise
        given = _object(answer.content, realm)
        token = given.get("token") or given.get("access_token")
        if not isinstance(token, str) or not token.isprintable():
            raise Transient("the token server gave no token", reason="SourceUnreachable", field="url")
        lives = given.get("expires_in")
        seconds = float(lives) if isinstance(lives, int | float) else _TOKEN_SECONDS
        return f"Bearer {token}", began + max(0.0, seconds - _EARLY_SECONDS)


def _object(content: bytes, where: str) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Transient(f"{where} did not answer as a registry does", reason="SourceUnreachable")
    return found
