"""What cannot work gets a condition that names the field and the cause."""

from urllib.parse import quote

import pytest

from pierhead_sandbox.aws.protocol import Fault
from support.trigger_lab import Object, TriggerLab

EVENTS: Object = {"eventPattern": {"source": ["team.app"]}}
S3: Object = {"s3": {"bucket": "NAMESPACE-pictures"}}

SPECS: dict[str, tuple[Object, str, str, str]] = {
    "a day that never comes": (
        {"schedule": "0 0 30 2 *"},
        "Invalid",
        "spec.schedule: ",
        "is not a cron schedule: Bad day-of-month",
    ),
    "a zone that nobody knows": (
        {"schedule": "@daily", "timeZone": "Europe/Atlantis"},
        "Invalid",
        "spec.timeZone: ",
        "is not a time zone of the IANA database, such as Europe/Berlin",
    ),
    "a comparison that does not exist": (
        {"eventPattern": {"detail": {"size": [{"larger": 3}]}}},
        "Invalid",
        "spec.eventPattern.detail.size: ",
        "there is no comparison 'larger'; there is anything-but",
    ),
    "a pattern of nothing": ({"eventPattern": {}}, "Invalid", "spec.eventPattern: ", "matches nothing"),
    "a filter that is no CEL": ({**EVENTS, "filter": "event."}, "InvalidExpression", "spec.filter: ", ""),
    "a variable that does not exist": (
        {**EVENTS, "assign": [{"path": "/spec/completions", "expression": "lines"}]},
        "InvalidExpression",
        "spec.assign[0].expression: ",
        "no variable lines",
    ),
    "a lifetime too short": (
        {**EVENTS, "template": {"kind": "BatchJob", "spec": {"queue": "q", "ttlSecondsAfterFinished": 9}}},
        "Invalid",
        "spec.template.spec.ttlSecondsAfterFinished: ",
        "is 9, and has to be 900 at least",
    ),
    "a queue that does not exist": (
        {**EVENTS, "queue": "NAMESPACE-nowhere"},
        "NotFound",
        "spec.queue: ",
        "there is no SQS queue NAMESPACE-nowhere in us-east-1",
    ),
    "a role that cannot be assumed": (
        {**EVENTS, "aws": {"roleArn": "arn:aws:iam::123456789012:role/NAMESPACE-role"}},
        "RoleNotAssumable",
        "spec.aws: role arn:aws:iam::123456789012:role/",
        "AssumeRole",
    ),
    "a template that is no BatchJob": (
        {"schedule": "@yearly", "template": {"kind": "BatchJob", "spec": {"queue": "q", "completions": 0}}},
        "Rejected",
        "spec.template: ",
        "spec.completions",
    ),
    "a template of every event that is no BatchJob": (
        {**EVENTS, "template": {"kind": "BatchJob", "spec": {"queue": "q", "completions": 0}}},
        "Rejected",
        "spec.template: ",
        "spec.completions",
    ),
    "an expression that gives what a BatchJob does not take": (
        {
            "schedule": "@yearly",
            "assign": [{"path": "/spec/completions", "expression": "event.scheduledTime"}],
        },
        "Rejected",
        "spec.template: ",
        "spec.completions",
    ),
}

FITS: Object = {
    "assign": [{"path": "/spec/completions", "expression": "event.detail.count"}],
    "name": "string(event.detail.name)",
}
UNFIT: dict[str, tuple[str | Object, str, str, str]] = {
    "no JSON": ("{no json", "NotJSON", "spec.queue: ", "a message in the queue is no JSON"),
    "a field that is missing": ({"name": "a"}, "InvalidExpression", "spec.assign[0].expression: ", "'count'"),
    "a value that is refused": (
        {"name": "a", "count": -5},
        "Rejected",
        "spec.template: ",
        "spec.completions",
    ),
    "a name of nothing": ({"name": "!!", "count": 1}, "Invalid", "spec.name: ", "no letter or digit"),
}


@pytest.fixture
def placed(lab: TriggerLab):
    """Texts, and what is made of them, in the test's namespace."""

    def put(value):
        if isinstance(value, str):
            return value.replace("NAMESPACE", lab.namespace)
        if isinstance(value, list):
            return [put(one) for one in value]
        return {name: put(one) for name, one in value.items()} if isinstance(value, dict) else value

    return put


async def test_an_event_trigger_that_cannot_work_says_why(lab: TriggerLab, placed):
    lab.aws.add_fault(Fault.deny("sts", "AssumeRole"))
    names = {f"case-{number}": case for number, case in enumerate(SPECS)}
    for name, case in names.items():
        await lab.trigger(name, **placed(SPECS[case][0]))
    lab.operator()
    for name, case in names.items():
        _, reason, field, cause = SPECS[case]
        condition = await lab.has("Stalled", name=name)
        told = condition["reason"], condition["message"]
        assert told[0] == reason, (case, told)
        assert told[1].startswith(field), (case, told)
        assert placed(cause) in told[1], (case, told)
    assert lab.jobs() == []


async def test_an_event_that_fits_nothing_is_told_with_the_reason(lab: TriggerLab):
    await lab.trigger(**EVENTS, **FITS)
    lab.operator()
    for case, (event, reason, field, cause) in UNFIT.items():
        lab.send(event if isinstance(event, str) else lab.event(**event))
        condition = await lab.has("EventRefused", reason=reason)
        assert condition["message"].startswith(field), (case, condition)
        assert cause in condition["message"], (case, condition)
    assert lab.jobs() == []
    await lab.left(len(UNFIT))


async def test_a_key_of_any_letters_is_taken_as_it_was_written(lab: TriggerLab, placed):
    lab.buckets_notify()
    uri = {"path": "/spec/outputUri", "expression": "'s3://out/' + event.encodedKey"}
    plain = {"path": "/spec/parameters/key", "expression": "event.key"}
    await lab.trigger(**placed(S3), name="event.key", assign=[uri, plain])
    lab.operator()
    key = "in/Bild 1 + 2%20ä 日本 😀.jpg"
    lab.upload(key)
    (job,) = await lab.started(1)
    assert job["spec"]["parameters"] == {"key": key}
    assert job["spec"]["outputUri"] == f"s3://out/{quote(key)}"
    assert job["metadata"]["name"].startswith("in-bild-1-2-20")
