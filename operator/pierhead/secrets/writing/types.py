"""What Secrets of Kubernetes' own types have to hold. Pure.

Invariant: what the API server would refuse for a missing or malformed key is refused here first, in words
that name the key and nothing of its value. Source: Kubernetes, `ValidateSecret`.
"""

import json
from collections.abc import Mapping
from typing import Final

from pierhead.engine.properties import Fault
from pierhead.secrets.model.target import BASIC_AUTH, DOCKER_CONFIG, DOCKER_CONFIG_JSON, SSH_AUTH, TLS

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    TLS: ("tls.crt", "tls.key"),
    SSH_AUTH: ("ssh-privatekey",),
    DOCKER_CONFIG_JSON: (".dockerconfigjson",),
    DOCKER_CONFIG: (".dockercfg",),
}
_FULL: Final = frozenset({SSH_AUTH})
"""Types whose key must not be empty."""

_JSON: Final = frozenset({DOCKER_CONFIG_JSON, DOCKER_CONFIG})
_LOGIN: Final = ("username", "password")


def fault_of(secret_type: str, data: Mapping[str, bytes]) -> Fault | None:
    """Why a Secret of this type cannot hold this."""
    if secret_type == BASIC_AUTH and not any(key in data for key in _LOGIN):
        return _missing(secret_type, f"one of the keys {' and '.join(_LOGIN)}")
    for key in _KEYS.get(secret_type, ()):
        if key not in data or (secret_type in _FULL and not data[key]):
            return _missing(secret_type, f"the key {key}")
        if secret_type in _JSON and not _is_json(data[key]):
            return Fault("NotJSON", f"spec.target.type {secret_type}: the key {key} is not JSON")
    return None


def _missing(secret_type: str, what: str) -> Fault:
    return Fault("MissingKey", f"spec.target.type {secret_type} needs {what}")


def _is_json(value: bytes) -> bool:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict)
