"""CloudFormation stacks, made or brought up to date.

Invariant: what is there already and as it should be is left as it is; an end is told only once the stack has
come to it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pierhead.aws.errors import BadRequest, NotFound
from pierhead.aws.session import AwsClient
from pierhead.engine.outcome import Transient

POLL_SECONDS: Final = 2.0
MOST_POLLS: Final = 300

_GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})
_UNCHANGED: Final = "No updates are to be performed"


class StackFailed(BadRequest):
    """CloudFormation could not bring the stack about; the message says where to look."""

    default_reason = "StackFailed"


async def apply_stack(
    client: AwsClient,
    name: str,
    template: Mapping[str, Any],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, str]:
    """Creates or updates a stack, waits for its end, and returns its outputs.

    `client` is of the service `cloudformation`. Raises StackFailed, Transient when it takes longer than ten
    minutes, and the classes of `pierhead.aws.errors`.
    """
    given = {
        "StackName": name,
        "TemplateBody": json.dumps(template),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    if await _exists(client, name):
        try:
            await client.call("update_stack", **given)
        except BadRequest as error:
            if _UNCHANGED not in error.message:
                raise
    else:
        await client.call("create_stack", **given)
    for _ in range(MOST_POLLS):
        stack = (await client.call("describe_stacks", StackName=name))["Stacks"][0]
        status = stack["StackStatus"]
        if status in _GOOD:
            return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs") or ()}
        if not status.endswith("_IN_PROGRESS") or "ROLLBACK" in status:
            raise StackFailed(f"stack {name} is {status}; its events in CloudFormation say why")
        await sleep(POLL_SECONDS)
    raise Transient(f"stack {name} has not come to an end within ten minutes")


async def _exists(client: AwsClient, name: str) -> bool:
    try:
        await client.call("describe_stacks", StackName=name)
    except NotFound:
        return False
    except BadRequest as error:
        # CloudFormation has no code of its own for this.
        if "does not exist" not in error.message:
            raise
        return False
    return True
