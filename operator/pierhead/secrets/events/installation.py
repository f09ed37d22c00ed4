"""What events need in AWS: a rule, a queue with a dead-letter queue, and the operator's rights to them. Pure.

Invariant: CloudFormation and Terraform say the same, made from one description; only the rule may write to
the queue, and the operator gets no right but to take messages and to send its probes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pierhead.secrets.events.health import PROBE_DETAIL_TYPE
from pierhead.secrets.events.hint import LABELS, PARAMETERS, PROBE_SOURCE, SERVICE_TRAIL, TRAIL

RECEIVES: Final = 5
"""How often a message is received before it goes to the dead-letter queue."""

_DAY: Final = 24 * 3600
KEPT_SECONDS: Final = 4 * _DAY
DEAD_SECONDS: Final = 14 * _DAY
HIDDEN_SECONDS: Final = 60

_QUEUE_ACTIONS: Final = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
)
_CALLS: Final = (
    "PutSecretValue",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "CreateSecret",
    "DeleteSecret",
    "RestoreSecret",
    "TagResource",
    "UntagResource",
    "ReplicateSecretToRegions",
    "RemoveRegionsFromReplication",
)
_SERVICE_CALLS: Final = (
    "RotationSucceeded",
    "StartSecretVersionDelete",
    "CancelSecretVersionDelete",
    "EndSecretVersionDelete",
)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Installation:
    """What is wanted."""

    name: str = "pierhead-secret-events"
    """Of the rule and the queue; the dead-letter queue's ends in `-dead`."""

    prefixes: tuple[str, ...] = ()
    """What the names of secrets begin with; empty: all."""

    parameters: bool = False
    """Whether changes of parameters are told too, of those whose names begin with `/` and a prefix."""

    trail: bool = False
    """Whether calls that CloudTrail records are told too, for deletion, restoring, creation and tags. Needs a
    trail of management events."""

    role: str = ""
    """Name of the operator's IAM role, to which the policy is attached; empty: to none."""


def pattern(wanted: Installation) -> Document:
    """The rule's event pattern. The probes share it, so that their arrival proves the rule."""
    alternatives: list[Document] = [
        {
            "source": ["aws.secretsmanager"],
            "detail-type": [LABELS],
            **_detail([{"prefix": prefix} for prefix in wanted.prefixes]),
        },
        {"source": [PROBE_SOURCE], "detail-type": [PROBE_DETAIL_TYPE]},
    ]
    if wanted.trail:
        # Not by name: a call names its secret by name or ARN, in fields of several names.
        alternatives += [
            {
                "source": ["aws.secretsmanager"],
                "detail-type": [f"AWS {detail_type}"],
                "detail": {"eventName": list(names)},
            }
            for detail_type, names in ((TRAIL, _CALLS), (SERVICE_TRAIL, _SERVICE_CALLS))
        ]
    if wanted.parameters:
        names = [{"prefix": prefix} for bare in wanted.prefixes for prefix in _parameter_prefixes(bare)]
        alternatives.append({"source": ["aws.ssm"], "detail-type": [PARAMETERS], **_detail(names)})
    return {"$or": alternatives}


def _detail(names: list[Document]) -> Document:
    return {"detail": {"name": names}} if names else {}


def _parameter_prefixes(prefix: str) -> tuple[str, ...]:
    bare = prefix.lstrip("/")
    return (f"/{bare}", bare)


def queue_policy(queue_arn: Any, rule_arn: Any) -> Document:
    """Only the rule may send, and nobody without TLS."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TheRuleSends",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
            },
            {
                "Sid": "NothingWithoutTLS",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": queue_arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }


def operator_policy(queue_arn: Any, bus_arn: Any) -> Document:
    """What pierhead's own role needs: to take messages, and to send probes on the default bus."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TakesMessages",
                "Effect": "Allow",
                "Action": list(_QUEUE_ACTIONS),
                "Resource": queue_arn,
            },
            {
                "Sid": "SendsProbes",
                "Effect": "Allow",
                "Action": "events:PutEvents",
                "Resource": bus_arn,
                "Condition": {"StringEquals": {"events:source": PROBE_SOURCE}},
            },
        ],
    }


def cloudformation(wanted: Installation) -> Document:
    """A template; its outputs are the settings."""
    bus = {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"}
    queue_arn, rule_arn = _attribute("Queue"), _attribute("Rule")
    policy: Document = {
        "ManagedPolicyName": {"Fn::Sub": f"{wanted.name}-${{AWS::Region}}"},
        "Description": "Lets pierhead take events of secrets.",
        "PolicyDocument": operator_policy(queue_arn, bus),
    }
    if wanted.role:
        policy["Roles"] = [wanted.role]
    redrive = {"deadLetterTargetArn": _attribute("DeadLetterQueue"), "maxReceiveCount": RECEIVES}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Events of secrets for pierhead, from EventBridge through SQS.",
        "Resources": {
            "DeadLetterQueue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": f"{wanted.name}-dead",
                    "MessageRetentionPeriod": DEAD_SECONDS,
                    "SqsManagedSseEnabled": True,
                },
            },
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": wanted.name,
                    "MessageRetentionPeriod": KEPT_SECONDS,
                    "VisibilityTimeout": HIDDEN_SECONDS,
                    "ReceiveMessageWaitTimeSeconds": 20,
                    "SqsManagedSseEnabled": True,
                    "RedrivePolicy": redrive,
                },
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Name": wanted.name,
                    "Description": "Changes of secrets, and pierhead's probes.",
                    "State": "ENABLED",
                    "EventPattern": pattern(wanted),
                    "Targets": [{"Id": "queue", "Arn": queue_arn}],
                },
            },
            "QueuePolicy": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "Queues": [{"Ref": "Queue"}],
                    "PolicyDocument": queue_policy(queue_arn, rule_arn),
                },
            },
            "OperatorPolicy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy},
        },
        "Outputs": {
            "QueueUrl": {"Description": "PIERHEAD_SECRET_EVENTS_QUEUE_URL", "Value": {"Ref": "Queue"}},
            "OperatorPolicyArn": {
                "Description": "Belongs to the operator's role",
                "Value": {"Ref": "OperatorPolicy"},
            },
        },
    }


def _attribute(resource: str) -> Document:
    return {"Fn::GetAtt": [resource, "Arn"]}


def terraform(wanted: Installation) -> Document:
    """The same in Terraform's JSON syntax, for a file whose name ends in `.tf.json`."""
    queue = "${aws_sqs_queue.pierhead.arn}"
    bus = (
        "arn:${data.aws_partition.pierhead.partition}:events:${data.aws_region.pierhead.name}:"
        "${data.aws_caller_identity.pierhead.account_id}:event-bus/default"
    )
    redrive = {"deadLetterTargetArn": "${aws_sqs_queue.pierhead_dead.arn}", "maxReceiveCount": RECEIVES}
    resources: Document = {
        "aws_sqs_queue": {
            "pierhead_dead": {
                "name": f"{wanted.name}-dead",
                "message_retention_seconds": DEAD_SECONDS,
                "sqs_managed_sse_enabled": True,
            },
            "pierhead": {
                "name": wanted.name,
                "message_retention_seconds": KEPT_SECONDS,
                "visibility_timeout_seconds": HIDDEN_SECONDS,
                "receive_wait_time_seconds": 20,
                "sqs_managed_sse_enabled": True,
                "redrive_policy": _text(redrive),
            },
        },
        "aws_cloudwatch_event_rule": {
            "pierhead": {
                "name": wanted.name,
                "description": "Changes of secrets, and pierhead's probes.",
                "event_pattern": _text(pattern(wanted)),
            }
        },
        "aws_cloudwatch_event_target": {
            "pierhead": {
                "rule": "${aws_cloudwatch_event_rule.pierhead.name}",
                "target_id": "queue",
                "arn": queue,
            }
        },
        "aws_sqs_queue_policy": {
            "pierhead": {
                "queue_url": "${aws_sqs_queue.pierhead.url}",
                "policy": _text(queue_policy(queue, "${aws_cloudwatch_event_rule.pierhead.arn}")),
            }
        },
        "aws_iam_policy": {
            "pierhead": {
                "name": f"{wanted.name}-${{data.aws_region.pierhead.name}}",
                "description": "Lets pierhead take events of secrets.",
                "policy": _text(operator_policy(queue, bus)),
            }
        },
    }
    if wanted.role:
        resources["aws_iam_role_policy_attachment"] = {
            "pierhead": {"role": wanted.role, "policy_arn": "${aws_iam_policy.pierhead.arn}"}
        }
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}}},
        "data": {
            "aws_caller_identity": {"pierhead": {}},
            "aws_partition": {"pierhead": {}},
            "aws_region": {"pierhead": {}},
        },
        "resource": resources,
        "output": {
            "queue_url": {
                "description": "PIERHEAD_SECRET_EVENTS_QUEUE_URL",
                "value": "${aws_sqs_queue.pierhead.url}",
            }
        },
    }


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document)
