"""An OCI registry of a test, with a token server as a real one has, on the loopback."""

import base64
import hashlib
import json
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.web_server import Asked, Reply, WebServer

CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
FILES = "application/vnd.cncf.flux.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAGE = 2
_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<what>manifests|blobs|tags|referrers)/(?P<ref>.+)")


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class OCIRegistry:
    """Repositories by name. `challenge` is how it asks who comes: bearer, basic, or nothing."""

    def __init__(
        self,
        *,
        login: tuple[str, str] | None = None,
        challenge: str = "bearer",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.login = login
        self.challenge = challenge
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.referrers: dict[str, list[dict[str, Any]]] = {}
        self.redirect: str | None = None
        """Where blobs are said to be."""
        self.valid = "token-1"
        self.server = WebServer(self._answer, tls)
        self.asked = self.server.requests

    def put(self, content: bytes, tag: str | None = None, *, kind: str = CHART) -> str:
        """Pushes an artifact of one layer; the digest of its manifest."""
        layer = {"mediaType": kind, "digest": self.blob(content), "size": len(content)}
        return self.manifest({"layers": [layer]}, tag)

    def blob(self, content: bytes) -> str:
        self.blobs[digest_of(content)] = content
        return digest_of(content)

    def manifest(self, document: Mapping[str, Any], tag: str | None = None) -> str:
        content = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, **document}).encode()
        digest = digest_of(content)
        self.manifests[digest] = content
        if tag is not None:
            self.tags[tag] = digest
        return digest

    def sign(self, digest: str, key: "SigningKey", *, says: str | None = None) -> None:
        """As `cosign sign --key` did before its version 3; `says` is another digest than is signed."""
        image = {"docker-manifest-digest": says or digest}
        critical = {"identity": {}, "image": image, "type": "cosign container image signature"}
        payload = json.dumps({"critical": critical, "optional": None}).encode()
        layer = {
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": self.blob(payload),
            "size": len(payload),
            "annotations": {"dev.cosignproject.cosign/signature": key.sign(payload)},
        }
        self.manifest({"layers": [layer]}, f"{digest.replace(':', '-')}.sig")

    def attest(
        self, digest: str, key: "SigningKey", *, predicate: str = "https://sigstore.dev/cosign/sign/v1"
    ) -> None:
        """As `cosign sign --key` does since its version 3: a bundle that refers to the digest."""
        subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
        payload = json.dumps({"subject": subject, "predicateType": predicate}).encode()
        kind = b"application/vnd.in-toto+json"
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind.decode(),
            "signatures": [{"sig": key.sign(signed)}],
        }
        bundle = json.dumps({"mediaType": BUNDLE, "dsseEnvelope": envelope}).encode()
        layer = {"mediaType": BUNDLE, "digest": self.blob(bundle), "size": len(bundle)}
        made = self.manifest({"artifactType": BUNDLE, "layers": [layer]})
        entry = {"mediaType": MANIFEST, "artifactType": BUNDLE, "digest": made}
        self.referrers.setdefault(digest, []).append(entry)

    def _answer(self, asked: Asked) -> Reply:
        refused = self._token(asked) if asked.path == "/token" else self._denied(asked)
        if refused is not None:
            return refused
        found = _PATH.fullmatch(asked.path)
        if found is None:
            return Reply(404)
        ref = found["ref"]
        if found["what"] == "tags":
            return self._list(asked)
        if found["what"] == "referrers":
            return Reply(200, json.dumps({"manifests": self.referrers.get(ref, [])}).encode())
        return self._blob(ref) if found["what"] == "blobs" else self._manifest(ref)

    def _blob(self, ref: str) -> Reply:
        if self.redirect is not None:
            return Reply(307, headers={"Location": f"{self.redirect}/{ref}"})
        return Reply(200, self.blobs[ref]) if ref in self.blobs else Reply(404)

    def _manifest(self, ref: str) -> Reply:
        digest = self.tags.get(ref, ref)
        if digest not in self.manifests:
            return Reply(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        return Reply(200, self.manifests[digest], {"Docker-Content-Digest": digest})

    def _token(self, asked: Asked) -> Reply:
        query = parse_qs(asked.query)
        if query.get("service") != ["registry.test"] or "repository:" not in query["scope"][0]:
            return Reply(400)
        if self.login is not None and asked.headers.get("authorization") != _basic(*self.login):
            return Reply(401)
        return Reply(200, json.dumps({"token": self.valid, "expires_in": 300}).encode())

    def _denied(self, asked: Asked) -> Reply | None:
        given = asked.headers.get("authorization")
        if self.challenge == "bearer" and given != f"Bearer {self.valid}":
            realm = f'Bearer realm="{self.server.url}/token",service="registry.test"'
            return Reply(401, headers={"WWW-Authenticate": realm})
        if self.challenge == "basic" and (self.login is None or given != _basic(*self.login)):
            return Reply(401, headers={"WWW-Authenticate": 'Basic realm="registry.test"'})
        return None

    def _list(self, asked: Asked) -> Reply:
        last = parse_qs(asked.query).get("last", [""])[0]
        rest = [tag for tag in sorted(self.tags) if tag > last]
        page = rest[:PAGE]
        headers = {}
        if len(rest) > PAGE:
            headers["Link"] = f'<{asked.path}?last={page[-1]}&n={PAGE}>; rel="next"'
        return Reply(200, json.dumps({"tags": page}).encode(), headers)


class SigningKey:
    """A key as `cosign generate-key-pair` makes it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public = (
            self._key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def sign(self, content: bytes) -> str:
        return base64.b64encode(self._key.sign(content, ec.ECDSA(hashes.SHA256()))).decode()


def _basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
