"""Filters for credentials in files: registries' passwords, keys and certificates.

Invariant: a key or certificate in PEM comes out as it was written; a refusal tells what is missing and
nothing of what is there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pierhead.secrets.dockerconfig import docker_config
from pierhead.secrets.templates.budget import Refusal
from pierhead.secrets.templates.values import text

PARTS: Final = ("key", "certificate", "ca", "chain")
"""What there is to take: the private key, the certificate of its holder, the certificates of those who
issued it, and both of these after each other."""

_BEGIN: Final = "-----BEGIN "
_DASHES: Final = "-----"


def dockerconfigjson(value: Any, registry: Any, username: Any) -> str:
    """The text of a pull secret, of a registry's password."""
    return docker_config(text(registry), text(username), text(value))


def pem(value: Any, part: Any) -> str:
    """The private key or certificates in PEM text that has several things. Raises Refusal."""
    blocks = list(_blocks(text(value)))
    certificates = [block for label, block in blocks if label in {"CERTIFICATE", "X509 CERTIFICATE"}]
    keys = [block for label, block in blocks if label.endswith("PRIVATE KEY")]
    return taken(part, keys, certificates)


def taken(part: Any, keys: list[str], certificates: list[str]) -> str:
    """The part that was asked for. Raises Refusal where it is not there, or there is more than one key."""
    parts: Mapping[str, list[str]] = {
        "key": keys,
        "certificate": certificates[:1],
        "ca": certificates[1:],
        "chain": certificates,
    }
    found = parts.get(part) if isinstance(part, str) else None
    if found is None:
        raise Refusal(f"takes one of {', '.join(PARTS)}")
    if not found:
        raise Refusal(f"has no {'private key' if part == 'key' else 'such certificate'} in it")
    if part == "key" and len(found) > 1:
        raise Refusal("has several private keys in it")
    return "".join(found)


def _blocks(whole: str) -> Iterator[tuple[str, str]]:
    """Label and text of each block, which ends with a line end."""
    start = whole.find(_BEGIN)
    while start >= 0:
        label, dashes, _ = whole[start + len(_BEGIN) : start + 96].partition(_DASHES)
        if not dashes or "\n" in label:
            raise Refusal("has a block of PEM that does not begin as one")
        ending = f"-----END {label}{_DASHES}"
        end = whole.find(ending, start)
        if end < 0:
            raise Refusal("has a block of PEM that does not end")
        yield label, whole[start : end + len(ending)] + "\n"
        start = whole.find(_BEGIN, end + len(ending))
