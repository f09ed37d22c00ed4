"""Signatures of cosign, by public keys.

Invariant: a digest passes only when one of the keys has signed that very digest, as cosign signs images; who
else signed what else does not count. Neither certificates nor transparency logs are asked: the keys are the
trust. Source: sigstore/cosign, `specs/SIGNATURE_SPEC.md`, and the Sigstore bundle format v0.3 (DSSE).
"""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from pierhead.engine.outcome import Denied, Invalid
from pierhead.stores.registry import Repository

MOST_SIGNATURES = 20
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

_PAYLOAD_LIMIT = 1024 * 1024
_SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
_ANNOTATION = "dev.cosignproject.cosign/signature"
_TYPE = "cosign container image signature"
_STATEMENT = "application/vnd.in-toto+json"
_PREDICATE = "https://sigstore.dev/cosign/sign/v1"

Signed = tuple[bytes, bytes]
"""What was signed, and the signature."""


async def verify(repository: Repository, digest: str, keys: Iterable[str]) -> None:
    """Returns when one of the keys (PEM) has signed the manifest of this digest.

    Raises Denied when none has, Invalid for a text that is no public key; fields relative to the source.
    """
    loaded = [_key(text) for text in keys]
    found = 0
    for signatures in (_tagged(repository, digest), _bundled(repository, digest)):
        async for signed, signature in signatures:
            found += 1
            if any(_verifies(key, signature, signed) for key in loaded):
                return
    reason = f"none of its {found} signatures is by a key given" if found else "it is not signed"
    raise Denied(f"{digest} is refused: {reason}", reason="SignatureInvalid", field="verify")


async def _tagged(repository: Repository, digest: str) -> AsyncIterator[Signed]:
    """Signatures under the tag that cosign gives them."""
    try:
        manifest = await repository.manifest(f"{digest.replace(':', '-')}.sig")
    except Invalid:
        return
    for layer in manifest.layers()[:MOST_SIGNATURES]:
        signature = _decoded((layer.get("annotations") or {}).get(_ANNOTATION))
        if layer.get("mediaType") != _SIMPLE or signature is None:
            continue
        payload = await repository.blob(str(layer["digest"]), limit=_PAYLOAD_LIMIT)
        critical = _path(_parsed(payload), "critical")
        if critical.get("type") == _TYPE and _path(critical, "image").get("docker-manifest-digest") == digest:
            yield payload, signature


async def _bundled(repository: Repository, digest: str) -> AsyncIterator[Signed]:
    """Signatures in bundles that refer to the digest."""
    try:
        listed = await repository.referrers(digest, BUNDLE)
    except Invalid:
        return
    for descriptor in listed[:MOST_SIGNATURES]:
        manifest = await repository.manifest(str(descriptor["digest"]))
        for layer in manifest.layers()[:1]:
            bundle = _parsed(await repository.blob(str(layer["digest"]), limit=_PAYLOAD_LIMIT))
            envelope = _path(bundle, "dsseEnvelope")
            payload = _decoded(envelope.get("payload"))
            if payload is None or envelope.get("payloadType") != _STATEMENT or not _names(payload, digest):
                continue
            listed_signatures = envelope.get("signatures")
            for entry in listed_signatures[:MOST_SIGNATURES] if isinstance(listed_signatures, list) else ():
                signature = _decoded(entry.get("sig")) if isinstance(entry, dict) else None
                if signature is not None:
                    yield _encoded(payload), signature


def _names(payload: bytes, digest: str) -> bool:
    """Whether an in-toto statement is cosign's about this digest."""
    statement = _parsed(payload)
    subjects = statement.get("subject")
    return statement.get("predicateType") == _PREDICATE and any(
        _path(subject, "digest").get("sha256") == digest.removeprefix("sha256:")
        for subject in (subjects if isinstance(subjects, list) else ())
        if isinstance(subject, dict)
    )


def _encoded(payload: bytes) -> bytes:
    """What is signed of a DSSE envelope. Source: secure-systems-lab/dsse, `protocol.md`."""
    kind = _STATEMENT.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _key(text: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 (megabytes that few need)
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        raise Invalid("a key is no public key in PEM", reason="InvalidKey", field="verify.cosignKeys")
    return key


def _verifies(key: Any, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa  # noqa: PLC0415

    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decoded(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except binascii.Error:
        return None


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _path(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}
