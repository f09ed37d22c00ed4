"""What goes over the sandbox's own door: faults, call records and their JSON.

Invariant: these models are the whole contract between `control.AwsControl` and the server, so that a test,
the demo and a benchmark in other processes read and write the same words. Unknown fields are refused.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# HTTP status and code as each service documents them; where one is absent, the JSON services' usual ones.
_THROTTLED = {
    "batch": (429, "TooManyRequestsException"),
    "s3": (503, "SlowDown"),
    "sqs": (403, "RequestThrottled"),
    "sts": (400, "Throttling"),
}
_DENIED = {
    "batch": (403, "AccessDeniedException"),
    "s3": (403, "AccessDenied"),
    "sqs": (403, "AccessDenied"),
    "sts": (403, "AccessDenied"),
}
_BROKEN = {
    "batch": (500, "ServerException"),
    "s3": (500, "InternalError"),
    "secretsmanager": (500, "InternalServiceError"),
    "ssm": (500, "InternalServerError"),
}


class Message(BaseModel):
    """Base of what crosses the door."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CallRecord(Message):
    """One call: `outcome` is the HTTP status, the error's code, or what came instead of an answer."""

    at: float
    """Unix seconds when it arrived."""
    seconds: float
    """How long it took to answer."""
    service: str
    operation: str
    region: str
    access_key: str
    resources: tuple[str, ...] = ()
    """What a request that reads names, such as the secrets of a batch."""
    status: int
    """HTTP status; 0 where nothing was answered."""
    outcome: str
    """`200`, `ThrottlingException`, `hang` or `drop`."""
    fault: str = ""
    """Id of the fault that shaped the answer, if any."""


class Fault(Message):
    """Something that goes wrong with calls that match.

    Of several faults that match a call, delays add up and the first other effect in order of creation wins.
    """

    service: str = "*"
    """Signing name or a glob of it."""
    operation: str = "*"
    """Operation or a glob of it."""
    resource: str | None = None
    """Glob over the names and ARNs in the request; a name inside an ARN matches too. On secrets it also
    strikes single members of a BatchGetSecretValue when `operation` covers GetSecretValue."""
    effect: Literal["error", "hang", "drop", "none", "empty", "stale"] = "error"
    """An error answer, no answer at all, a closed connection, nothing but the delay, a page without members
    before the one that was asked for, or a read of what was there before the last change."""
    accepted: bool = False
    """Carry the call out first: the client cannot tell that it was."""
    status: int = 500
    code: str = "InternalFailure"
    message: str = "made to fail by the sandbox"
    delay_seconds: float = Field(default=0, ge=0)
    skip: int = Field(default=0, ge=0)
    """Matching calls let through first."""
    times: int | None = Field(default=None, ge=1)
    """Calls struck before the fault is spent; None until it is removed."""
    rate: float | None = Field(default=None, gt=0)
    """Strike only calls beyond this many a second (a token bucket)."""
    burst: int = Field(default=1, ge=1)
    """The bucket's size."""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.accepted and self.effect in {"none", "empty", "stale"}:
            raise ValueError("accepted: says nothing of what is answered in any case")
        return self

    @classmethod
    def deny(
        cls, service: str, operation: str = "*", *, resource: str | None = None, times: int | None = None
    ) -> Self:
        """IAM says no."""
        status, code = _DENIED.get(service, (400, "AccessDeniedException"))
        what = operation if operation != "*" else "this operation"
        return cls(
            service=service,
            operation=operation,
            resource=resource,
            times=times,
            status=status,
            code=code,
            message=f"User is not authorized to perform: {service}:{what}",
        )

    @classmethod
    def throttle(
        cls,
        service: str,
        operation: str = "*",
        *,
        times: int | None = None,
        rate: float | None = None,
        burst: int = 1,
    ) -> Self:
        """Too many requests: `times` calls, or those beyond `rate` a second."""
        status, code = _THROTTLED.get(service, (400, "ThrottlingException"))
        return cls(
            service=service,
            operation=operation,
            times=times,
            rate=rate,
            burst=burst,
            status=status,
            code=code,
            message="Too Many Requests" if service == "batch" else "Rate exceeded",
        )

    @classmethod
    def server_error(
        cls, service: str, operation: str = "*", *, times: int | None = None, accepted: bool = False
    ) -> Self:
        """A 5xx; with `accepted` the call was carried out all the same."""
        status, code = _BROKEN.get(service, (500, "InternalFailure"))
        return cls(
            service=service,
            operation=operation,
            times=times,
            accepted=accepted,
            status=status,
            code=code,
            message="Internal error",
        )

    @classmethod
    def timeout(
        cls, service: str, operation: str = "*", *, times: int | None = None, accepted: bool = False
    ) -> Self:
        """The connection is held open and nothing is ever answered."""
        return cls(service=service, operation=operation, times=times, accepted=accepted, effect="hang")

    @classmethod
    def drop(
        cls, service: str, operation: str = "*", *, times: int | None = None, accepted: bool = False
    ) -> Self:
        """The connection closes without an answer."""
        return cls(service=service, operation=operation, times=times, accepted=accepted, effect="drop")

    @classmethod
    def latency(cls, service: str, operation: str = "*", *, seconds: float, times: int | None = None) -> Self:
        """The right answer, late."""
        return cls(service=service, operation=operation, times=times, effect="none", delay_seconds=seconds)

    @classmethod
    def empty_page(cls, service: str, operation: str, *, times: int | None = None) -> Self:
        """A page with nothing on it but a NextToken, as AWS may answer any list with."""
        return cls(service=service, operation=operation, times=times, effect="empty")

    @classmethod
    def stale(
        cls, service: str, operation: str = "*", *, resource: str | None = None, times: int | None = None
    ) -> Self:
        """Eventual consistency: a read shows what was there before the last change."""
        return cls(service=service, operation=operation, resource=resource, times=times, effect="stale")

    @classmethod
    def decryption_failure(cls, resource: str, *, times: int | None = None) -> Self:
        """KMS does not decrypt this secret."""
        return cls(
            service="secretsmanager",
            operation="GetSecretValue",
            resource=resource,
            times=times,
            status=400,
            code="DecryptionFailure",
            message="Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
        )


class FaultReport(Message):
    """A fault and how often it struck."""

    id: str
    fault: Fault
    struck: int
