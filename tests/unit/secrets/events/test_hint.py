"""What an event tells, for every form that AWS has for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.aws.events import AwsEvent, read_event
from pierhead.secrets.events.hint import Hint, hints

REGION, ACCOUNT = "eu-west-1", "111122223333"
ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-AbCdEf"
PARTIAL = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db"
BOTH = frozenset({"prod/db", "prod/db-AbCdEf"})
DB = frozenset({"prod/db"})
VERSION = "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111"


def event(detail_type, detail, *resources, source="aws.secretsmanager"):
    return AwsEvent(source, detail_type, ACCOUNT, REGION, detail, "1", resources)


def call(name, asked=None, answered=None, **more):
    detail = {"eventSource": "secretsmanager.amazonaws.com", "eventName": name, **more}
    return event(
        "AWS API Call via CloudTrail",
        {**detail, "requestParameters": asked, "responseElements": answered},
    )


def rotation(name, **more):
    detail = {"eventType": "AwsServiceEvent", "eventName": name, "requestParameters": None, **more}
    return event("AWS Service Event via CloudTrail", {**detail, "responseElements": None})


def label(names=DB, label="AWSCURRENT", version_id=None):
    return Hint("secretsmanager", names, REGION, ACCOUNT, label=label, version_id=version_id)


def topic(topic, names=DB, region=REGION):
    return Hint("secretsmanager", names, region, ACCOUNT, topic)


def native(**detail):
    given = {"name": "prod/db", "labelUpdated": "AWSCURRENT", "versionId": VERSION, **detail}
    return event("Secret Label Updated", given, ARN)


ROWS = {
    "native": (native(), [label(version_id=VERSION)]),
    "native, custom label": (native(labelUpdated="blue"), [label(label="blue", version_id=VERSION)]),
    "native, pending": (native(labelUpdated="AWSPENDING"), []),
    "native, previous": (native(labelUpdated="AWSPREVIOUS"), []),
    "native, no label": (native(labelUpdated=None), []),
    "native, version of a wrong form": (native(versionId="x" * 65), [label()]),
    "native, name of another secret": (native(name="prod/other"), [label(BOTH, version_id=VERSION)]),
    "native, name only": (
        event("Secret Label Updated", {"name": "prod/db", "labelUpdated": "AWSCURRENT"}),
        [label()],
    ),
    "plain name that ends like an ARN": (
        event("Secret Label Updated", {"name": "prod/db-abcdef", "labelUpdated": "AWSCURRENT"}),
        [label(frozenset({"prod/db-abcdef"}))],
    ),
    "put by name": (call("PutSecretValue", {"secretId": "prod/db"}), [label()]),
    "put by ARN": (call("PutSecretValue", {"secretId": ARN}), [label(BOTH)]),
    "put by partial ARN": (call("PutSecretValue", {"secretId": PARTIAL}), [label()]),
    "put, token is the version": (
        call("PutSecretValue", {"secretId": "prod/db", "clientRequestToken": VERSION}),
        [label(version_id=VERSION)],
    ),
    "put of a rotation": (
        call("PutSecretValue", {"secretId": "prod/db", "versionStages": ["AWSPENDING"]}),
        [],
    ),
    "put without a label": (call("PutSecretValue", {"secretId": "prod/db", "versionStages": []}), []),
    "put with a label": (
        call("PutSecretValue", {"secretId": "prod/db", "versionStages": ["blue", "AWSPENDING"]}),
        [label(label="blue")],
    ),
    "put that failed": (call("PutSecretValue", {"secretId": "prod/db"}, errorCode="AccessDenied"), []),
    "update": (
        call("UpdateSecret", {"secretId": PARTIAL}, {"arn": ARN, "versionId": VERSION}),
        [label(version_id=VERSION)],
    ),
    "update of no value": (call("UpdateSecret", {"secretId": "prod/db"}), [label()]),
    "stage moved": (
        call(
            "UpdateSecretVersionStage",
            {"secretId": "prod/db", "versionStage": "AWSCURRENT", "moveToVersionId": VERSION},
        ),
        [label(version_id=VERSION)],
    ),
    "stage taken away": (
        call("UpdateSecretVersionStage", {"secretId": "prod/db", "versionStage": "blue"}),
        [label(label="blue")],
    ),
    "stage of a rotation": (
        call("UpdateSecretVersionStage", {"secretId": "prod/db", "versionStage": "AWSPENDING"}),
        [],
    ),
    "created": (call("CreateSecret", {"name": "prod/db"}, {"arn": ARN}), [topic("Existence")]),
    "deleted, as spelled until 2024": (
        call("DeleteSecret", None, {"aRN": ARN}),
        [topic("Existence", BOTH)],
    ),
    "restored, as spelled by some": (call("RestoreSecret", {}, {"ARN": ARN}), [topic("Existence", BOTH)]),
    "tagged": (call("TagResource", {"secretId": "prod/db"}), [topic("Tags")]),
    "untagged": (call("UntagResource", {"secretId": "prod/db"}), [topic("Tags")]),
    "replicated": (
        call(
            "ReplicateSecretToRegions",
            {"secretId": "prod/db", "addReplicaRegions": [{"region": "us-east-1"}, {}, 3]},
        ),
        [topic("Existence"), topic("Existence", region="us-east-1")],
    ),
    "replica removed": (
        call("RemoveRegionsFromReplication", {"secretId": "prod/db", "removeReplicaRegions": ["us-east-1"]}),
        [topic("Existence"), topic("Existence", region="us-east-1")],
    ),
    "read": (call("GetSecretValue", {"secretId": "prod/db"}), []),
    "another service's call": (
        call("PutSecretValue", {"secretId": "prod/db"}, eventSource="s3.amazonaws.com"),
        [],
    ),
    "China's name of the detail-type": (
        AwsEvent(
            "aws.secretsmanager",
            "Amazon API Call via CloudTrail",
            ACCOUNT,
            REGION,
            call("PutSecretValue", {"secretId": "prod/db"}).detail,
        ),
        [label()],
    ),
    "rotated": (rotation("RotationSucceeded", additionalEventData={"SecretId": ARN}), [label(BOTH)]),
    "rotated, other spelling": (
        rotation("RotationSucceeded", serviceEventDetails={"secretId": ARN}),
        [label(BOTH)],
    ),
    "rotation failed": (rotation("RotationFailed", additionalEventData={"SecretId": ARN}), []),
    "version deleted": (
        rotation("EndSecretVersionDelete", additionalEventData={"SecretId": ARN}),
        [topic("Existence", BOTH)],
    ),
    "only the detail left, native": (
        AwsEvent("", "", "", "", {"name": "prod/db", "labelUpdated": "AWSCURRENT"}),
        [Hint("secretsmanager", DB, "", "", label="AWSCURRENT")],
    ),
    "only the detail left, call": (
        AwsEvent(
            "",
            "",
            "",
            "",
            {
                **call("PutSecretValue", {"secretId": "prod/db"}).detail,
                "awsRegion": REGION,
                "recipientAccountId": ACCOUNT,
            },
        ),
        [label()],
    ),
    "ARN of another service among the resources": (
        event(
            "Secret Label Updated",
            {"name": "prod/db", "labelUpdated": "AWSCURRENT"},
            "arn:aws:iam::111122223333:role/x",
        ),
        [label()],
    ),
    "no secret in it": (call("PutSecretValue", {"secretId": "bad name"}), []),
    "another detail-type": (event("Something Else", {"name": "prod/db"}, ARN), []),
    "foreign source": (event("Secret Label Updated", native().detail, ARN, source="aws.ecr"), []),
    "parameter": (
        event("Parameter Store Change", {"name": "/prod/flags", "operation": "Update"}, source="aws.ssm"),
        [Hint("ssm", frozenset({"prod/flags"}), REGION, ACCOUNT)],
    ),
    "parameter by ARN": (
        event(
            "Parameter Store Change",
            {"operation": "Delete"},
            f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/prod/flags",
            source="aws.ssm",
        ),
        [Hint("ssm", frozenset({"prod/flags"}), REGION, ACCOUNT, "Existence")],
    ),
    "parameter's policy": (
        event("Parameter Store Policy Action", {"name": "/prod/flags"}, source="aws.ssm"),
        [],
    ),
}


@pytest.mark.parametrize(("given", "told"), ROWS.values(), ids=ROWS.keys())
def test_what_an_event_tells(given, told):
    assert list(hints(given)) == told


def test_an_event_tells_the_same_raw_and_by_way_of_sns():
    document = {
        "source": "aws.secretsmanager",
        "detail-type": "Secret Label Updated",
        "account": ACCOUNT,
        "region": REGION,
        "resources": [ARN],
        "detail": dict(native().detail),
    }
    raw = read_event(json.dumps(document))
    wrapped = read_event(json.dumps({"Type": "Notification", "Message": json.dumps(document)}))
    assert raw == wrapped
    assert list(hints(raw)) == [label(version_id=VERSION)]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([ARN, "prod/db", "AWSCURRENT", "PutSecretValue", "ReplicateSecretToRegions"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["region", "secretId", "arn"]), inner, max_size=3)
    ),
    max_leaves=10,
)
NAMES = [
    "name", "labelUpdated", "versionId", "eventSource", "eventName", "requestParameters", "errorCode",
    "responseElements", "additionalEventData", "serviceEventDetails", "operation", "awsRegion",
]  # fmt: skip
ENVELOPES = ["source", "detail-type", "account", "region", "id", "resources", "Type", "Message"]


@given(
    st.fixed_dictionaries(
        {"detail": st.dictionaries(st.sampled_from(NAMES), JSON)},
        optional={
            **dict.fromkeys(ENVELOPES, JSON),
            "source": st.sampled_from(["aws.secretsmanager", "aws.ssm"]) | JSON,
            "detail-type": st.sampled_from(
                ["Secret Label Updated", "AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"]
            )
            | JSON,
        },
    )
    | JSON
)
def test_no_json_breaks_it_and_what_it_tells_is_bounded(document):
    read = read_event(json.dumps(document))
    found = hints(read) if read is not None else ()

    assert len(found) <= 60
    assert all(hint.names for hint in found)
    assert hash(found) is not None


@pytest.mark.parametrize("size", [256 * 1024, 1024 * 1024])
def test_a_body_as_long_as_sqs_takes_is_read(size):
    document = {"source": "aws.secretsmanager", "detail": {"name": "x" * size, "labelUpdated": "AWSCURRENT"}}
    read = read_event(json.dumps(document))
    assert read is not None
    assert hints(read) == ()
    assert "xx" not in repr(read)
