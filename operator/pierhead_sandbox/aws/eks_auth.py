"""EKS Auth, which moto has not: a Pod's token is traded for the credentials of the role associated with it.

Invariant: only a token for EKS Pod Identity, bound to a Pod and not expired, is taken, and only of a
ServiceAccount that somebody has associated. Its signature is not looked at. Source: Amazon EKS Auth API
reference, `AssumeRoleForPodIdentity`.
"""

import base64
import json
import re
import time
from typing import Any
from uuid import uuid4

from pierhead_sandbox.aws.answer import Answer, error_answer, json_answer
from pierhead_sandbox.aws.operations import Call

Json = dict[str, Any]

AUDIENCE = "pods.eks.amazonaws.com"
_LIFETIME_SECONDS = 6 * 3600
_BAD_REQUEST = 400
_NOT_FOUND = 404
_PATH = re.compile(r"/clusters/([^/]+)/assume-role-for-pod-identity")


class EksAuth:
    """Answers AssumeRoleForPodIdentity."""

    def __init__(self) -> None:
        self._associations: dict[tuple[str, str, str], str] = {}

    def associate(self, given: Json) -> None:
        """Associates a ServiceAccount of a cluster with a role; without one, takes the association away."""
        key = given["cluster"], given["namespace"], given["service_account"]
        if given.get("role_arn"):
            self._associations[key] = given["role_arn"]
        else:
            self._associations.pop(key, None)

    def reset(self) -> None:
        """Forgets all associations."""
        self._associations.clear()

    def __call__(self, call: Call, environ: Json, body: bytes) -> Answer:
        """Answer one call."""
        path = _PATH.fullmatch(str(environ.get("PATH_INFO", "")))
        if path is None:
            return _error(call, "InvalidRequestException", "no such operation")
        claims = _claims(str(json.loads(body).get("token", "")))
        if claims is None or AUDIENCE not in claims.get("aud", ()):
            return _error(call, "InvalidTokenException", "The token's audience is not valid")
        bound = claims.get("kubernetes.io", {})
        if "pod" not in bound:
            return _error(call, "InvalidTokenException", "The token is not bound to a pod")
        if claims.get("exp", 0) <= time.time():
            return _error(call, "ExpiredTokenException", "The token is expired")
        namespace, account = bound["namespace"], bound["serviceaccount"]["name"]
        role = self._associations.get((path[1], namespace, account))
        if role is None:
            return _error(call, "ResourceNotFoundException", "No association found for the token", _NOT_FOUND)
        return json_answer(_answer(namespace, account, role))


def _answer(namespace: str, account: str, role: str) -> Json:
    number = uuid4().hex
    return {
        "subject": {"namespace": namespace, "serviceAccount": account},
        "audience": AUDIENCE,
        "podIdentityAssociation": {
            "associationArn": f"arn:aws:eks:::a-{number}",
            "associationId": f"a-{number}",
        },
        "assumedRoleUser": {"arn": role, "assumeRoleId": f"AROA:{number}"},
        "credentials": {
            "accessKeyId": f"ASIA{number[:16].upper()}",
            "secretAccessKey": number,
            "sessionToken": number,
            "expiration": int(time.time()) + _LIFETIME_SECONDS,
        },
    }


def _claims(token: str) -> Json | None:
    parts = token.split(".")
    try:
        claims: Json = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return None
    return claims


def _error(call: Call, code: str, message: str, status: int = _BAD_REQUEST) -> Answer:
    return error_answer(call.protocol, status, code, message)
