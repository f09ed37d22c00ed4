"""The Batch of the AWS stand-in, driven with boto3 and checked against boto3's model of it."""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pierhead_sandbox.aws.control import BatchControl

REGION = "eu-west-1"
CONTAINER = {
    "image": "busybox",
    "command": ["true"],
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
}


def only_documented_members(operation_model, response_dict, **_: Any) -> None:
    """boto3 drops members its model does not know: a misspelt one would never be missed."""
    if response_dict["status_code"] < 300 and operation_model.output_shape is not None:
        _check(operation_model.output_shape, json.loads(response_dict["body"]), operation_model.name)


def _check(shape, value, path: str) -> None:
    if shape.type_name == "structure":
        assert isinstance(value, dict), path
        assert value.keys() <= shape.members.keys(), (path, value.keys() - shape.members.keys())
        for name, member in value.items():
            _check(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), path
        for member in value:
            _check(shape.member, member, path)
    elif shape.type_name == "map":
        assert isinstance(value, dict), path
    elif shape.type_name in {"integer", "long"}:
        assert type(value) is int, path
    elif shape.type_name == "string":
        assert isinstance(value, str), path


class Batch:
    """boto3's Batch client with a queue `q`, a definition `d`, a clock that stands, and short names."""

    def __init__(self, control: BatchControl, client: Any) -> None:
        self.control = control
        self.client = client
        self.control.create_queue("q", region=REGION)
        self.define("d")
        self.names = itertools.count()

    def define(self, name: str, **fields: Any) -> str:
        request = {"jobDefinitionName": name, "type": "container", "containerProperties": CONTAINER, **fields}
        return self.client.register_job_definition(**request)["jobDefinitionArn"]

    def submit(self, size: int | None = None, **fields: Any) -> str:
        request = {"jobName": f"job-{next(self.names)}", "jobQueue": "q", "jobDefinition": "d", **fields}
        if size is not None:
            request["arrayProperties"] = {"size": size}
        return self.client.submit_job(**request)["jobId"]

    def refused(self, call: Callable[..., Any], /, **fields: Any) -> str:
        """The message of the ClientException."""
        with pytest.raises(ClientError) as caught:
            call(**fields)
        error = caught.value.response
        assert error["Error"]["Code"] == "ClientException"
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
        return error["Error"]["Message"]

    def job(self, job_id: str) -> dict[str, Any]:
        (found,) = self.client.describe_jobs(jobs=[job_id])["jobs"]
        return found

    def status(self, job_id: str) -> str:
        return self.job(job_id)["status"]

    def counts(self, job_id: str) -> dict[str, int]:
        summary = self.job(job_id)["arrayProperties"]["statusSummary"]
        return {name: count for name, count in summary.items() if count}

    def children(self, job_id: str, status: str) -> list[int]:
        pages = self.client.get_paginator("list_jobs").paginate(arrayJobId=job_id, jobStatus=status)
        return [item["arrayProperties"]["index"] for page in pages for item in page["jobSummaryList"]]

    def advance(self, seconds: float) -> None:
        self.control.advance(seconds)

    def wait(self, job_id: str, *statuses: str, seconds: float = 20) -> dict[str, Any]:
        """In real time, until the job is in one of the states, or ended."""
        wanted = statuses or ("SUCCEEDED", "FAILED")
        deadline = time.monotonic() + seconds
        while (job := self.job(job_id))["status"] not in wanted:
            assert time.monotonic() < deadline, job["status"]
        return job
