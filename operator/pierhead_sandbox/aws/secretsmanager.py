"""What moto's Secrets Manager gets wrong, put right around it.

Invariant: a read without a stage or version gives what AWSCURRENT is on now; a batch names each member that
failed in `Errors` and never hides it. Labels that moved are put on EventBridge as "Secret Label Updated",
except AWSPENDING and AWSPREVIOUS. Source: AWS Secrets Manager API reference and user guide.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import uuid4

from moto.iam.models import get_account_id_from
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend, secretsmanager_backends

from pierhead_sandbox.aws.answer import Answer, error_answer, json_answer
from pierhead_sandbox.aws.bus import Bus, Event
from pierhead_sandbox.aws.consistency import asker, before, replace_body
from pierhead_sandbox.aws.faults import FaultBook
from pierhead_sandbox.aws.operations import Call
from pierhead_sandbox.aws.protocol import Fault

Json = dict[str, Any]

BATCH_LIMIT = 20
_OK = 200
_MOVES_LABELS = frozenset(
    {"CreateSecret", "PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "RotateSecret"}
)
_SILENT_LABELS = frozenset({"AWSPENDING", "AWSPREVIOUS"})


class SecretsManager:
    """Stands between the front door and moto's Secrets Manager."""

    def __init__(self, moto: Callable[[Json], Answer], faults: FaultBook, bus: Bus) -> None:
        self._moto = moto
        self._faults = faults
        self._bus = bus
        self._one_at_a_time = threading.RLock()

    def __call__(self, call: Call, environ: Json, body: bytes) -> Answer:
        """Answer one call. moto looks through all secrets for one, and fails while another is made."""
        with self._one_at_a_time:
            return self._answer(call, environ, body)

    def _answer(self, call: Call, environ: Json, body: bytes) -> Answer:
        if call.operation == "BatchGetSecretValue":
            return self._batch(environ, json.loads(body))
        if call.operation not in _MOVES_LABELS:
            return self._moto(environ)
        account = get_account_id_from(call.access_key)
        backend = secretsmanager_backends[account][call.region]
        request = json.loads(body)
        name = str(request.get("SecretId") or request.get("Name"))
        before = _labels(backend, name)
        answer = self._moto(environ)
        _heal(backend, name)
        for label, version_id in _labels(backend, name).items():
            if before.get(label) != version_id and label not in _SILENT_LABELS:
                self._tell(backend, account, call.region, name, label, version_id)
        return answer

    def _batch(self, environ: Json, request: Json) -> Answer:
        ids: list[str] = request.get("SecretIdList") or []
        if len(ids) > BATCH_LIMIT:
            return error_answer(
                "json",
                400,
                "InvalidParameterException",
                f"SecretIdList: {len(ids)} members, at most {BATCH_LIMIT} are allowed",
            )
        faults = {secret_id: fault for secret_id in ids if (fault := self._strike(secret_id)) is not None}
        rest = [secret_id for secret_id in ids if not _fails(faults.get(secret_id))]
        page: Json = {"SecretValues": []}
        if rest or not ids:
            if ids:
                replace_body(environ, {**request, "SecretIdList": rest})
            answer = self._moto(environ)
            if answer.status != _OK:
                return answer
            page = json.loads(answer.body)
        if not ids:
            members = [value["ARN"] for value in page["SecretValues"]]
            faults = {arn: fault for arn in members if (fault := self._strike(arn)) is not None}
        page["Errors"] = [*(page.get("Errors") or []), *_errors(faults)]
        page["SecretValues"] = [
            value for value in page["SecretValues"] if not _fails(faults.get(value["ARN"]))
        ]
        stale = {secret_id for secret_id, fault in faults.items() if fault.effect == "stale"}
        return self._aged(environ, page, stale) if stale else json_answer(page)

    def _aged(self, environ: Json, page: Json, stale: set[str]) -> Answer:
        """The page with some of its values as they were before."""
        fresh = [value for value in page["SecretValues"] if stale.isdisjoint({value["ARN"], value["Name"]})]
        late = [value for value in page["SecretValues"] if value not in fresh]
        answer = json_answer({"SecretValues": late, "Errors": []})
        old = json.loads(before("BatchGetSecretValue", b"{}", answer, asker(self._moto, environ)).body)
        return json_answer(
            {
                **page,
                "SecretValues": [*fresh, *old["SecretValues"]],
                "Errors": [*page["Errors"], *old["Errors"]],
            }
        )

    def _strike(self, secret_id: str) -> Fault | None:
        return self._faults.strike_member(
            "secretsmanager", ("GetSecretValue", "BatchGetSecretValue"), secret_id, time.monotonic()
        )

    def _tell(
        self,
        backend: SecretsManagerBackend,
        account: str,
        region: str,
        name: str,
        label: str,
        version_id: str,
    ) -> None:
        secret = backend.secrets[name]
        self._bus.put(
            Event(
                id=str(uuid4()),
                account=account,
                region=region,
                source="aws.secretsmanager",
                detail_type="Secret Label Updated",
                resources=(str(secret.arn),),
                detail={"name": secret.name, "labelUpdated": label, "versionId": version_id},
                at=time.time(),
            )
        )


def _versions(backend: SecretsManagerBackend, name: str) -> Iterable[tuple[str, list[str]]]:
    if name not in backend.secrets:
        return
    for version_id, version in list(backend.secrets[name].versions.items()):
        yield version_id, list(version["version_stages"])


def _labels(backend: SecretsManagerBackend, name: str) -> dict[str, str]:
    return {label: version_id for version_id, labels in _versions(backend, name) for label in labels}


def _heal(backend: SecretsManagerBackend, name: str) -> None:
    current = _labels(backend, name).get("AWSCURRENT")
    secret = backend.secrets.get(name)
    if current is not None and isinstance(secret, FakeSecret):
        secret.set_default_version_id(current)


def _fails(fault: Fault | None) -> bool:
    return fault is not None and fault.effect == "error"


def _errors(faults: Mapping[str, Fault]) -> list[Json]:
    return [
        {"SecretId": secret_id, "ErrorCode": fault.code, "Message": fault.message}
        for secret_id, fault in faults.items()
        if _fails(fault)
    ]
