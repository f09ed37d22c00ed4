"""`pierhead secrets events install --apply`, and that a put arrives through what it made."""

import json
import uuid
from collections.abc import Iterator

import boto3
import pytest
from typer.testing import CliRunner

from pierhead.cli.main import app
from pierhead_sandbox.sandbox import Sandbox

REGION = "us-east-1"


@pytest.fixture
def stack(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    name = f"events-{uuid.uuid4().hex[:8]}"
    yield name
    boto3.client("cloudformation", region_name=REGION).delete_stack(StackName=name)


def apply(name: str, *options: str):
    given = ["secrets", "events", "install", "--apply", "--name", name, "--prefix", f"{name}/"]
    return CliRunner().invoke(app, [*given, "--region", REGION, *options])


def test_a_put_arrives_through_what_was_made_and_making_it_again_changes_nothing(stack: str) -> None:
    for _ in range(2):
        done = apply(stack)
        assert done.exit_code == 0, done.output
        assert done.stdout.startswith("PIERHEAD_SECRET_EVENTS_QUEUE_URL=")
        assert f"policy/{stack}-{REGION} to the operator's role" in done.stderr

    secrets, sqs = boto3.client("secretsmanager", region_name=REGION), boto3.client("sqs", region_name=REGION)
    secrets.create_secret(Name=f"elsewhere-{stack}/db", SecretString="hidden")
    secrets.create_secret(Name=f"{stack}/db", SecretString="hidden")
    version_id = secrets.put_secret_value(SecretId=f"{stack}/db", SecretString="hidden too")["VersionId"]
    url = sqs.get_queue_url(QueueName=stack)["QueueUrl"]
    events = [
        json.loads(message["Body"])
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    ]

    assert {told["detail"]["name"] for told in events} == {f"{stack}/db"}
    assert version_id in {told["detail"]["versionId"] for told in events}
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 5


def test_a_wider_rule_replaces_the_narrow_one(stack: str) -> None:
    assert apply(stack).exit_code == 0
    assert apply(stack, "--prefix", "more/").exit_code == 0

    rule = boto3.client("events", region_name=REGION).describe_rule(Name=stack)
    assert {"prefix": "more/"} in json.loads(rule["EventPattern"])["$or"][0]["detail"]["name"]
