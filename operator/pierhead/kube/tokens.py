"""ServiceAccounts as AWS knows them: their annotations, and their tokens for others than the API server.

Invariant: a token is made for one audience and lives an hour at most, and it is never logged or kept here.
"""

from typing import Any, Final

from pierhead.engine.outcome import Transient
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.errors import Forbidden, NotFound
from pierhead.kube.resources import PODS, SERVICE_ACCOUNTS
from pierhead.model.aws import PODS_AUDIENCE, STS_AUDIENCE

_SECONDS: Final = 3600
_PAGE: Final = 50
_HELP: Final = "; the chart's value rbac.serviceAccountTokens gives pierhead the right"


async def service_account(client: Client, namespace: str, name: str) -> Object:
    """A ServiceAccount's metadata. Raises Forbidden without the right, Transient without such an account."""
    try:
        return await client.get(SERVICE_ACCOUNTS, name, namespace, metadata_only=True)
    except Forbidden as error:
        error.message += _HELP
        raise
    except NotFound:
        raise _missing(name) from None


async def service_account_token(
    client: Client, namespace: str, name: str, *, audience: str = STS_AUDIENCE
) -> str:
    """A fresh token of a ServiceAccount (TokenRequest API), of one of its Pods where the audience asks.

    Raises Forbidden without the right, Transient without such an account or Pod, and what the API server
    answers.
    """
    spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": _SECONDS}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    try:
        if audience == PODS_AUDIENCE:
            spec["boundObjectRef"] = await _pod(client, namespace, name)
        answer = await client.create_subresource(SERVICE_ACCOUNTS, name, namespace, "token", request)
    except Forbidden as error:
        error.message += _HELP
        raise
    except NotFound:
        raise _missing(name) from None
    token = (answer.get("status") or {}).get("token")
    if not isinstance(token, str) or not token:
        raise Transient(f"no token for ServiceAccount {name} was issued", reason="NoCredentials")
    return token


def _missing(name: str) -> Transient:
    return Transient(f"ServiceAccount {name} does not exist", reason="ReferenceNotFound")


async def _pod(client: Client, namespace: str, account: str) -> Object:
    """A reference to a Pod of the account: one that runs, or else one that has a node, or any."""
    selector = f"spec.serviceAccountName={account},status.phase!=Succeeded,status.phase!=Failed"
    found: list[tuple[bool, bool, str, str]] = []
    async for page in client.pages(PODS, namespace, field_selector=selector, page_size=_PAGE):
        found = [
            (
                pod.get("status", {}).get("phase") != "Running",
                not pod["spec"].get("nodeName"),
                pod["metadata"]["name"],
                pod["metadata"]["uid"],
            )
            for pod in page.items
            if "deletionTimestamp" not in pod["metadata"]
        ]
        if found:
            break
    if not found:
        raise Transient(
            f"EKS Pod Identity asks for a Pod that uses ServiceAccount {account}, and there is none, "
            "running or about to",
            reason="NoPodOfServiceAccount",
        )
    *_, name, uid = min(found)
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
