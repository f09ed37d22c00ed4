"""Object stores: S3 and Azure Blob behind one protocol.

Invariant: nothing of a store's answer but names, sizes and contents leaves this module: error texts are ours.
Every value is given explicitly, so nothing of the operator's own environment decides what a tenant reads.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, S3Store

from pierhead.engine.outcome import Denied, Invalid, ReconcileError, Transient
from pierhead.stores.networks import Networks

_RETRIES: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}
_STATUS = re.compile(r"status code: (\d{3})|: (\d{3}) [A-Z][a-z]")
_LISTED = 1000
_LENT = timedelta(minutes=5)
"""How long credentials are used before they are asked for again; who gives them keeps them longer."""

Keys = tuple[str, str, str | None]
"""Access key, secret key and session token."""


@dataclass(frozen=True, slots=True)
class Blob:
    """An object of a store."""

    path: str
    size: int
    entity_tag: str


class Bucket(Protocol):
    """One bucket or container, as one identity."""

    async def list(self, prefix: str, *, most: int) -> list[Blob]:
        """The objects in a folder, or everything for an empty prefix, `most` + 1 at most."""

    async def get(self, path: str, *, limit: int) -> bytes:
        """An object's content. Raises Invalid for one that is gone, or over `limit` bytes."""


class _Store:
    """A bucket of obstore's."""

    def __init__(self, name: str, store: Any) -> None:
        self._name = name
        self._store = store

    async def list(self, prefix: str, *, most: int) -> list[Blob]:
        found: list[Blob] = []
        try:
            async for page in obstore.list(self._store, prefix=prefix or None, chunk_size=_LISTED):
                found += [Blob(entry["path"], entry["size"], entry["e_tag"] or "") for entry in page]
                if len(found) > most:
                    break
        except (BaseError, OSError) as error:
            raise _failure(self._name, error) from None
        return found

    async def get(self, path: str, *, limit: int) -> bytes:
        content = bytearray()
        try:
            answer = await obstore.get_async(self._store, path)
            async for chunk in answer.stream():
                content += memoryview(chunk)
                if len(content) > limit:
                    raise Invalid(f"{self._name}/{path} is over {limit} bytes", reason="SourceTooLarge")
        except (BaseError, OSError) as error:
            raise _failure(f"{self._name}/{path}", error) from None
        return bytes(content)


def s3(bucket: str, *, region: str, endpoint: str, keys: Callable[[], Awaitable[Keys]]) -> Bucket:
    """A bucket of S3. `keys` are asked for again every few minutes, and raise ReconcileError."""

    async def lent() -> Any:
        access, secret, token = await keys()
        return {
            "access_key_id": access,
            "secret_access_key": secret,
            "token": token,
            "expires_at": datetime.now(UTC) + _LENT,
        }

    return _Store(
        f"s3://{bucket}",
        S3Store(
            bucket,
            region=region,
            endpoint=endpoint,
            virtual_hosted_style_request=False,
            credential_provider=lent,
            client_options=_options(endpoint),
            retry_config=_RETRIES,
        ),
    )


async def azure(
    container: str, *, account: str, endpoint: str | None, secret: Mapping[str, str], networks: Networks
) -> Bucket:
    """A container of Azure Blob Storage.

    `secret` holds `accountKey`, or `sasKey`, or `tenantId`, `clientId` and `clientSecret`, or none of them
    for a public container. Raises what `Networks.places` raises for the endpoint; Invalid for a key that is
    none.
    """
    url = endpoint or f"https://{account}.blob.core.windows.net"
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        await asyncio.to_thread(networks.places, parts.hostname or "", port)
    except ReconcileError as error:
        error.message = f"{parts.scheme}://{parts.hostname} {error.message}"
        raise
    given: dict[str, Any] = {}
    if "accountKey" in secret:
        given = {"account_key": secret["accountKey"].strip()}
    elif "sasKey" in secret:
        given = {"sas_key": secret["sasKey"].strip().removeprefix("?")}
    elif {"tenantId", "clientId", "clientSecret"} <= secret.keys():
        given = {
            "tenant_id": secret["tenantId"].strip(),
            "client_id": secret["clientId"].strip(),
            "client_secret": secret["clientSecret"].strip(),
        }
    else:
        given = {"skip_signature": True}
    try:
        store = AzureStore(
            container,
            account_name=account,
            endpoint=url,
            client_options=_options(url),
            retry_config=_RETRIES,
            **given,
        )
    except (BaseError, ValueError):
        raise Invalid(
            "the secret's key is none of Azure's", reason="InvalidValues", field="azure.secret"
        ) from None
    return _Store(f"azure://{account}/{container}", store)


def _options(url: str) -> Any:
    return {
        "timeout": timedelta(seconds=30),
        "connect_timeout": timedelta(seconds=10),
        "allow_http": url.startswith("http:"),
    }


def _failure(what: str, error: Exception) -> ReconcileError:
    text = str(error)
    status = _STATUS.search(text)
    code = next((group for group in status.groups() if group), "") if status else ""
    if isinstance(error, NotFoundError | FileNotFoundError) or code == "404":
        return Invalid(f"{what} does not exist (404)", reason="SourceNotFound")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or code in {"401", "403"}:
        return Denied(f"{what} is not for us (401 or 403)", reason="SourceDenied")
    if code == "301":
        return Invalid(f"{what} is in another region: see spec.aws.region", reason="SourceNotFound")
    return Transient(
        f"{what} {f'answered with status {code}' if code else 'cannot be reached'}",
        reason="SourceUnreachable",
    )
