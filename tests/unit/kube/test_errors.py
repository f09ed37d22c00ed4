import pytest

from pierhead.engine.outcome import Conflict, Denied, Invalid, ReconcileError, Throttled, Transient, Waiting
from pierhead.kube import errors
from pierhead.kube.errors import Cause, Request, from_status, from_text

ASKED = Request("apply", "configmaps shop/a")


def status(reason="", message="words", **details):
    return {"kind": "Status", "reason": reason, "message": message, "details": details}


@pytest.mark.parametrize(
    ("code", "body", "expected", "meaning"),
    [
        (400, status("BadRequest"), errors.Rejected, Invalid),
        (401, status("Unauthorized"), errors.Unauthorized, Transient),
        (403, status("Forbidden"), errors.Forbidden, Denied),
        (
            403,
            status("Forbidden", 'pods "a" is forbidden: exceeded quota: few, requested: pods=1'),
            errors.QuotaExceeded,
            Transient,
        ),
        (404, status("NotFound"), errors.NotFound, Transient),
        (405, status("MethodNotAllowed"), errors.Rejected, Invalid),
        (408, status("Timeout"), errors.ServerError, Transient),
        (409, status("AlreadyExists"), errors.AlreadyExists, Conflict),
        (409, status("Conflict"), errors.Conflict409, Conflict),
        (409, status("Conflict", causes=[{"reason": "FieldManagerConflict"}]), errors.FieldConflict, Invalid),
        (410, status("Expired"), errors.Gone, Transient),
        (413, status("RequestEntityTooLarge"), errors.Rejected, Invalid),
        (415, status("UnsupportedMediaType"), errors.Rejected, Invalid),
        (422, status("Invalid"), errors.Rejected, Invalid),
        (429, status("TooManyRequests"), errors.TooManyRequests, Throttled),
        (500, status("InternalError"), errors.ServerError, Transient),
        (500, status(message="failed to create typed patch object (a/b): x"), errors.Rejected, Invalid),
        (500, status(message="failed to convert new object (a/b): x"), errors.Rejected, Invalid),
        (500, status(message="etcdserver: request timed out"), errors.ServerError, Transient),
        (
            500,
            status("InternalError", "failed to create typed patch object (a"),
            errors.ServerError,
            Transient,
        ),
        (503, status("ServiceUnavailable"), errors.ServerError, Transient),
        (504, status("Timeout"), errors.ServerError, Transient),
    ],
)
def test_each_answer_has_its_class_and_meaning(code, body, expected, meaning):
    error = from_status(body, code=code, request=ASKED)
    assert type(error) is expected
    assert isinstance(error, meaning)
    assert isinstance(error, ReconcileError)
    assert error.message == body["message"]
    assert error.code == code
    assert error.status is None
    assert error.reason


def test_a_page_that_is_no_status_keeps_what_it_says():
    error = from_text("<html>\n  bad gateway </html>", code=502, request=ASKED)
    assert error.message == (
        "the API server answered 502 to apply configmaps shop/a: <html> bad gateway </html>"
    )
    assert isinstance(from_text("404 page not found\n", code=404, request=ASKED), errors.KindNotServed)


def test_retry_after_comes_from_the_header_or_the_status():
    assert from_status(status(), code=429, request=ASKED, retry_after=3.0).after == 3
    assert from_status(status(retryAfterSeconds=4), code=429, request=ASKED).after == 4
    assert from_text("", code=429, request=ASKED).after == 1
    assert from_status(status(retryAfterSeconds=4), code=503, request=ASKED).retry_after == 4


def test_a_redacted_error_keeps_reason_and_field_names_alone():
    asked = Request("apply", "secrets shop/s", user="system:serviceaccount:shop:deployer", redact=True)
    causes = [{"field": "data[k]", "reason": "FieldValueInvalid", "message": "Invalid value: VALUE"}]
    error = from_status(status("Invalid", "VALUE", causes=causes, name="s"), code=422, request=asked)
    assert error.message == (
        "apply secrets shop/s as system:serviceaccount:shop:deployer: Invalid (data[k]); "
        "what else the API server said is withheld, it may quote values"
    )
    assert error.causes == (Cause("FieldValueInvalid", "", "data[k]"),)
    assert "VALUE" not in str(error.details)
    assert "VALUE" not in from_text("VALUE", code=502, request=asked).message
    missing = from_status(status("NotFound", kind="namespaces", name="shop"), code=404, request=asked)
    assert "the namespace does not exist" in missing.message


def test_a_terminating_namespace_is_told_from_a_missing_right():
    causes = [{"reason": "NamespaceTerminating", "field": "metadata.namespace", "message": "…"}]
    assert from_status(status("Forbidden", causes=causes), code=403, request=ASKED).namespace_terminating
    assert not from_status(status("Forbidden"), code=403, request=ASKED).namespace_terminating


@pytest.mark.parametrize(
    ("messages", "immutable"),
    [
        (['Invalid value: {"matchLabels":{"a":"b"}}: field is immutable'], True),
        (['Invalid value: "string": Value is immutable'], True),
        (['Invalid value: "b": fixed is immutable'], True),
        (["Forbidden: spec is immutable after creation except resources.requests for bound claims"], True),
        (["field is immutable when `immutable` is set"], True),
        (['Invalid value: "this is immutable": must be a number'], False),
        (['Invalid value: "x: field is immutable"'], False),
        (['Unsupported value: "is immutable"'], False),
        (["Required value"], False),
        (["Invalid value: 1: field is immutable", "Required value"], False),
        ([], False),
    ],
)
def test_only_the_api_servers_own_words_make_a_field_immutable(messages, immutable):
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": "spec.x"} for message in messages]
    error = from_status(status("Invalid", causes=causes), code=422, request=ASKED)
    assert errors.immutable_fields(error) == (("spec.x",) if immutable else ())


def test_an_unknown_kind_waits():
    assert isinstance(errors.UnknownKind("no kind"), Waiting)
