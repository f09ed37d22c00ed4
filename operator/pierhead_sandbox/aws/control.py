"""Typed client of the sandbox's own door.

Invariant: needs only the standard library and pydantic, and holds no state but the server's address, so any
process may have its own. Every method raises ControlError with the server's words when it is refused.
"""

import base64
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from pierhead_sandbox.aws.batch.settings import BatchSettings, Script, Submission
from pierhead_sandbox.aws.protocol import CallRecord, Fault, FaultReport

_TIMEOUT_SECONDS = 120
_REFUSED = 400


class ControlError(Exception):
    """The server refused, in its own words."""


class _Door:
    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc

    def post(self, path: str, **arguments: Any) -> Any:
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", f"/sandbox/{path}", json.dumps(arguments))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status >= _REFUSED:
            raise ControlError(answer["error"])
        return answer


class BatchControl:
    """Scripts, switches and the clock of the Batch."""

    def __init__(self, door: _Door) -> None:
        self._door = door

    def create_queue(self, name: str, *, region: str = "us-east-1") -> str:
        """A queue that takes jobs, on an environment of the sandbox's; its ARN. Made once."""
        return str(self._door.post("batch/queue", name=name, region=region)["jobQueueArn"])

    def configure(self, **changes: Any) -> BatchSettings:
        """Turn switches (fields of BatchSettings); the others stay. Without arguments: how they stand."""
        return BatchSettings.model_validate(self._door.post("batch/settings", **changes))

    def script(self, script: Script | None = None, **fields: Any) -> None:
        """Put a script in force above the older ones: a Script, or its fields."""
        chosen = script or Script(**fields)
        self._door.post("batch/scripts/add", **chosen.model_dump())

    def clear_scripts(self) -> None:
        """Back to children that succeed."""
        self._door.post("batch/scripts/clear")

    def release(self, job_id: str | None = None) -> int:
        """Let children that `stays` holds go on, as the scripts now say; how many jobs were looked at."""
        return int(self._door.post("batch/release", job_id=job_id))

    def forget(self, job_id: str) -> int:
        """Age a job out at once; how many jobs were forgotten."""
        return int(self._door.post("batch/forget", job_id=job_id))

    def freeze(self) -> float:
        """Stop the Batch's clock; its time in Unix seconds."""
        return float(self._door.post("batch/freeze"))

    def run(self) -> float:
        """Let the clock go on."""
        return float(self._door.post("batch/run"))

    def advance(self, seconds: float) -> float:
        """Live through so many seconds at once; the time after."""
        return float(self._door.post("batch/advance", seconds=seconds))

    def now(self) -> float:
        """The Batch's time in Unix seconds."""
        return float(self._door.post("batch/now"))

    def submissions(self) -> list[Submission]:
        """Every SubmitJob that was accepted, in order, whatever its client came to know of it."""
        return [Submission.model_validate(item) for item in self._door.post("batch/submissions")]

    def jobs(self) -> list[dict[str, Any]]:
        """Every job there is: job_id, job_name, queue, region, status, and array properties."""
        found: list[dict[str, Any]] = self._door.post("batch/jobs")
        return found


class AwsControl:
    """Counters, faults and the Batch of one AWS stand-in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._door = _Door(url)
        self.batch = BatchControl(self._door)

    def reset(self, *, resources: bool = True) -> None:
        """Forget calls, faults, scripts and switches; with `resources` everything in every service too."""
        self._door.post("reset", resources=resources)

    def calls(self) -> dict[str, dict[str, int]]:
        """`{"batch:SubmitJob": {"200": 3, "TooManyRequestsException": 1}}`, of every service."""
        found: dict[str, dict[str, int]] = self._door.post("calls")
        return found

    def count(self, service: str, operation: str | None = None, *, outcome: str | None = None) -> int:
        """How many calls of a service, of an operation, with an outcome."""
        return sum(
            count
            for name, outcomes in self.calls().items()
            for seen, count in outcomes.items()
            if name.split(":", 1)[0] == service
            and operation in {None, name.split(":", 1)[1]}
            and outcome in {None, seen}
        )

    def call_log(self, *, since: float = 0) -> list[CallRecord]:
        """The latest calls one by one, from `since` in Unix seconds."""
        return [CallRecord.model_validate(item) for item in self._door.post("calls/log", since=since)]

    def clear_calls(self) -> None:
        """Start counting from nothing."""
        self._door.post("calls/clear")

    def written_secrets(self) -> list[tuple[str, bytes]]:
        """Name and value of every secret and SecureString that was written since this was last asked."""
        return [(name, base64.b64decode(value)) for name, value in self._door.post("secrets/written")]

    def registry_passwords_last(self, seconds: float) -> None:
        """How long what GetAuthorizationToken gives lasts from now on; each is another one then."""
        self._door.post("ecr/last", seconds=seconds)

    def scan_image(
        self,
        repository: str,
        digest: str,
        *,
        region: str = "us-east-1",
        status: str = "COMPLETE",
        **counts: int,
    ) -> None:
        """Say what ECR's scan of an image found (`HIGH=2`); until then it was never scanned."""
        given = {"repository": repository, "digest": digest, "region": region, "status": status}
        self._door.post("ecr/scan", **given, counts=counts)

    def associate_pod_identity(
        self, cluster: str, namespace: str, service_account: str, role_arn: str | None
    ) -> None:
        """Give a ServiceAccount a role by EKS Pod Identity; None takes it away."""
        given = {"cluster": cluster, "namespace": namespace, "service_account": service_account}
        self._door.post("eks/associate", **given, role_arn=role_arn)

    def add_fault(self, fault: Fault) -> str:
        """Put a fault in force; its id."""
        return str(self._door.post("faults/add", **fault.model_dump()))

    def remove_fault(self, fault_id: str | None = None) -> None:
        """Lift one fault, or all."""
        self._door.post("faults/remove", id=fault_id)

    def faults(self) -> list[FaultReport]:
        """Faults in force and how often each struck."""
        return [FaultReport.model_validate(item) for item in self._door.post("faults")]
