"""An AWS that is behind itself: empty pages, and reads of what was there before."""

import pytest
from botocore.exceptions import ClientError

from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.aws.protocol import Fault


@pytest.fixture
def control(stand_in) -> AwsControl:
    return stand_in.control


@pytest.fixture
def secrets(client):
    return client("secretsmanager")


def refused(call, /, **fields) -> str:
    with pytest.raises(ClientError) as caught:
        call(**fields)
    return caught.value.response["Error"]["Code"]


def test_an_empty_page_comes_before_the_one_that_was_asked_for(secrets, control):
    for name in ("a", "b", "c"):
        secrets.create_secret(Name=name, SecretString=name)
    control.add_fault(Fault.empty_page("secretsmanager", "*", times=2))
    asked = {"SecretIdList": ["a", "b"]}
    page = secrets.batch_get_secret_value(**asked)
    for _ in range(2):
        assert (page["SecretValues"], page.get("Errors")) == ([], None)
        page = secrets.batch_get_secret_value(**asked, NextToken=page["NextToken"])
    assert [value["Name"] for value in page["SecretValues"]] == ["a", "b"]
    assert "NextToken" not in page
    control.add_fault(Fault.empty_page("secretsmanager", "ListSecrets", times=1))
    pages = secrets.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2})
    assert [[entry["Name"] for entry in page["SecretList"]] for page in pages] == [[], ["a", "b"], ["c"]]
    control.add_fault(Fault.empty_page("secretsmanager", "GetSecretValue"))
    assert secrets.get_secret_value(SecretId="a")["SecretString"] == "a"


def test_a_path_of_parameters_may_begin_with_an_empty_page(client, control):
    parameters = client("ssm")
    parameters.put_parameter(Name="/shop/a", Value="1", Type="String")
    control.add_fault(Fault.empty_page("ssm", "GetParametersByPath", times=1))
    pages = parameters.get_paginator("get_parameters_by_path").paginate(Path="/shop")
    assert [[item["Name"] for item in page["Parameters"]] for page in pages] == [[], ["/shop/a"]]


def test_a_stale_read_shows_the_version_before(secrets, control):
    old = secrets.create_secret(Name="db", SecretString="old")["VersionId"]
    new = secrets.put_secret_value(SecretId="db", SecretString="new")["VersionId"]
    fault = control.add_fault(Fault.stale("secretsmanager", "*GetSecretValue"))
    found = secrets.get_secret_value(SecretId="db")
    assert (found["SecretString"], found["VersionId"], found["VersionStages"]) == ("old", old, ["AWSCURRENT"])
    (found,) = secrets.batch_get_secret_value(SecretIdList=["db"])["SecretValues"]
    assert (found["SecretString"], found["VersionId"]) == ("old", old)
    assert secrets.get_secret_value(SecretId="db", VersionId=old)["SecretString"] == "old"
    assert refused(secrets.get_secret_value, SecretId="db", VersionId=new) == "ResourceNotFoundException"
    control.remove_fault(fault)
    assert secrets.get_secret_value(SecretId="db")["VersionId"] == new


def test_what_was_just_made_is_not_seen_by_a_stale_read(secrets, control):
    secrets.create_secret(Name="old", SecretString="1")
    secrets.put_secret_value(SecretId="old", SecretString="2")
    secrets.create_secret(Name="new", SecretString="x")
    control.add_fault(Fault.stale("secretsmanager"))
    assert refused(secrets.get_secret_value, SecretId="new") == "ResourceNotFoundException"
    answer = secrets.batch_get_secret_value(SecretIdList=["old", "new"])
    assert [value["SecretString"] for value in answer["SecretValues"]] == ["1"]
    assert [(error["SecretId"], error["ErrorCode"]) for error in answer["Errors"]] == [
        ("new", "ResourceNotFoundException")
    ]
    (listed,) = secrets.list_secrets()["SecretList"]
    assert list(listed["SecretVersionsToStages"].values()) == [["AWSCURRENT"]]
    assert secrets.describe_secret(SecretId="new")["Name"] == "new"


def test_one_member_of_a_batch_may_be_stale_while_another_fails(secrets, control):
    for name in ("a", "b", "c"):
        secrets.create_secret(Name=name, SecretString="old")
        secrets.put_secret_value(SecretId=name, SecretString="new")
    control.add_fault(Fault.stale("secretsmanager", "GetSecretValue", resource="b", times=1))
    control.add_fault(Fault.deny("secretsmanager", "GetSecretValue", resource="c"))
    answer = secrets.batch_get_secret_value(SecretIdList=["a", "b", "c"])
    assert {value["Name"]: value["SecretString"] for value in answer["SecretValues"]} == {
        "a": "new",
        "b": "old",
    }
    assert [error["ErrorCode"] for error in answer["Errors"]] == ["AccessDeniedException"]
    answer = secrets.batch_get_secret_value(Filters=[{"Key": "name", "Values": ["b"]}])
    assert [value["SecretString"] for value in answer["SecretValues"]] == ["new"]


def test_a_stale_parameter_is_the_version_before_or_missing(client, control):
    parameters = client("ssm")
    for value in ("1", "2"):
        parameters.put_parameter(Name="/shop/a", Value=value, Type="SecureString", Overwrite=True)
    parameters.put_parameter(Name="/shop/b", Value="x", Type="String")
    control.add_fault(Fault.stale("ssm"))
    answer = parameters.get_parameters(Names=["/shop/a", "/shop/b"], WithDecryption=True)
    assert [(item["Value"], item["Version"]) for item in answer["Parameters"]] == [("1", 1)]
    assert answer["InvalidParameters"] == ["/shop/b"]
    (pinned,) = parameters.get_parameters(Names=["/shop/a:2"], WithDecryption=True)["Parameters"]
    assert pinned["Value"] == "2"
    found = parameters.get_parameters_by_path(Path="/shop", WithDecryption=True)["Parameters"]
    assert [item["Value"] for item in found] == ["1"]
