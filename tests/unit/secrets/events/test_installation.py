"""What is printed for AWS: well-formed, the same in both languages, and no right too many."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from pierhead.cli.main import app
from pierhead.secrets.events.installation import Installation, cloudformation, pattern, terraform

ALL = Installation(prefixes=("prod/", "shop/"), parameters=True, trail=True, role="pierhead")


def test_both_languages_have_the_same_rule():
    ours = cloudformation(ALL)["Resources"]["Rule"]["Properties"]["EventPattern"]
    theirs = terraform(ALL)["resource"]["aws_cloudwatch_event_rule"]["pierhead"]["event_pattern"]
    assert ours == json.loads(theirs) == pattern(ALL)


def test_the_rule_takes_labels_by_prefix_and_the_probes():
    labels, probes = pattern(Installation(prefixes=("prod/",)))["$or"]
    assert labels == {
        "source": ["aws.secretsmanager"],
        "detail-type": ["Secret Label Updated"],
        "detail": {"name": [{"prefix": "prod/"}]},
    }
    assert probes["source"] == ["dev.pierhead"]


def test_without_prefixes_the_rule_takes_every_secret():
    labels, _ = pattern(Installation())["$or"]
    assert "detail" not in labels


def test_parameters_are_taken_with_and_without_a_leading_slash():
    names = pattern(ALL)["$or"][-1]["detail"]["name"]
    assert {"prefix": "/prod/"} in names
    assert {"prefix": "prod/"} in names


@pytest.mark.parametrize("wanted", [Installation(), ALL])
def test_the_operator_may_take_messages_and_send_its_own_probes_and_nothing_else(wanted):
    statements = cloudformation(wanted)["Resources"]["OperatorPolicy"]["Properties"]["PolicyDocument"]
    taking, probing = statements["Statement"]
    assert taking["Resource"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert not [action for action in taking["Action"] if not action.startswith("sqs:")]
    assert "sqs:SendMessage" not in taking["Action"]
    assert probing["Condition"] == {"StringEquals": {"events:source": "dev.pierhead"}}


def test_only_the_rule_may_send():
    policy = cloudformation(ALL)["Resources"]["QueuePolicy"]["Properties"]["PolicyDocument"]
    (allowed,) = (one for one in policy["Statement"] if one["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}}


def test_terraform_names_only_what_it_has():
    document = terraform(ALL)
    known = {
        f"{prefix}{kind}.{name}"
        for prefix, section in (("", document["resource"]), ("data.", document["data"]))
        for kind, named in section.items()
        for name in named
    }
    text = json.dumps({"resource": document["resource"], "output": document["output"]})
    named = {part.split("}")[0].rsplit(".", 1)[0] for part in text.split("${")[1:]}
    assert named <= known


@pytest.mark.parametrize(
    ("options", "read"),
    [([], yaml.safe_load), (["--format", "terraform"], json.loads)],
    ids=["cloudformation", "terraform"],
)
def test_what_is_printed_is_the_whole_template(options, read):
    given = ["--prefix", "prod/", "--prefix", "shop/", "--parameters", "--cloudtrail", "--role", "pierhead"]
    done = CliRunner().invoke(app, ["secrets", "events", "install", *given, *options])
    assert done.exit_code == 0
    assert read(done.output) == (terraform(ALL) if options else cloudformation(ALL))


@pytest.mark.parametrize(
    "options",
    [["--apply", "--format", "terraform"], [f"--prefix={'x' * 100}/{number}" for number in range(20)]],
    ids=["terraform applied", "too long a pattern"],
)
def test_wrong_usage_is_told(options):
    done = CliRunner().invoke(app, ["secrets", "events", "install", *options])
    assert done.exit_code == 2
    assert "error: " in done.stderr
