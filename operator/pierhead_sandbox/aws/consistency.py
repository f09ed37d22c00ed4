"""What AWS shows while it is behind itself: pages without members, and values as they were before.

Invariant: nothing here changes what is stored; only one answer is of the past. A version that is not seen yet
does not exist: what has no past is not found. Source: AWS API reference of BatchGetSecretValue (a page may be
empty and have a NextToken), and the Secrets Manager user guide on eventual consistency.
"""

import io
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pierhead_sandbox.aws.answer import Answer, error_answer, json_answer

Json = dict[str, Any]
Ask = Callable[[str, Json], Answer]
"""Asks the same service for another operation, with a request of JSON."""

_PAGES: Mapping[str, str] = MappingProxyType(
    {
        "BatchGetSecretValue": "SecretValues",
        "ListSecrets": "SecretList",
        "ListSecretVersionIds": "Versions",
        "GetParametersByPath": "Parameters",
        "DescribeParameters": "Parameters",
    }
)
"""Operations with pages, and the member that holds what a page has."""

_TOKEN = "pierhead-sandbox-empty-page:"
_OK = 200


def empty_page(operation: str, body: bytes) -> Answer | None:
    """A page of nothing, with a token for what was really asked; None where an operation has no pages."""
    member = _PAGES.get(operation)
    if member is None:
        return None
    return json_answer({member: [], "NextToken": _TOKEN + str(json.loads(body).get("NextToken", ""))})


def without_empty_page(environ: Json, body: bytes) -> bytes:
    """The request as it would be had no empty page come before it."""
    if _TOKEN.encode() not in body:
        return body
    request = json.loads(body)
    rest = str(request.pop("NextToken")).removeprefix(_TOKEN)
    return replace_body(environ, {**request, "NextToken": rest} if rest else request)


def replace_body(environ: Json, request: Json) -> bytes:
    """Puts a JSON body in the place of a request's."""
    body = json.dumps(request).encode()
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def asker(moto: Callable[[Json], Answer], environ: Json) -> Ask:
    """Asks moto on behalf of whoever sent a request, for another operation of the same service."""

    def ask(operation: str, request: Json) -> Answer:
        service = str(environ["HTTP_X_AMZ_TARGET"]).rpartition(".")[0]
        asked = {**environ, "HTTP_X_AMZ_TARGET": f"{service}.{operation}"}
        replace_body(asked, request)
        return moto(asked)

    return ask


def before(operation: str, body: bytes, answer: Answer, ask: Ask) -> Answer:
    """The answer as it was before the last change of each thing in it; others than reads stay as they are."""
    if answer.status != _OK:
        return answer
    request, found = json.loads(body), json.loads(answer.body)
    if operation == "GetSecretValue":
        return _old_value(request, found, ask)
    if operation == "BatchGetSecretValue":
        _old_batch(found, ask)
    elif operation == "ListSecrets":
        found["SecretList"] = [entry for entry in found["SecretList"] if _old_stages(entry)]
    elif operation in {"GetParameters", "GetParametersByPath"}:
        _old_parameters(operation, request, found, ask)
    else:
        return answer
    return json_answer(found)


def _old_value(request: Json, found: Json, ask: Ask) -> Answer:
    """What AWSCURRENT was on before; another stage or version is there, or not seen yet."""
    if "AWSCURRENT" not in found["VersionStages"]:
        return json_answer(found)
    if "VersionId" not in request and request.get("VersionStage", "AWSCURRENT") == "AWSCURRENT":
        old = ask("GetSecretValue", {"SecretId": found["ARN"], "VersionStage": "AWSPREVIOUS"})
        if old.status == _OK:
            return json_answer({**json.loads(old.body), "VersionStages": ["AWSCURRENT"]})
    message = "Secrets Manager can't find the specified secret."
    return error_answer("json", 400, "ResourceNotFoundException", message)


def _old_batch(found: Json, ask: Ask) -> None:
    values, errors = [], list(found.get("Errors") or [])
    for value in found["SecretValues"]:
        old = _old_value({}, value, ask)
        if old.status == _OK:
            values.append(json.loads(old.body))
        else:
            error = json.loads(old.body)
            errors.append(
                {"SecretId": value["Name"], "ErrorCode": error["__type"], "Message": error["Message"]}
            )
    found["SecretValues"], found["Errors"] = values, errors


def _old_stages(entry: Json) -> bool:
    """Moves the labels of a secret back; whether it was there before."""
    versions: dict[str, list[str]] = entry.get("SecretVersionsToStages") or {}
    past = next((version for version, stages in versions.items() if "AWSPREVIOUS" in stages), None)
    if past is None:
        return False
    entry["SecretVersionsToStages"] = {past: ["AWSCURRENT"]}
    return True


def _old_parameters(operation: str, request: Json, found: Json, ask: Ask) -> None:
    """One version back, but where a version was asked for."""
    values, missing = [], list(found.get("InvalidParameters") or [])
    for item in found["Parameters"]:
        if item.get("Selector") or f"{item['Name']}:{item['Version']}" in request.get("Names", ()):
            values.append(item)
            continue
        name = f"{item['Name']}:{int(item['Version']) - 1}"
        old = json.loads(ask("GetParameters", {"Names": [name], "WithDecryption": True}).body)
        if old.get("Parameters"):
            past = {key: value for key, value in old["Parameters"][0].items() if key != "Selector"}
            values.append(past)
        else:
            missing.append(item["Name"])
    found["Parameters"] = values
    if operation == "GetParameters":
        found["InvalidParameters"] = missing
