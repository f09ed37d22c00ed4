"""The REST-JSON face of the Batch.

Invariant: an operation either answers what botocore's service model describes, or an error of `errors`.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

from pierhead_sandbox.aws.answer import Answer, error_answer, json_answer
from pierhead_sandbox.aws.batch import describe, listing, registry, submit, tagging
from pierhead_sandbox.aws.batch.errors import ClientError, UnknownOperation
from pierhead_sandbox.aws.batch.region import Region
from pierhead_sandbox.aws.batch.world import World
from pierhead_sandbox.aws.operations import Call

Json = dict[str, Any]

_TAGS = "/v1/tags/"


class BatchApi:
    """Answers Batch calls of any account and region."""

    def __init__(self, world: World, account_of: Callable[[str], str]) -> None:
        self._world = world
        self._account_of = account_of
        self._operations = _operations(world)

    def __call__(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        """One call."""
        path = str(environ.get("PATH_INFO", ""))
        try:
            request = json.loads(body) if body else {}
            with self._world.open():
                region = self._world.region(self._account_of(call.access_key), call.region)
                if path.startswith(_TAGS):
                    arn = unquote(path.removeprefix(_TAGS))
                    query = parse_qs(str(environ.get("QUERY_STRING", "")))
                    return json_answer(_tags(region, environ["REQUEST_METHOD"], arn, request, query))
                operation = self._operations.get(call.operation)
                if operation is None:
                    raise UnknownOperation(f"{call.operation} is not part of this stand-in")
                return json_answer(operation(region, request, len(body)))
        except ClientError as error:
            return error_answer("rest-json", error.status, error.code, error.message)


def _tags(region: Region, method: str, arn: str, request: Json, query: dict[str, list[str]]) -> Json:
    if method == "POST":
        tagging.add(region, arn, request.get("tags"))
        return {}
    if method == "DELETE":
        tagging.remove(region, arn, query.get("tagKeys", []))
        return {}
    return {"tags": dict(tagging.owner(region, arn))}


def _operations(world: World) -> dict[str, Callable[[Region, Json, int], Json]]:
    return {
        "SubmitJob": lambda region, request, length: submit.submit_job(world, region, request, length),
        "CancelJob": lambda region, request, _: submit.stop_job(world, region, request, terminate=False),
        "TerminateJob": lambda region, request, _: submit.stop_job(world, region, request, terminate=True),
        "CancelJobs": lambda region, request, _: submit.stop_jobs(world, region, request, terminate=False),
        "TerminateJobs": lambda region, request, _: submit.stop_jobs(world, region, request, terminate=True),
        "DescribeJobs": lambda region, request, _: describe.describe_jobs(world, region, request),
        "ListJobs": lambda region, request, _: listing.list_jobs(world, region, request),
        "GetJobQueueSnapshot": lambda region, request, _: listing.queue_snapshot(world, region, request),
        "RegisterJobDefinition": registry.register_definition,
        "DeregisterJobDefinition": lambda region, request, _: registry.deregister_definition(region, request),
        "DescribeJobDefinitions": lambda region, request, _: registry.describe_definitions(region, request),
        "CreateJobQueue": lambda region, request, _: registry.create_queue(region, request),
        "UpdateJobQueue": lambda region, request, _: registry.update_queue(region, request),
        "DeleteJobQueue": lambda region, request, _: registry.delete_queue(world, region, request),
        "DescribeJobQueues": lambda region, request, _: registry.describe_queues(region, request),
        "CreateComputeEnvironment": lambda region, request, _: registry.create_environment(region, request),
        "DescribeComputeEnvironments": lambda region, request, _: registry.describe_environments(
            region, request
        ),
    }
