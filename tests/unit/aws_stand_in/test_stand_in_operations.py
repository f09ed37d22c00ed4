"""Naming calls as botocore's models name them."""

import pytest

from pierhead_sandbox.aws.answer import Answer, error_answer, error_code, json_answer
from pierhead_sandbox.aws.operations import identify


def request(method="POST", path="/", service="s3", query="", signed=True, **environ):
    auth = f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host"
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        **({"HTTP_AUTHORIZATION": auth} if signed else {}),
        **environ,
    }


FORM = "application/x-www-form-urlencoded; charset=utf-8"
CALLS = [
    (
        request(service="secretsmanager", HTTP_X_AMZ_TARGET="secretsmanager.GetSecretValue"),
        b"{}",
        "GetSecretValue",
    ),
    (request(service="sqs", HTTP_X_AMZ_TARGET="AmazonSQS.SendMessage"), b"{}", "SendMessage"),
    (request(service="sts", CONTENT_TYPE=FORM), b"Action=AssumeRole&Version=2011-06-15", "AssumeRole"),
    (request(service="batch", path="/v1/submitjob"), b"{}", "SubmitJob"),
    (request("GET", "/v1/tags/arn:aws:batch:eu-west-1:1:job-queue/q", "batch"), b"", "ListTagsForResource"),
    (
        request("DELETE", "/v1/tags/arn:aws:batch:eu-west-1:1:job/x", "batch", "tagKeys=a"),
        b"",
        "UntagResource",
    ),
    (request("GET", "/"), b"", "ListBuckets"),
    (request("PUT", "/bucket"), b"", "CreateBucket"),
    (request("GET", "/bucket/", query="list-type=2&prefix=a"), b"", "ListObjectsV2"),
    (request("GET", "/bucket"), b"", "ListObjects"),
    (request("GET", "/bucket", query="location"), b"", "GetBucketLocation"),
    (request("PUT", "/bucket", query="notification"), b"", "PutBucketNotificationConfiguration"),
    (request("GET", "/bucket/a/b c"), b"", "GetObject"),
    (request("HEAD", "/bucket/a"), b"", "HeadObject"),
    (request("PUT", "/bucket/a"), b"", "PutObject"),
    (request("PUT", "/bucket/a", HTTP_X_AMZ_COPY_SOURCE="bucket/b"), b"", "CopyObject"),
    (request("POST", "/bucket/a", query="uploads"), b"", "CreateMultipartUpload"),
    (request("PUT", "/bucket/a", query="partNumber=1&uploadId=x"), b"", "UploadPart"),
    (request("POST", "/bucket/a", query="uploadId=x"), b"", "CompleteMultipartUpload"),
    (request("POST", "/bucket", query="delete"), b"", "DeleteObjects"),
    (request("GET", "/clusters/c", "eks"), b"", "DescribeCluster"),
    (request("GET", "/what/ever", "no-such-service"), b"", "GET /what/ever"),
]


@pytest.mark.parametrize(("environ", "body", "operation"), CALLS, ids=[row[2] for row in CALLS])
def test_identify(environ, body, operation):
    call = identify(environ, body)
    assert (call.operation, call.region, call.access_key) == (operation, "eu-west-1", "AKIA")


def test_a_presigned_request_is_named_too():
    query = "X-Amz-Credential=AKIA%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=x"
    call = identify(request("GET", "/bucket/key", query=query, signed=False), b"")
    assert (call.service, call.operation) == ("s3", "GetObject")


def test_web_identity_needs_no_signature_and_nothing_else_goes_without():
    form = request(signed=False, CONTENT_TYPE=FORM)
    call = identify(form, b"Action=AssumeRoleWithWebIdentity&RoleArn=x")
    assert (call.service, call.operation) == ("sts", "AssumeRoleWithWebIdentity")
    assert identify(form, b"Action=AssumeRole") is None
    assert identify(request("GET", "/sandbox/health", signed=False), b"") is None


@pytest.mark.parametrize("protocol", ["json", "rest-json", "rest-xml", "query", "ec2"])
def test_an_error_carries_its_code(protocol):
    answer = error_answer(protocol, 400, "TooBad", "a < b")
    assert error_code(answer) == "TooBad"
    assert error_code(Answer(400, answer.body)) == "TooBad"


def test_an_error_without_a_code_is_its_status():
    assert error_code(Answer(503, b"busy")) == "503"
    assert error_code(Answer(500, b"{broken")) == "500"
    assert error_code(json_answer({"__type": "com.amazonaws#Oops"}, 400)) == "Oops"
    assert Answer(299).status_line == "299 UNKNOWN"
