"""Calls that go wrong, of any service; and the counters that tell."""

import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from pierhead_sandbox.aws.control import ControlError
from pierhead_sandbox.aws.protocol import Fault


def code(call, /, **fields):
    with pytest.raises(ClientError) as caught:
        call(**fields)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.fixture
def control(stand_in):
    return stand_in.control


def test_every_call_of_every_service_is_counted_by_its_name_and_outcome(control, client):
    s3, sqs, sts = client("s3"), client("sqs"), client("sts")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="bucket", Key="a/b c", Body=b"x")
    s3.get_object(Bucket="bucket", Key="a/b c")
    s3.list_objects_v2(Bucket="bucket")
    s3.copy_object(Bucket="bucket", Key="d", CopySource="bucket/a/b c")
    s3.head_object(Bucket="bucket", Key="d")
    s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "d"}]})
    assert code(s3.get_object, Bucket="bucket", Key="gone") == (404, "NoSuchKey")
    sqs.list_queues()
    sts.get_caller_identity()
    client("ec2").describe_instances()
    assert control.calls() == {
        "ec2:DescribeInstances": {"200": 1},
        "s3:CopyObject": {"200": 1},
        "s3:CreateBucket": {"200": 1},
        "s3:DeleteObjects": {"200": 1},
        "s3:GetObject": {"200": 1, "NoSuchKey": 1},
        "s3:HeadObject": {"200": 1},
        "s3:ListObjectsV2": {"200": 1},
        "s3:PutObject": {"200": 1},
        "sqs:ListQueues": {"200": 1},
        "sts:GetCallerIdentity": {"200": 1},
    }
    assert control.count("s3") == 8
    assert control.count("s3", "GetObject", outcome="NoSuchKey") == 1
    log = control.call_log()
    assert [entry.operation for entry in log][:2] == ["CreateBucket", "PutObject"]
    assert log[0].region == "eu-west-1"
    assert control.call_log(since=time.time() + 60) == []
    control.clear_calls()
    assert control.calls() == {}


DENIALS = {
    "secretsmanager": ("get_secret_value", {"SecretId": "x"}, 400, "AccessDeniedException"),
    "ssm": ("get_parameter", {"Name": "x"}, 400, "AccessDeniedException"),
    "sts": ("get_caller_identity", {}, 403, "AccessDenied"),
    "s3": ("list_buckets", {}, 403, "AccessDenied"),
    "sqs": ("list_queues", {}, 403, "AccessDenied"),
    "batch": ("describe_job_queues", {}, 403, "AccessDeniedException"),
    "ec2": ("describe_instances", {}, 400, "AccessDeniedException"),
    "events": ("list_rules", {}, 400, "AccessDeniedException"),
}


@pytest.mark.parametrize("service", DENIALS)
def test_a_denial_reads_as_the_services_own(control, client, service):
    method, fields, status, name = DENIALS[service]
    control.add_fault(Fault.deny(service))
    assert code(getattr(client(service), method), **fields) == (status, name)


THROTTLES = {
    "batch": ("describe_job_queues", {}, 429, "TooManyRequestsException"),
    "secretsmanager": ("list_secrets", {}, 400, "ThrottlingException"),
    "s3": ("list_buckets", {}, 503, "SlowDown"),
    "sts": ("get_caller_identity", {}, 400, "Throttling"),
}


@pytest.mark.parametrize("service", THROTTLES)
def test_a_throttle_strikes_so_often_and_then_lets_through(control, client, service):
    method, fields, status, name = THROTTLES[service]
    control.add_fault(Fault.throttle(service, times=2))
    call = getattr(client(service), method)
    assert code(call, **fields) == (status, name)
    assert code(call, **fields) == (status, name)
    call(**fields)
    (report,) = control.faults()
    assert report.struck == 2
    assert control.count(service, outcome=name) == 2


def test_a_throttle_by_rate_lets_the_bucket_through(control, client):
    control.add_fault(Fault.throttle("sts", rate=0.001, burst=3))
    call = client("sts").get_caller_identity
    for _ in range(3):
        call()
    assert code(call) == (400, "Throttling")


def test_boto_retries_what_is_retriable(control, client):
    control.add_fault(Fault.server_error("ssm", "PutParameter", times=1))
    client("ssm", attempts=3).put_parameter(Name="p", Value="v", Type="String")
    assert control.calls()["ssm:PutParameter"] == {"200": 1, "InternalServerError": 1}


def test_an_accepted_call_that_fails_was_carried_out(batch, control, client):
    control.add_fault(Fault.server_error("batch", "SubmitJob", times=1, accepted=True))
    request = {"jobName": "n", "jobQueue": "q", "jobDefinition": "d"}
    assert code(batch.client.submit_job, **request) == (500, "ServerException")
    (submission,) = batch.control.submissions()
    assert submission.job_name == "n"
    assert batch.status(submission.job_id) == "SUBMITTED"


def test_the_sdks_default_retries_submit_twice(batch, control, client):
    control.add_fault(Fault.server_error("batch", "SubmitJob", times=1, accepted=True))
    client("batch", attempts=3).submit_job(jobName="n", jobQueue="q", jobDefinition="d")
    assert [submission.job_name for submission in batch.control.submissions()] == ["n", "n"]


def test_a_rejected_call_that_fails_was_not_carried_out(batch, control):
    control.add_fault(Fault.server_error("batch", "SubmitJob", times=1))
    request = {"jobName": "n", "jobQueue": "q", "jobDefinition": "d"}
    assert code(batch.client.submit_job, **request) == (500, "ServerException")
    assert batch.control.submissions() == []


@pytest.mark.parametrize("accepted", [False, True])
def test_a_call_that_times_out_may_have_been_carried_out(batch, control, client, accepted):
    control.add_fault(Fault.timeout("batch", "SubmitJob", times=1, accepted=accepted))
    with pytest.raises(ReadTimeoutError):
        client("batch", timeout=0.2).submit_job(jobName="n", jobQueue="q", jobDefinition="d")
    assert len(batch.control.submissions()) == int(accepted)
    deadline = time.monotonic() + 5
    while not control.count("batch", "SubmitJob", outcome="hang"):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("accepted", [False, True])
def test_a_connection_may_drop_without_an_answer(batch, control, accepted):
    control.add_fault(Fault.drop("batch", "SubmitJob", times=1, accepted=accepted))
    with pytest.raises(ConnectionClosedError):
        batch.client.submit_job(jobName="n", jobQueue="q", jobDefinition="d")
    assert len(batch.control.submissions()) == int(accepted)


def test_latency_delays_the_right_answer(control, client):
    control.add_fault(Fault.latency("sts", seconds=0.2, times=1))
    began = time.monotonic()
    client("sts").get_caller_identity()
    assert time.monotonic() - began >= 0.2
    assert control.count("sts", outcome="200") == 1


def test_a_fault_may_skip_calls_and_be_lifted(control, client):
    call = client("sts").get_caller_identity
    fault = control.add_fault(Fault.deny("sts").model_copy(update={"skip": 1}))
    call()
    assert code(call) == (403, "AccessDenied")
    control.remove_fault(fault)
    call()
    assert control.faults() == []


def test_of_two_faults_the_older_wins_and_the_younger_follows(control, client):
    call = client("sts").get_caller_identity
    control.add_fault(Fault.throttle("sts", times=1))
    control.add_fault(Fault.deny("sts", times=1))
    assert [code(call)[1], code(call)[1]] == ["Throttling", "AccessDenied"]
    call()


def test_reset_may_keep_what_exists(batch, control, client):
    control.add_fault(Fault.deny("sts"))
    client("sqs").create_queue(QueueName="kept")
    control.reset(resources=False)
    assert control.faults() == []
    assert batch.client.describe_job_queues(jobQueues=["q"])["jobQueues"]
    assert client("sqs").list_queues()["QueueUrls"]
    control.reset()
    assert "QueueUrls" not in client("sqs").list_queues()
    assert batch.client.describe_job_queues()["jobQueues"] == []


def test_the_door_refuses_what_it_does_not_know(control):
    with pytest.raises(ControlError, match="Extra inputs"):
        control.batch.configure(speed=1)
    with pytest.raises(ControlError, match="no POST /sandbox/nothing"):
        control._door.post("nothing")
    with pytest.raises(ValueError, match="not a list of numbers"):
        control.batch.script(indexes="3-")
