"""What AWS answered, in the engine's terms.

Invariant: the text of an error holds no request id, no credentials, no payload and nothing that differs
between two equal failures, so it can go into a condition as it is and is written there once.
"""

import re
from typing import Self

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as NotConnectedError,
)
from botocore.parsers import ResponseParserError

from pierhead.engine.outcome import Denied, Invalid, ReconcileError, Throttled, Transient

THROTTLE_SECONDS = 5.0
"""Pause after a throttle that does not name one."""

_MESSAGE_LIMIT = 500


class AwsError(ReconcileError):
    """An AWS call that failed; `code` is AWS's own error code, `operation` the API action."""

    code: str = ""
    operation: str = ""

    def copy(self) -> Self:
        """An equal error to raise again: one instance raised twice would chain the callers' tracebacks."""
        again = type(self).__new__(type(self), *self.args)
        again.__dict__.update(self.__dict__)
        return again


class NotFound(AwsError, Invalid):
    """What the call names does not exist. A fact about AWS, not a passing failure."""

    default_reason = "NotFound"


class AccessDenied(AwsError, Denied):
    """IAM, a resource policy or a KMS key said no."""

    default_reason = "AccessDenied"


class BadRequest(AwsError, Invalid):
    """AWS refuses the call as it stands; sending it again cannot help."""

    default_reason = "BadRequest"


class Throttling(AwsError, Throttled):
    """AWS did nothing and asks for fewer calls."""


class Unavailable(AwsError, Transient):
    """AWS cannot be reached or has no valid answer now."""

    default_reason = "AwsUnavailable"


class Ambiguous(Unavailable):
    """The call may have been accepted although no good answer came: look before sending it again."""


_NOT_FOUND = re.compile(
    r"ResourceNotFound|ParameterNotFound|ParameterVersionNotFound|NoSuch|NonExistentQueue|QueueDoesNotExist|"
    r"NotFound(Exception)?$"
)
_THROTTLED = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|BandwidthLimitExceeded|SlowDown|"
    r"ProvisionedThroughputExceeded|TransactionInProgress|PriorRequestNotComplete"
)
_DENIED = re.compile(
    r"AccessDenied|UnauthorizedOperation|NotAuthorized|Forbidden|DecryptionFailure|KMSAccessDenied|"
    r"OptInRequired|AuthorizationError"
)
_CREDENTIALS = re.compile(
    r"InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|IncompleteSignature|"
    r"MissingAuthenticationToken|InvalidAccessKeyId|InvalidIdentityToken|AuthFailure"
)
_INTERNAL = re.compile(r"Internal(Service)?(Error|Failure)|ServiceUnavailable|^ServerException$")
_EXPIRED = re.compile(r"ExpiredToken|RequestExpired|RequestTimeTooSkewed|IDPCommunicationError")

# What AWS puts into messages that must not be repeated, or that changes from call to call.
_NOISE = (
    re.compile(r"[\s,;(]*\b(?:aws )?(?:request|host) ?id\s*[:=]\s*[\w+/=-]+\)?", re.IGNORECASE),
    re.compile(r"\bEncoded authorization failure message:.*", re.IGNORECASE | re.DOTALL),
    re.compile(r"[\s,]*\b(?:Credential|SignedHeaders|Signature|Authorization)=\S+"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    re.compile(r"\bService: [^;]*; Status Code: \d+; Error Code: \w+;?", re.IGNORECASE),
)
# The role says who it was; the session's name is another one after every start.
_SESSION = re.compile(r"(:assumed-role/[\w+=,.@-]+)/[\w+=,.@-]+")
_QUOTED_VALUE = re.compile(
    r"[Vv]alue:? ?(?:'.*?'|\".*?\"|\[.*?\]|\{.*?\})(?= at | for | with | is | fail|$)", re.DOTALL
)


def clean(message: str) -> str:
    """An AWS error message without request ids, credentials and echoed values, of bounded length."""
    for noise in _NOISE:
        message = noise.sub("", message)
    message = _SESSION.sub(r"\1", _QUOTED_VALUE.sub("value", message))
    return " ".join(message.split())[:_MESSAGE_LIMIT]


def from_code(
    code: str, message: str, *, operation: str, http_status: int = 400, after: float | None = None
) -> AwsError:
    """The error for one of AWS's error codes, also for those inside a batch answer.

    `after` is the pause in seconds that the answer asked for, if it did.
    """
    text = f"{operation}: {code}: {clean(message)}".rstrip(": ")
    error: AwsError
    if _THROTTLED.search(code) or http_status == 429:  # noqa: PLR2004
        error = Throttling(text, after=THROTTLE_SECONDS if after is None else after)
    elif _EXPIRED.search(code):
        error = Unavailable(
            f"{operation}: {code}: the credentials or the clock are out of date", reason="ExpiredCredentials"
        )
    elif _CREDENTIALS.search(code):
        # The message of these quotes the signed request.
        error = AccessDenied(
            f"{operation}: {code}: AWS does not accept the credentials", reason="InvalidCredentials"
        )
    elif _DENIED.search(code):
        error = AccessDenied(text)
    elif http_status >= 500 or _INTERNAL.search(code):  # noqa: PLR2004
        error = Ambiguous(text)
    elif _NOT_FOUND.search(code):
        error = NotFound(text)
    elif http_status == 403:  # noqa: PLR2004
        error = AccessDenied(text)
    else:
        error = BadRequest(text)
    error.code, error.operation = code, operation
    return error


def translate(error: ClientError | BotoCoreError, *, operation: str) -> AwsError:
    """The error for what boto3 raised. To be raised outside the `except`, so that the original,
    which holds the request, is not chained to it.
    """
    if isinstance(error, ClientError):
        return _from_answer(error)
    code = type(error).__name__
    translated: AwsError
    if isinstance(error, ParamValidationError):
        translated = BadRequest(f"{operation}: {_parameters(error)}")
    elif isinstance(error, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)):
        translated = Unavailable(
            f"{operation}: pierhead has no AWS credentials ({code})", reason="NoCredentials"
        )
    elif isinstance(error, NotConnectedError):
        translated = Unavailable(f"{operation}: AWS cannot be reached ({code})")
    elif isinstance(error, (HTTPClientError, ResponseStreamingError, ResponseParserError)):
        translated = Ambiguous(f"{operation}: no valid answer from AWS ({code})")
    else:
        translated = BadRequest(f"{operation}: the call cannot be made ({code})")
    translated.code, translated.operation = code, operation
    return translated


def _from_answer(error: ClientError) -> AwsError:
    answer = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    return from_code(
        str(answer.get("Code", "Unknown")),
        str(answer.get("Message", "")),
        operation=error.operation_name,
        http_status=int(metadata.get("HTTPStatusCode", 400)),
        after=_retry_after(metadata.get("HTTPHeaders", {}).get("retry-after")),
    )


def _retry_after(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() else None


_MISSING = r"Missing required parameter in ([\w.\[\]]+): \"(\w+)\""
_UNKNOWN = r"Unknown parameter in ([\w.\[\]]+):"


def _parameters(error: ParamValidationError) -> str:
    """Which parameters boto3 refuses; its own report quotes their values."""
    report = str(error.kwargs.get("report", ""))
    names = [f"{holder}.{name}" for holder, name in re.findall(_MISSING, report)]
    # The unknown one is what somebody wrote.
    names += [f"an unknown field in {holder}" for holder in re.findall(_UNKNOWN, report)]
    names += re.findall(r"parameter:? (?!in )\"?([A-Za-z][\w.\[\]]*)", report)
    named = ", ".join(dict.fromkeys(names)) or "a parameter"
    return f"not a valid value, or missing: {named}"
