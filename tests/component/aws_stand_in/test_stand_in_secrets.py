"""Secrets Manager where moto alone is wrong."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from pierhead_sandbox.aws.protocol import Fault


@pytest.fixture
def control(stand_in):
    return stand_in.control


@pytest.fixture
def secrets(client):
    return client("secretsmanager")


def refused(call, /, **fields):
    with pytest.raises(ClientError) as caught:
        call(**fields)
    return caught.value.response["Error"]["Code"]


def rotate(secrets, name, value):
    """As a rotation function does: pending first, then current."""
    old = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    (current,) = [version for version, stages in old.items() if "AWSCURRENT" in stages]
    new = secrets.put_secret_value(SecretId=name, SecretString=value, VersionStages=["AWSPENDING"])[
        "VersionId"
    ]
    secrets.update_secret_version_stage(
        SecretId=name, VersionStage="AWSCURRENT", RemoveFromVersionId=current, MoveToVersionId=new
    )
    return current, new


def test_after_current_moved_every_read_gives_the_new_version(secrets):
    arn = secrets.create_secret(Name="shop/db", SecretString="old")["ARN"]
    old, new = rotate(secrets, "shop/db", "new")
    for name in ("shop/db", arn):
        found = secrets.get_secret_value(SecretId=name)
        assert (found["SecretString"], found["VersionId"]) == ("new", new)
        (found,) = secrets.batch_get_secret_value(SecretIdList=[name])["SecretValues"]
        assert found["SecretString"] == "new"
    (found,) = secrets.batch_get_secret_value(Filters=[{"Key": "name", "Values": ["shop/"]}])["SecretValues"]
    assert found["SecretString"] == "new"
    assert secrets.get_secret_value(SecretId="shop/db", VersionStage="AWSPREVIOUS")["VersionId"] == old
    assert secrets.get_secret_value(SecretId="shop/db", VersionId=old)["SecretString"] == "old"
    rotate(secrets, "shop/db", "newest")
    assert secrets.get_secret_value(SecretId="shop/db")["SecretString"] == "newest"


def test_a_put_after_a_rotation_is_current(secrets):
    secrets.create_secret(Name="s", SecretString="1")
    rotate(secrets, "s", "2")
    secrets.put_secret_value(SecretId="s", SecretString="3")
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "3"
    stages = secrets.describe_secret(SecretId="s")["VersionIdsToStages"].values()
    assert sum("AWSCURRENT" in labels for labels in stages) == 1


def test_a_batch_takes_20_ids(secrets):
    ids = [f"s{number}" for number in range(21)]
    assert refused(secrets.batch_get_secret_value, SecretIdList=ids) == "InvalidParameterException"
    answer = secrets.batch_get_secret_value(SecretIdList=ids[:20])
    assert {error["ErrorCode"] for error in answer["Errors"]} == {"ResourceNotFoundException"}


def test_a_denied_secret_is_denied_alone_and_named_in_a_batch(secrets, control):
    arns = {name: secrets.create_secret(Name=name, SecretString=name)["ARN"] for name in ("a", "b", "c")}
    control.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource="b"))
    control.add_fault(Fault.decryption_failure("c"))
    assert refused(secrets.get_secret_value, SecretId="b") == "AccessDeniedException"
    assert refused(secrets.get_secret_value, SecretId=arns["b"]) == "AccessDeniedException"
    assert refused(secrets.get_secret_value, SecretId="c") == "DecryptionFailure"
    assert secrets.get_secret_value(SecretId="a")["SecretString"] == "a"
    answer = secrets.batch_get_secret_value(SecretIdList=["a", arns["b"], "c", "gone"])
    assert [value["Name"] for value in answer["SecretValues"]] == ["a"]
    assert {error["SecretId"]: error["ErrorCode"] for error in answer["Errors"]} == {
        arns["b"]: "AccessDeniedException",
        "c": "DecryptionFailure",
        "gone": "ResourceNotFoundException",
    }
    answer = secrets.batch_get_secret_value(Filters=[{"Key": "name", "Values": ["a", "b", "c"]}])
    assert [value["Name"] for value in answer["SecretValues"]] == ["a"]
    assert {error["ErrorCode"] for error in answer["Errors"]} == {
        "AccessDeniedException",
        "DecryptionFailure",
    }
    answer = secrets.batch_get_secret_value(SecretIdList=["b"])
    assert (answer["SecretValues"], len(answer["Errors"])) == ([], 1)
    control.remove_fault()
    assert len(secrets.batch_get_secret_value(SecretIdList=["a", "b", "c"])["SecretValues"]) == 3


def test_the_batch_verb_may_be_denied_as_a_whole(secrets, control):
    secrets.create_secret(Name="a", SecretString="a")
    control.add_fault(Fault.deny("secretsmanager", "BatchGetSecretValue"))
    assert refused(secrets.batch_get_secret_value, SecretIdList=["a"]) == "AccessDeniedException"
    assert secrets.get_secret_value(SecretId="a")["SecretString"] == "a"


def test_a_member_may_fail_a_few_times(secrets, control):
    secrets.create_secret(Name="a", SecretString="a")
    control.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource="a", times=1))
    assert len(secrets.batch_get_secret_value(SecretIdList=["a"])["Errors"]) == 1
    assert secrets.batch_get_secret_value(SecretIdList=["a"])["Errors"] == []


def test_a_label_that_moved_is_told_on_the_event_bus(secrets, client):
    sqs, events = client("sqs"), client("events")
    url = sqs.create_queue(QueueName="labels")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="labels", EventPattern=json.dumps({"source": ["aws.secretsmanager"]}))
    events.put_targets(Rule="labels", Targets=[{"Id": "1", "Arn": arn}])
    secret = secrets.create_secret(Name="shop/db", SecretString="1")
    _, new = rotate(secrets, "shop/db", "2")
    secrets.tag_resource(SecretId="shop/db", Tags=[{"Key": "a", "Value": "b"}])
    found, deadline = [], time.monotonic() + 5
    while len(found) < 2:
        assert time.monotonic() < deadline
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        found += [json.loads(message["Body"]) for message in messages]
    assert [event["detail"]["versionId"] for event in found] == [secret["VersionId"], new]
    last = found[-1]
    assert last["detail-type"] == "Secret Label Updated"
    assert last["detail"] == {"name": "shop/db", "labelUpdated": "AWSCURRENT", "versionId": new}
    assert last["resources"] == [secret["ARN"]]
    assert last["account"] == "123456789012"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_what_was_written_is_told_once(secrets, client, control):
    control.written_secrets()
    secrets.create_secret(Name="db", SecretString="first")
    secrets.put_secret_value(SecretId="db", SecretBinary=b"\x00second")
    secrets.update_secret(SecretId="db", SecretString="third")
    secrets.update_secret(SecretId="db", Description="no value")
    refused(secrets.put_secret_value, SecretId="nothing", SecretString="refused")
    client("ssm").put_parameter(Name="/shop/a", Value="fourth", Type="SecureString")
    client("ssm").put_parameter(Name="/shop/b", Value="plain", Type="String")
    assert control.written_secrets() == [
        ("db", b"first"),
        ("db", b"\x00second"),
        ("db", b"third"),
        ("/shop/a", b"fourth"),
    ]
    assert control.written_secrets() == []
