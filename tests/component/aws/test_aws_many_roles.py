"""A thousand reads as fifty roles: one AssumeRole for each role, and one batch."""

import asyncio
import time

import boto3
import pytest

from pierhead.aws.secretsmanager import SecretReader
from pierhead.aws.session import AwsIdentity, AwsSessions
from pierhead.settings import Settings
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox

REGION = "us-east-1"
ROLES = 50
SECRETS = 20
OBJECTS = 1000


async def test_each_role_is_assumed_once_however_many_objects_read_as_it(
    sandbox: Sandbox, aws: AwsControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    boto = boto3.client("secretsmanager", region_name=REGION)
    for number in range(SECRETS):
        boto.create_secret(Name=f"s{number}", SecretString="x")
    roles = [AwsIdentity(role_arn=f"arn:aws:iam::123456789012:role/r{number}") for number in range(ROLES)]
    sessions = AwsSessions(Settings(aws_threads=8, aws_region=REGION))
    reader = SecretReader(sessions, clock=time.monotonic)
    for _ in range(2):
        reads = (
            reader.read(roles[number % ROLES], REGION, f"s{number // ROLES}") for number in range(OBJECTS)
        )
        found = await asyncio.gather(*reads)
        assert len(found) == OBJECTS
    await reader.close()
    await sessions.close()

    assert aws.count("sts", "AssumeRole") == ROLES
    assert aws.count("secretsmanager", "BatchGetSecretValue") == 2 * ROLES
    assert aws.count("secretsmanager", "GetSecretValue") == 0
