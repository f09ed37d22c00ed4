"""Which AWS operation a request is, whatever the service's protocol.

Invariant: the names are those of botocore's service models (`SubmitJob`, `GetObject`), so that counters and
faults are written as the AWS documentation writes them. A request that no model explains is named by its
method and path and never refused.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import botocore.session

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_MODELS = {"monitoring": "cloudwatch", "execute-api": "apigateway"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request as AWS would log it."""

    service: str
    """Signing name, such as `secretsmanager`."""
    operation: str
    region: str
    access_key: str
    protocol: str
    """json, rest-json, rest-xml, query or ec2: how an error has to be written."""


@dataclass(frozen=True, slots=True)
class _Route:
    operation: str
    method: str
    path: re.Pattern[str]
    query: Mapping[str, str]
    headers: frozenset[str]
    parameters: frozenset[str]

    def score(self, path: str, query: Mapping[str, list[str]], headers: frozenset[str]) -> int:
        """How well a request fits: -1 for not at all, else the number of constraints it meets."""
        if (
            not self.path.fullmatch(path)
            or not self.headers <= headers
            or not self.parameters <= query.keys()
        ):
            return -1
        for name, value in self.query.items():
            if name not in query or (value and query[name] != [value]):
                return -1
        return len(self.query) + len(self.headers) + len(self.parameters)


def identify(environ: Mapping[str, Any], body: bytes) -> Call | None:
    """Name the call; None for a request that nobody signed (the sandbox's own, or a browser's)."""
    signed = _CREDENTIAL.search(str(environ.get("HTTP_AUTHORIZATION", "")))
    query_text = str(environ.get("QUERY_STRING", ""))
    if signed is None and "X-Amz-Credential" in query_text:
        presigned = parse_qs(query_text)["X-Amz-Credential"][0]
        signed = _CREDENTIAL.match(f"Credential={presigned}")
    if signed is None:
        return _unsigned(environ, body)
    access_key, region, service = signed.groups()
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return Call(service, target.rpartition(".")[2], region, access_key, "json")
    form = _form(environ, body)
    if form:
        return Call(service, form, region, access_key, "ec2" if service == "ec2" else "query")
    name, protocol = _rest(service, environ, query_text)
    return Call(service, name, region, access_key, protocol)


def _unsigned(environ: Mapping[str, Any], body: bytes) -> Call | None:
    # Only STS answers the unsigned: a pod that trades its token for credentials has none yet.
    action = _form(environ, body)
    return Call("sts", action, "us-east-1", "", "query") if action.startswith("AssumeRoleWith") else None


def _form(environ: Mapping[str, Any], body: bytes) -> str:
    if not str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        return ""
    return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]


def _rest(service: str, environ: Mapping[str, Any], query_text: str) -> tuple[str, str]:
    method = str(environ["REQUEST_METHOD"])
    path = str(environ.get("PATH_INFO", "/"))
    protocol, routes = _routes(service)
    query = parse_qs(query_text, keep_blank_values=True)
    headers = frozenset(name[5:].replace("_", "-").lower() for name in environ if name.startswith("HTTP_"))
    best, name = -1, f"{method} {path}"
    for route in routes.get(method, ()):
        score = route.score(path, query, headers)
        if score > best:
            best, name = score, route.operation
    return name, protocol


@functools.cache
def _routes(service: str) -> tuple[str, dict[str, list[_Route]]]:
    session = botocore.session.get_session()
    name = _MODELS.get(service, service)
    if name not in session.get_available_services():
        return "rest-json", {}
    model = session.get_service_model(name)
    routes: dict[str, list[_Route]] = {}
    for operation_name in model.operation_names:
        operation = model.operation_model(operation_name)
        if operation.deprecated:
            continue
        template, _, query = operation.http["requestUri"].partition("?")
        shape = operation.input_shape
        required = set(shape.required_members) if shape is not None else set()
        located: dict[str, set[str]] = {"header": set(), "querystring": set()}
        for member, member_shape in (shape.members if shape is not None else {}).items():
            location = member_shape.serialization.get("location", "")
            if member in required and location in located:
                located[location].add(str(member_shape.serialization.get("name", member)))
        routes.setdefault(operation.http["method"], []).append(
            _Route(
                operation=operation_name,
                method=operation.http["method"],
                path=_pattern(template),
                # The SDKs send x-id or not as they please.
                query={
                    key: values[0]
                    for key, values in parse_qs(query, keep_blank_values=True).items()
                    if key != "x-id"
                },
                headers=frozenset(name.lower() for name in located["header"]),
                parameters=frozenset(located["querystring"]),
            )
        )
    return str(model.metadata.get("protocol", "rest-json")), routes


def _pattern(template: str) -> re.Pattern[str]:
    parts = []
    for part in re.split(r"(\{[^}]+\})", template):
        if part.endswith("+}"):
            parts.append(".+")
        elif part.startswith("{"):
            # An ARN in a path arrives decoded, slashes and all.
            parts.append(".+" if part.lower().endswith("arn}") else "[^/]+")
        else:
            parts.append(re.escape(part))
    # SDKs that are not AWS's own write a bucket as a folder.
    return re.compile("".join(parts) + ("/?" if template == "/{Bucket}" else ""))
