"""What the API server refuses, as outcomes of a reconcile.

Invariant: an error that nobody catches already means the right thing to the engine, because each class
is also one of `engine.outcome`; its message is the API server's own, except for Secrets, whose errors
can echo values: there only reasons and field names are kept. Source of the shape: metav1.Status.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pierhead.engine.outcome import (
    Conflict,
    Denied,
    Invalid,
    ReconcileError,
    Throttled,
    Transient,
    Waiting,
)

# Server-side apply reports what the schema refuses as plain Go errors, which the API server turns into
# a 500 without a reason. Source: apimachinery util/managedfields/internal/structuredmerge.go.
_SCHEMA_REFUSALS = (
    "failed to create typed patch object (",
    "failed to create typed live object (",
    "failed to convert new object (",
    "failed to convert new typed object (",
)
_GONE_STATUS = 410
_SERVER_ERRORS = 500
_MESSAGE_LIMIT = 8192
# The last clause of a cause's message, so that an echoed value cannot pass for the API server's words.
_IMMUTABLE = re.compile(
    r"(?:^|: )(?:[\w.\[\]-]+ (?:is|are) immutable\b[^:\"]*|cannot change roleRef)$"
    r"|^Forbidden: (?:updates to statefulset spec for fields other than [^:]* are forbidden$"
    r"|spec is immutable after creation )"
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One field at fault; `field` is a path such as `spec.template.spec.containers[0].image`."""

    reason: str
    message: str
    field: str
    immutable: bool = False
    """Whether it says, in words of the API server's own, that the field never changes."""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, for messages that must not come from the answer."""

    verb: str
    target: str
    user: str | None = None
    """Whom it was asked as; None for the client itself."""
    redact: bool = False
    """Whether the answer may quote values that must not be repeated."""

    def __str__(self) -> str:
        actor = f" as {self.user}" if self.user else ""
        return f"{self.verb} {self.target}{actor}"


class ApiError(ReconcileError):
    """An answer of the API server that is not a success, or no answer at all (`code` 0)."""

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        api_reason: str = "",
        causes: tuple[Cause, ...] = (),
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        ReconcileError.__init__(self, message)
        self.code = code
        self.api_reason = api_reason
        self.causes = causes
        self.details: Mapping[str, Any] = details or {}
        self.retry_after = retry_after

    def has_cause(self, reason: str) -> bool:
        """Whether one of the causes has this reason, such as `NamespaceTerminating`."""
        return any(cause.reason == reason for cause in self.causes)


class NotFound(ApiError, Transient):
    """404. Uncaught, it is something a reconcile takes for granted and that may yet come."""

    default_reason = "NotFound"

    @property
    def namespace_missing(self) -> bool:
        """Whether it is the namespace that does not exist."""
        return self.details.get("kind") == "namespaces"


class KindNotServed(NotFound):
    """404 for the URL itself: the API server does not serve this resource (any more)."""

    default_reason = "KindNotServed"


class AlreadyExists(ApiError, Conflict):
    """409 on create. Uncaught, the reconcile had not seen the object yet."""


class Conflict409(ApiError, Conflict):
    """409: the object is not, or not any more, at the version or uid the request named."""


class Forbidden(ApiError, Denied):
    """403: by RBAC, quota, an admission plug-in or a namespace that is going away."""

    default_reason = "Forbidden"

    @property
    def namespace_terminating(self) -> bool:
        """Whether nothing may be created because the namespace is being deleted."""
        return self.has_cause("NamespaceTerminating")


class QuotaExceeded(ApiError, Transient):
    """403 of a ResourceQuota: others may free what it lacks, or somebody raise it."""

    default_reason = "QuotaExceeded"


class Rejected(ApiError, Invalid):
    """400, 422 and what else only another request helps with; `causes` has the fields."""

    default_reason = "Rejected"


class FieldConflict(Rejected):
    """409 of an apply without force: another field manager owns fields; `causes` names it."""

    default_reason = "FieldConflict"


class Gone(ApiError, Transient):
    """410: the resourceVersion or continue token is no longer known."""


class Unauthorized(ApiError, Transient):
    """401, after the token was read again."""

    default_reason = "Unauthorized"


class TooManyRequests(ApiError, Throttled):
    """429, after the client's own few retries; `after` is the server's Retry-After in seconds."""

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.after: float = self.retry_after or 1.0


class ServerError(ApiError, Transient):
    """5xx."""

    default_reason = "ServerError"


class Unreachable(ApiError, Transient):
    """No answer: connection refused or cut, name unknown, certificate not trusted, time out.

    The request may have been carried out.
    """

    default_reason = "Unreachable"


class UnknownKind(Waiting):
    """No such kind is served now. Discovery's callbacks tell when that changes."""

    default_reason = "UnknownKind"


def from_status(
    status: Mapping[str, Any], *, code: int, request: Request, retry_after: float | None = None
) -> ApiError:
    """The error for a metav1.Status, of an answer or of a watch's ERROR event."""
    details = status.get("details") or {}
    causes = tuple(
        Cause(
            reason=cause.get("reason", ""),
            message="" if request.redact else cause.get("message", ""),
            field=cause.get("field", ""),
            immutable=_IMMUTABLE.search(cause.get("message") or "") is not None,
        )
        for cause in details.get("causes") or ()
    )
    reason = status.get("reason", "")
    text = str(status.get("message") or "")
    error = _class_for(code, reason, text, causes)
    if request.redact:
        text = _redacted(request, reason or f"code {code}", causes, details)
    if retry_after is None and details.get("retryAfterSeconds"):
        retry_after = float(details["retryAfterSeconds"])
    return error(
        text[:_MESSAGE_LIMIT] or f"the API server answered {code} to {request}",
        code=code,
        api_reason=reason,
        causes=causes,
        details={key: value for key, value in details.items() if key != "causes"},
        retry_after=retry_after,
    )


def from_text(text: str, *, code: int, request: Request, retry_after: float | None = None) -> ApiError:
    """The error for an answer that is not a Status: of a proxy, or of a URL nobody serves."""
    error = KindNotServed if code == 404 else _class_for(code, "", text, ())  # noqa: PLR2004
    said = "" if request.redact or not text.strip() else f": {' '.join(text.split())[:300]}"
    return error(
        f"the API server answered {code} to {request}{said}",
        code=code,
        retry_after=retry_after,
    )


_BY_CODE: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: ServerError,
    _GONE_STATUS: Gone,
    429: TooManyRequests,
}
_CONFLICT_STATUS = 409
_FORBIDDEN_STATUS = 403
_QUOTA = " is forbidden: exceeded quota: "
"""Source: apiserver `pkg/admission/plugin/resourcequota/controller.go`."""


def _class_for(code: int, reason: str, text: str, causes: tuple[Cause, ...]) -> type[ApiError]:
    if code == _CONFLICT_STATUS:
        if reason == "AlreadyExists":
            return AlreadyExists
        owned = any(cause.reason == "FieldManagerConflict" for cause in causes)
        return FieldConflict if owned else Conflict409
    if code == _FORBIDDEN_STATUS and _QUOTA in text:
        return QuotaExceeded
    if code in _BY_CODE:
        return _BY_CODE[code]
    refused_by_schema = not reason and text.startswith(_SCHEMA_REFUSALS)
    if code >= _SERVER_ERRORS and not refused_by_schema:
        return ServerError
    return Rejected


def _redacted(request: Request, reason: str, causes: tuple[Cause, ...], details: Mapping[str, Any]) -> str:
    told = sorted({cause.field for cause in causes if cause.field})
    if details.get("kind") == "namespaces":
        told.append("the namespace does not exist")
    listed = f" ({', '.join(told)})" if told else ""
    return f"{request}: {reason}{listed}; what else the API server said is withheld, it may quote values"


def immutable_fields(error: ApiError) -> tuple[str, ...]:
    """The fields a 422 says can never change: `field is immutable`, or a CEL rule's `… is immutable`.

    What StatefulSets, claims and role bindings say in other words counts too.

    Empty when anything else is wrong as well, for then replacing the object would not help.
    """
    if not isinstance(error, Rejected) or not error.causes:
        return ()
    if not all(cause.immutable for cause in error.causes):
        return ()
    return tuple(dict.fromkeys(cause.field for cause in error.causes))
