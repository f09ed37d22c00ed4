"""What AWS's errors become, and what their text never holds."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from pierhead.aws.errors import (
    AccessDenied,
    Ambiguous,
    AwsError,
    BadRequest,
    NotFound,
    Throttling,
    Unavailable,
    clean,
    from_code,
    translate,
)

URL = "http://127.0.0.1:1"


def answer(
    code: str, message: str = "no", *, status: int = 400, headers: dict[str, str] | None = None
) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}, "RequestId": "r"}
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata},  # type: ignore[typeddict-item]
        "GetThing",
    )


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ResourceNotFoundException", 400, NotFound),
        ("ParameterNotFound", 400, NotFound),
        ("NoSuchBucket", 404, NotFound),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, NotFound),
        ("AccessDeniedException", 400, AccessDenied),
        ("DecryptionFailure", 400, AccessDenied),
        ("SomethingNew", 403, AccessDenied),
        ("UnrecognizedClientException", 400, AccessDenied),
        ("ThrottlingException", 400, Throttling),
        ("TooManyRequestsException", 429, Throttling),
        ("SlowDown", 503, Throttling),
        ("Anything", 429, Throttling),
        ("InternalServiceError", 400, Ambiguous),
        ("ServerException", 500, Ambiguous),
        ("InternalFailure", 500, Ambiguous),
        ("ServiceUnavailable", 503, Ambiguous),
        ("ExpiredTokenException", 403, Unavailable),
        ("RequestTimeTooSkewed", 403, Unavailable),
        ("ValidationException", 400, BadRequest),
        ("ClientException", 400, BadRequest),
        ("LimitExceededException", 400, BadRequest),
    ],
)
def test_a_code_means_what_helps(code: str, status: int, expected: type[AwsError]) -> None:
    error = translate(answer(code, status=status), operation="GetThing")

    assert type(error) is expected
    assert (error.code, error.operation) == (code, "GetThing")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (EndpointConnectionError(endpoint_url=URL), Unavailable),
        (ConnectTimeoutError(endpoint_url=URL), Unavailable),
        (ReadTimeoutError(endpoint_url=URL), Ambiguous),
        (ConnectionClosedError(endpoint_url=URL), Ambiguous),
        (NoCredentialsError(), Unavailable),
        (
            ParamValidationError(report="Invalid type for parameter SecretId, value: hunter2, type: x"),
            BadRequest,
        ),
        (BotoCoreError(), BadRequest),
    ],
)
def test_a_call_that_was_never_sent_is_not_ambiguous(raised: BotoCoreError, expected: type[AwsError]) -> None:
    assert type(translate(raised, operation="SubmitJob")) is expected


def test_whatever_is_ambiguous_passes_too() -> None:
    assert issubclass(Ambiguous, Unavailable)
    assert not Ambiguous.terminal
    assert NotFound.terminal
    assert AccessDenied.terminal


def test_the_pause_that_aws_asks_for_is_kept() -> None:
    asked = translate(answer("SlowDown", status=503, headers={"retry-after": "17"}), operation="Get")
    silent = translate(answer("SlowDown", status=503), operation="Get")

    assert isinstance(asked, Throttling)
    assert asked.after == 17
    assert isinstance(silent, Throttling)
    assert silent.after > 0


NOT_FOUND = "Error executing request, Exception : JobQueue a not found"
REFUSED = "1 validation error detected: {} at 'secretString' failed"


@pytest.mark.parametrize(
    ("message", "cleaned"),
    [
        ("Queue gone (Request ID: 3b1d8-44, Proxy: null)", "Queue gone, Proxy: null)"),
        ("Denied. RequestId: 8f00-aa", "Denied."),
        (f"{NOT_FOUND}, RequestId: 0-1", NOT_FOUND),
        ("not authorized. Encoded authorization failure message: AbCdEf0123", "not authorized."),
        (
            "bad header Credential=AKIAABCDEFGHIJKLMNOP/20261123, SignedHeaders=host, Signature=a1",
            "bad header",
        ),
        (REFUSED.format("Value 'hunter2'"), REFUSED.format("value")),
        ("key AKIAABCDEFGHIJKLMNOP is bad", "key is bad"),
        ("a\n  b", "a b"),
    ],
)
def test_messages_lose_what_must_not_be_shown(message: str, cleaned: str) -> None:
    assert clean(message) == cleaned


@pytest.mark.parametrize(
    "code", ["SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"]
)
def test_a_signature_error_repeats_nothing_of_the_signed_request(code: str) -> None:
    error = from_code(code, "The Canonical String should have been 'POST hunter2'", operation="Get")

    assert "hunter2" not in str(error)


def test_refused_parameters_are_named_and_not_quoted() -> None:
    report = (
        "Invalid type for parameter containerOverrides.environment[0].value, value: hunter2, "
        "type: <class 'int'>, valid types: <class 'str'>\n"
        'Unknown parameter in input: "hunter3", must be one of: a\n'
        'Missing required parameter in containerProperties.volumes[1]: "name"'
    )
    error = translate(ParamValidationError(report=report), operation="SubmitJob")

    assert "containerOverrides.environment[0].value" in str(error)
    assert "an unknown field in input" in str(error)
    assert "containerProperties.volumes[1].name" in str(error)
    assert "hunter" not in str(error)


def test_a_copy_is_equal_and_another() -> None:
    error = from_code("ThrottlingException", "slow", operation="Get", after=3)
    copied = error.copy()

    assert copied is not error
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert isinstance(copied, Throttling)
    assert copied.after == 3
    assert (copied.code, copied.operation) == (error.code, error.operation)
