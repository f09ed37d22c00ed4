"""HTTP answers, and AWS errors written the way each protocol writes them.

Invariant: botocore reads every error made here as `ClientError` with the given code, whatever the service.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from werkzeug.http import HTTP_STATUS_CODES


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def status_line(self) -> str:
        """Status and its phrase, as WSGI wants them."""
        return f"{self.status} {HTTP_STATUS_CODES.get(self.status, 'Unknown').upper()}"


def json_answer(value: Any, status: int = 200) -> Answer:
    """`value` as JSON."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Answer(status, body, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])


def error_answer(protocol: str, status: int, code: str, message: str) -> Answer:
    """An AWS error for one protocol: json, rest-json, rest-xml, query or ec2."""
    request_id = str(uuid4())
    if protocol in {"json", "rest-json"}:
        body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
        content_type = "application/x-amz-json-1.1" if protocol == "json" else "application/json"
    else:
        error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        text = {
            "rest-xml": error,
            "ec2": f"<Response><Errors>{error}</Errors><RequestID>{request_id}</RequestID></Response>",
        }.get(protocol, f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>")
        body = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
        content_type = "text/xml"
    return Answer(
        status,
        body,
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("x-amzn-errortype", code),
            ("x-amzn-requestid", request_id),
        ],
    )


def error_code(answer: Answer) -> str:
    """The code inside an error answer, or its status."""
    for name, value in answer.headers:
        if name.lower() == "x-amzn-errortype":
            return value.partition(":")[0].rpartition("#")[2]
    text = answer.body.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text).get("__type", "")
        except ValueError:
            found = ""
        if found:
            return str(found).rpartition("#")[2]
    _, _, rest = text.partition("<Code>")
    return rest.partition("</Code>")[0] or str(answer.status)
