"""One identity's boto3 session. Everything here blocks, and runs on the threads of `pierhead.aws.session`.

Invariant: sessions are built under their lock and credentials are fetched outside it, so that a slow STS
holds up one thread and not all that use the identity.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader

CONNECT_SECONDS = 3
READ_SECONDS = 15
LONG_POLL_SECONDS = 20
"""How much longer SQS may take: it answers when there is a message."""

ATTEMPTS = 3

_RENEW_SECONDS = 600
"""Remaining lifetime below which calls wait for new credentials; botocore renews ahead of it, on one call."""

_ACCOUNT_FIELD = 4


@dataclass(frozen=True, slots=True)
class AwsIdentity:
    """Who a call is made as. Calls of equal identities share sessions, credentials and answers."""

    role_arn: str | None = None
    """Role to assume; None is the operator itself."""

    external_id: str | None = None
    service_account: tuple[str, str] | None = None
    """Namespace and name of the ServiceAccount whose token is exchanged for the role; None: the operator
    assumes it."""

    session_name: str = "pierhead"
    tags: tuple[tuple[str, str], ...] = ()
    """Session tags; the role's trust policy must allow `sts:TagSession` for them."""

    pod_identity: bool = False
    """Whether EKS Pod Identity says which role the ServiceAccount has, instead of `role_arn`."""

    @property
    def is_operator(self) -> bool:
        """Whether it is the operator itself."""
        return self.role_arn is None and not self.pod_identity

    @property
    def account(self) -> str:
        """The account that calls count against; empty for the operator's own."""
        fields = (self.role_arn or "").split(":")
        return fields[_ACCOUNT_FIELD] if len(fields) > _ACCOUNT_FIELD else ""


OPERATOR = AwsIdentity()

Fetch = Callable[[], dict[str, str]]
"""Fetches temporary credentials: access_key, secret_key, token and expiry_time (ISO 8601)."""


class _Temporary(CredentialProvider):
    """The only credential source of an assumed identity."""

    METHOD = "assume-role"
    CANONICAL_NAME = "custom-pierhead-assume-role"

    def __init__(self, fetch: Fetch) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(
            metadata=self._fetch(), refresh_using=self._fetch, method=self.METHOD
        )


class IdentitySession:
    """The session, the credentials and the clients of one identity."""

    def __init__(self, *, loader: Loader, region: str, connections: int, fetch: Fetch | None = None) -> None:
        self._loader = loader
        self._region = region
        self._fetch = fetch
        self._connections = connections
        self._boto3: boto3.Session | None = None
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._credentials: Any = None

    def usable(self) -> bool:
        """Whether a call can be signed without waiting for credentials."""
        refresh_needed = getattr(self._credentials, "refresh_needed", None)
        return self._credentials is not None and not (refresh_needed and refresh_needed(_RENEW_SECONDS))

    def warm(self) -> None:
        """Fetches or renews the credentials.

        Raises botocore's errors; NoCredentialsError when no source has any.
        """
        credentials = self._session().get_credentials()
        if credentials is None:
            raise NoCredentialsError
        credentials.get_frozen_credentials()
        self._credentials = credentials

    def keys(self) -> tuple[str, str, str | None]:
        """What `warm` has fetched: access key, secret key and session token."""
        frozen = self._credentials.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token

    def client(self, service: str, region: str, *, retries: bool) -> Any:
        """A cached boto3 client; making it takes up to 0.2 s."""
        key = (service, region, retries)
        client = self._clients.get(key)
        if client is None:
            with self._lock:  # sessions are not thread-safe, clients are
                if key not in self._clients:
                    self._clients[key] = self._session().client(  # type: ignore[call-overload]
                        service, region_name=region, config=self._config(service, retries=retries)
                    )
                client = self._clients[key]
        return client

    def close(self) -> None:
        """Closes the clients' connections."""
        for client in self._clients.values():
            client.close()

    def _session(self) -> boto3.Session:
        """The session, made when AWS is first asked: many a process never does."""
        with self._lock:
            if self._boto3 is None:
                session = botocore.session.Session()
                # Service descriptions are megabytes of JSON: all sessions share one copy.
                session.register_component("data_loader", self._loader)
                if self._fetch is not None:
                    resolver = CredentialResolver([_Temporary(self._fetch)])
                    session.register_component("credential_provider", resolver)
                self._boto3 = boto3.Session(botocore_session=session, region_name=self._region)
            return self._boto3

    def _config(self, service: str, *, retries: bool) -> Config:
        return Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS + (LONG_POLL_SECONDS if service == "sqs" else 0),
            max_pool_connections=self._connections,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS if retries else 1},
            tcp_keepalive=True,
            user_agent_extra="pierhead",
        )
