"""Who the client is to the API server, and whom it trusts.

Invariant: a token that is kept in a file is never used past its rotation: it is read again when the file
changes and when the API server says 401. Certificates are always verified; only the strict X.509 profile
is relaxed, and only for the cluster's own CA, which many clusters issue without the extensions it asks for.
"""

import base64
import os
import re
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_CHECK_SECONDS = 1.0
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class CredentialsError(Exception):
    """The credentials cannot be used as they are given."""


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """A ServiceAccount to act as.

    Only its user name is sent: the API server adds a service account's groups itself. Raises ValueError
    for names no ServiceAccount can have, which would make another kind of user.
    """

    namespace: str
    service_account: str

    def __post_init__(self) -> None:
        for name in (self.namespace, self.service_account):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a ServiceAccount or its namespace")

    @property
    def user(self) -> str:
        """The user name the API server knows it by."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A server and how to prove who asks. `*_data` hold PEM text; without a CA the system's are trusted."""

    server: str
    ca_file: Path | None = None
    ca_data: str | None = field(default=None, repr=False)
    client_cert_file: Path | None = None
    client_cert_data: str | None = field(default=None, repr=False)
    client_key_file: Path | None = None
    client_key_data: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None

    @classmethod
    def in_cluster(
        cls, *, environment: Mapping[str, str], directory: Path = _SERVICE_ACCOUNT
    ) -> "Credentials":
        """Those of the pod's ServiceAccount. Raises CredentialsError outside of a pod."""
        host = environment.get("KUBERNETES_SERVICE_HOST", "")
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        token_file = directory / "token"
        if not host or not token_file.exists():
            raise CredentialsError("not in a pod: KUBERNETES_SERVICE_HOST or its token is missing")
        if ":" in host:
            host = f"[{host}]"
        return cls(server=f"https://{host}:{port}", ca_file=directory / "ca.crt", token_file=token_file)

    @classmethod
    def from_kubeconfig(cls, path: Path, *, context: str | None = None) -> "Credentials":
        """Those of a kubeconfig's context, its current one by default.

        Raises CredentialsError for what only people's tools do: exec plug-ins, passwords, no verification.
        """
        document = yaml.safe_load(path.read_text())
        if not isinstance(document, dict):
            raise CredentialsError(f"{path} is not a kubeconfig")
        chosen = _named(document, "contexts", context or document.get("current-context"), path)["context"]
        cluster = _named(document, "clusters", chosen.get("cluster"), path)["cluster"]
        user = _named(document, "users", chosen.get("user"), path).get("user") or {}
        unsupported = sorted({"exec", "auth-provider", "username", "as"} & user.keys())
        if cluster.get("insecure-skip-tls-verify"):
            unsupported.append("insecure-skip-tls-verify")
        if unsupported:
            raise CredentialsError(f"{path}: {', '.join(unsupported)} cannot be used here")
        folder = path.parent
        return cls(
            server=cluster["server"].rstrip("/"),
            ca_file=_file(folder, cluster.get("certificate-authority")),
            ca_data=_data(cluster.get("certificate-authority-data")),
            client_cert_file=_file(folder, user.get("client-certificate")),
            client_cert_data=_data(user.get("client-certificate-data")),
            client_key_file=_file(folder, user.get("client-key")),
            client_key_data=_data(user.get("client-key-data")),
            token=user.get("token"),
            token_file=_file(folder, user.get("tokenFile")),
        )

    def ssl_context(self) -> ssl.SSLContext:
        """What verifies the server, with the client's certificate if there is one."""
        own_ca = self.ca_file is not None or self.ca_data is not None
        if self.server.startswith("http://") and not own_ca:
            # Reading the system's certificates takes a tenth of a second, and nothing is verified here.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca_data)
        if own_ca:
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.client_cert_file and self.client_key_file:
            context.load_cert_chain(self.client_cert_file, self.client_key_file)
        elif self.client_cert_data and self.client_key_data:
            _load_pair(context, self.client_cert_data, self.client_key_data)
        return context


class TokenSource:
    """The bearer token of now."""

    def __init__(self, credentials: Credentials, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = credentials.token
        self._file = credentials.token_file
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._checked_at = float("-inf")

    def current(self) -> str | None:
        """The token; the file is looked at once a second at most."""
        if self._file is not None and self._clock() - self._checked_at >= _TOKEN_CHECK_SECONDS:
            self.reload()
        return self._token

    def reload(self) -> bool:
        """Reads the file if it changed; whether there is another token now."""
        if self._file is None:
            return False
        self._checked_at = self._clock()
        before = self._token
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._stamp:
                self._token = self._file.read_text().strip()
                self._stamp = stamp
        except OSError:
            # The kubelet swaps the file by a link; what is there a second later counts.
            self._stamp = None
        return self._token != before


def _named(document: Mapping[str, Any], section: str, name: str | None, path: Path) -> Mapping[str, Any]:
    for entry in document.get(section) or ():
        if entry.get("name") == name:
            found: Mapping[str, Any] = entry
            return found
    raise CredentialsError(f"{path}: {section} has no {name!r}")


def _file(folder: Path, name: str | None) -> Path | None:
    return folder / name if name else None


def _data(text: str | None) -> str | None:
    return base64.b64decode(text).decode() if text else None


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Loads PEM text; the ssl module only reads files, so they exist for that moment, for us alone."""
    with tempfile.TemporaryDirectory() as directory:
        paths = []
        for name, text in (("crt", certificate), ("key", key)):
            path = Path(directory) / name
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            paths.append(path)
        context.load_cert_chain(paths[0], paths[1])
