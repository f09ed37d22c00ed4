"""Templates rendered without a cluster, and key material for them."""

from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from pierhead.engine.properties import Fault
from pierhead.secrets.decide import Lost
from pierhead.secrets.model.template import Template
from pierhead.secrets.templates.render import parse_all, render_all

KEY = "made"


def render(
    text: str, values: dict[str, str | bytes] | None = None, *, lost: Lost | None = None
) -> bytes | Fault:
    """What a template of one key makes of values."""
    made = render_each({KEY: text}, values or {}, lost=lost)
    return made if isinstance(made, Fault) else made[KEY]


def render_each(
    texts: dict[str, str], values: dict[str, str | bytes], *, lost: Lost | None = None, merge: bool = False
) -> dict[str, bytes] | Fault:
    """What templates make of values."""
    parsed = parse_all(Template(data=texts, merge_policy="Merge" if merge else None))
    if isinstance(parsed, Fault):
        return parsed
    encoded = {key: value.encode() if isinstance(value, str) else value for key, value in values.items()}
    made = render_all(parsed, encoded, lost)
    return made if isinstance(made, Fault) else dict(made)


@cache
def bundle() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate, x509.Certificate]:
    """A private key, its certificate, and the certificate of who issued that."""
    issuer_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _certificate("issuer", issuer_key, "issuer", issuer_key)
    return key, _certificate("shop", key, "issuer", issuer_key), issuer


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2046, 1, 1, tzinfo=UTC))
        .sign(issuer_key, hashes.SHA256())
    )


def pem_parts() -> dict[str, str]:
    """What `pem` and `pkcs12` take out of the bundle, by the names they have for it."""
    key, certificate, issuer = bundle()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    first, second = (one.public_bytes(Encoding.PEM).decode() for one in (certificate, issuer))
    return {"key": private, "certificate": first, "ca": second, "chain": first + second}


def pkcs12_of(password: str | None) -> bytes:
    """The bundle as PKCS#12."""
    key, certificate, issuer = bundle()
    encryption: KeySerializationEncryption = NoEncryption()
    if password is not None:
        encryption = BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(b"shop", key, certificate, [issuer], encryption)
