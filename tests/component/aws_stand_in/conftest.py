"""One AWS stand-in for these tests, emptied before each; and boto3 clients that check what it answers."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from pierhead_sandbox.aws.server import AwsStandIn
from support.stand_in import REGION, Batch, only_documented_members


@pytest.fixture(scope="session")
def running_stand_in(tmp_path_factory) -> Iterator[AwsStandIn]:
    with AwsStandIn.start(directory=tmp_path_factory.mktemp("batch")) as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(running_stand_in: AwsStandIn) -> AwsStandIn:
    running_stand_in.control.reset()
    return running_stand_in


@pytest.fixture
def client(stand_in: AwsStandIn) -> Callable[..., Any]:
    """`client("sqs")`: without retries."""

    def make(service: str, *, timeout: float = 30, attempts: int = 1) -> Any:
        made = boto3.client(
            service,
            endpoint_url=stand_in.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "total_max_attempts": attempts}, read_timeout=timeout),
        )
        if service == "batch":
            made.meta.events.register("before-parse.batch", only_documented_members)
        return made

    return make


@pytest.fixture
def live_batch(stand_in: AwsStandIn, client) -> Batch:
    return Batch(stand_in.batch, client("batch"))


@pytest.fixture
def batch(live_batch: Batch) -> Batch:
    live_batch.control.freeze()
    live_batch.control.configure(
        submitted_seconds=1, starting_seconds=2, running_seconds=10, stopping_seconds=3, cascade_seconds=1
    )
    return live_batch
