"""As whom a source is fetched: what the AppRelease's own account may read, and its identity in AWS.

Invariant: two accesses with the same fingerprint may share a fetch, and no secret text is in a fingerprint, a
representation or an error.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pierhead.apps.aws import AwsScope
from pierhead.engine.outcome import Invalid

CERTIFICATE_AUTHORITY = "ca.crt"
USERNAME, PASSWORD = "username", "password"
CERTIFICATE, CERTIFICATE_KEY = "tls.crt", "tls.key"


@dataclass(frozen=True, slots=True)
class Access:
    """What a fetch may use beside the source itself."""

    secret_name: str = ""
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The texts of the Secret that the source names."""

    keys: tuple[str, ...] = field(default=(), repr=False)
    """PEM texts of the public keys that may have signed it."""

    aws: AwsScope | None = None
    """Where the source is in AWS."""

    @property
    def trust(self) -> str | None:
        """Certificate authorities to trust beside the system's."""
        return self.secret.get(CERTIFICATE_AUTHORITY)

    @property
    def certificate(self) -> tuple[str, str] | None:
        """A certificate to prove who asks, and its private key, as PEM texts.

        Raises Invalid where the Secret has one of them alone.
        """
        if CERTIFICATE not in self.secret and CERTIFICATE_KEY not in self.secret:
            return None
        return self.needed(CERTIFICATE), self.needed(CERTIFICATE_KEY)

    @property
    def fingerprint(self) -> str:
        """Tells accesses apart."""
        aws = self.aws
        parts = [
            sorted(self.secret.items()),
            self.keys,
            repr(aws.identity) if aws is not None else None,
            aws.region if aws is not None else None,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def needed(self, key: str) -> str:
        """A text of the Secret. Raises Invalid naming the key that is missing."""
        if key not in self.secret:
            raise Invalid(
                f"Secret {self.secret_name} has no key {key!r}", reason="KeyNotFound", field="secret"
            )
        return self.secret[key]

    def login(self) -> tuple[str, str] | None:
        """Username and password; None where the Secret has neither. Raises Invalid where it has one."""
        if USERNAME not in self.secret and PASSWORD not in self.secret:
            return None
        return self.needed(USERNAME), self.needed(PASSWORD)


def texts(name: str, data: Mapping[str, str], *, at: str) -> dict[str, str]:
    """The texts in a Secret's data. Raises Invalid for a value that is no text."""
    found = {}
    for key, encoded in data.items():
        try:
            found[key] = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Invalid(
                f"Secret {name} holds under {key!r} what is no text", reason="InvalidValues", field=at
            ) from None
    return found
