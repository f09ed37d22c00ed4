"""Every secret value that anybody put into the stand-in, so that a test can look for it where it must not be.

Invariant: a value is kept from the moment it is accepted until it is taken, whatever becomes of its secret.
"""

import base64
import json
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pierhead_sandbox.aws.operations import Call

_MEMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CreateSecret": ("SecretString", "SecretBinary"),
        "PutSecretValue": ("SecretString", "SecretBinary"),
        "UpdateSecret": ("SecretString", "SecretBinary"),
        "PutParameter": ("Value",),
    }
)


class WrittenValue(NamedTuple):
    """A value, and what it was written to."""

    name: str
    value: bytes


class WrittenValues:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[WrittenValue, None] = {}

    def record(self, call: Call, body: bytes) -> None:
        """Keeps what a call writes, if it is secret: a parameter that is no SecureString is not."""
        members = _MEMBERS.get(call.operation)
        if members is None or call.service not in {"secretsmanager", "ssm"}:
            return
        request = json.loads(body)
        if call.service == "ssm" and request.get("Type") != "SecureString":
            return
        name = str(request.get("SecretId") or request.get("Name"))
        for member in members:
            if member in request:
                text = str(request[member])
                value = base64.b64decode(text) if member == "SecretBinary" else text.encode()
                with self._lock:
                    self._values[WrittenValue(name, value)] = None

    def take(self) -> list[tuple[str, str]]:
        """Name and value, in base64, of all that was written since the last time."""
        with self._lock:
            values, self._values = self._values, {}
        return [(name, base64.b64encode(value).decode()) for name, value in values]
