"""What moto's Parameter Store gets wrong, put right around it.

Invariant: a parameter that was asked for by version or label says so (`Selector`), as answers to several
names cannot be told apart otherwise. Source: AWS Systems Manager API reference, `Parameter`.
"""

import json
from collections.abc import Callable
from typing import Any

from pierhead_sandbox.aws.answer import Answer, json_answer
from pierhead_sandbox.aws.consistency import replace_body
from pierhead_sandbox.aws.operations import Call

Json = dict[str, Any]

BATCH_LIMIT = 10
_OK = 200


class ParameterStore:
    """Stands between the front door and moto's Parameter Store."""

    def __init__(self, moto: Callable[[Json], Answer]) -> None:
        self._moto = moto

    def __call__(self, call: Call, environ: Json, body: bytes) -> Answer:
        """Answer one call."""
        if call.operation != "GetParameters":
            return self._moto(environ)
        request = json.loads(body)
        names: list[str] = request.get("Names") or []
        if len(names) > BATCH_LIMIT:
            return self._moto(environ)
        selectors = {name: selector for name in names if (selector := _selector(name))}
        rest = [name for name in names if name not in selectors]
        replace_body(environ, {**request, "Names": rest})
        answer = self._moto(environ)
        if answer.status != _OK:
            return answer
        page = json.loads(answer.body)
        for name, selector in selectors.items():
            replace_body(environ, {**request, "Names": [name]})
            one = json.loads(self._moto(environ).body)
            page["Parameters"] += [{**found, "Selector": selector} for found in one.get("Parameters", ())]
            page["InvalidParameters"] += one.get("InvalidParameters", ())
        return json_answer(page)


def _selector(name: str) -> str:
    """The version or label at the end of a name or ARN, with its colon; empty if there is none."""
    _, mark, path = name.partition(":parameter/")
    _, colon, selector = (path if mark else name).partition(":")
    return f"{colon}{selector}"
