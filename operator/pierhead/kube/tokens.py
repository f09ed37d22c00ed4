"""Tokens of ServiceAccounts for others than the API server.

Invariant: a token is made for one audience and lives an hour at most, and it is never logged or kept here.
"""

from pierhead.engine.outcome import Transient
from pierhead.kube.client import Client
from pierhead.kube.resources import SERVICE_ACCOUNTS

AWS_AUDIENCE = "sts.amazonaws.com"
_SECONDS = 3600


async def service_account_token(
    client: Client, namespace: str, name: str, *, audience: str = AWS_AUDIENCE
) -> str:
    """A fresh token of a ServiceAccount (TokenRequest API).

    Raises what the API server answers: NotFound without such an account, Forbidden without the right.
    """
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": _SECONDS},
    }
    answer = await client.create_subresource(SERVICE_ACCOUNTS, name, namespace, "token", request)
    token = (answer.get("status") or {}).get("token")
    if not isinstance(token, str) or not token:
        raise Transient(f"no token for ServiceAccount {name} was issued", reason="NoCredentials")
    return token
