"""Definitions are shared by content, requests are within Batch's limits."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.batch.ledgers.indexes import IndexSet, Layout
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.submitting.contract import COMPLETIONS, INDEX_MAP, INDEX_OFFSET, OUTPUT_URI
from pierhead.batch.submitting.definition import (
    DIGEST_TAG,
    definition_request,
    spec_digest,
)
from pierhead.batch.submitting.requests import job_request, map_limit
from pierhead.batch.submitting.shards import split
from pierhead.batch.submitting.sizes import OVERRIDES_LIMIT
from pierhead.engine.outcome import Invalid
from pierhead.model import parse

ROLE = "arn:aws:iam::111122223333:role/team-job"
SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:team/token-AbCdEf"


def spec_of(container=None, **fields) -> BatchJobSpec:
    template = (
        {} if "jobDefinition" in fields else {"template": {"container": {"image": "i", **(container or {})}}}
    )
    return parse(BatchJobSpec, {"queue": "team-q", **template, **fields})


def request_of(spec, indexes=(0,)):
    return job_request(spec, name="job", definition="arn", indexes=IndexSet.of(indexes), tags={"a": "b"})


def environment(request):
    return {entry["name"]: entry["value"] for entry in request["containerOverrides"]["environment"]}


def test_equal_templates_share_a_definition_whatever_they_run():
    one = spec_of({"command": ["a"], "env": [{"name": "KEY", "value": "one"}]}).template
    other = spec_of({"command": ["b"], "env": [{"name": "KEY", "value": "two"}]}).template
    assert definition_request(one, "team") == definition_request(other, "team")


@pytest.mark.parametrize(
    "change",
    [
        {"image": "other"},
        {"resources": {"vcpu": 2}},
        {"resources": {"gpu": 1}},
        {"jobRoleArn": ROLE},
        {"executionRoleArn": ROLE},
        {"secrets": [{"name": "TOKEN", "valueFrom": SECRET}]},
    ],
)
def test_what_a_definition_is_made_of_changes_its_name(change):
    plain = definition_request(spec_of().template, "team")
    changed = definition_request(spec_of(change).template, "team")
    assert plain["jobDefinitionName"] != changed["jobDefinitionName"]
    assert plain["tags"][DIGEST_TAG] != changed["tags"][DIGEST_TAG]


@pytest.mark.parametrize(
    ("container", "name"),
    [
        ({}, "pierhead-team-038b1b665cb196674cd3"),
        (
            {
                "resources": {"vcpu": 0.5, "memoryMiB": 512, "gpu": 1},
                "jobRoleArn": ROLE,
                "executionRoleArn": ROLE,
                "secrets": [{"name": "TOKEN", "valueFrom": SECRET}],
            },
            "pierhead-team-a0270882da7b7823cb3c",
        ),
        (
            {"command": ["x" * 5000], "env": [{"name": "KEY", "value": "y"}]},
            "pierhead-team-c9a494c97199ddb7eba5",
        ),
    ],
)
def test_what_was_registered_by_an_older_pierhead_is_not_registered_anew(container, name):
    request = definition_request(spec_of(container).template, "team")
    assert request["jobDefinitionName"] == name


def test_namespaces_do_not_share_definitions():
    container = spec_of().template
    names = {definition_request(container, name)["jobDefinitionName"] for name in ("team", "other")}
    assert len(names) == 2


def test_a_definition_says_what_the_template_says():
    container = spec_of(
        {
            "resources": {"vcpu": 0.5, "memoryMiB": 512, "gpu": 1},
            "jobRoleArn": ROLE,
            "executionRoleArn": ROLE,
            "secrets": [{"name": "TOKEN", "valueFrom": SECRET}],
        }
    ).template
    assert definition_request(container, "team")["containerProperties"] == {
        "image": "i",
        "resourceRequirements": [
            {"type": "VCPU", "value": "0.5"},
            {"type": "MEMORY", "value": "512"},
            {"type": "GPU", "value": "1"},
        ],
        "jobRoleArn": ROLE,
        "executionRoleArn": ROLE,
        "secrets": [{"name": "TOKEN", "valueFrom": SECRET}],
    }


def test_long_commands_and_variables_go_into_the_definition():
    spec = spec_of({"command": ["x" * 5000], "env": [{"name": "KEY", "value": "y"}]})
    properties = definition_request(spec.template, "team")["containerProperties"]
    assert properties["command"] == ["x" * 5000]
    assert properties["environment"] == [{"name": "KEY", "value": "y"}]
    assert "command" not in request_of(spec)["containerOverrides"]
    assert "KEY" not in environment(request_of(spec))


def test_a_template_over_the_limit_of_a_definition_names_the_field():
    spec = spec_of({"env": [{"name": f"V{n}", "value": "x" * 8000} for n in range(4)]})
    with pytest.raises(Invalid) as raised:
        definition_request(spec.template, "team")
    assert raised.value.field == "spec.template.container"
    assert "24576" in raised.value.message


def test_an_array_has_a_size_and_one_index_is_a_plain_job():
    assert request_of(spec_of(), range(5))["arrayProperties"] == {"size": 5}
    assert "arrayProperties" not in request_of(spec_of(), [7])


def test_containers_find_their_index_their_number_and_the_output():
    spec = spec_of({"env": [{"name": "MODE", "value": "m"}]}, completions=50, outputUri="s3://b/out")
    assert environment(request_of(spec, range(10, 20))) == {
        "MODE": "m",
        COMPLETIONS: "50",
        INDEX_OFFSET: "10",
        OUTPUT_URI: "s3://b/out",
    }
    assert environment(request_of(spec, [3, 7, 8, 9]))[INDEX_MAP] == "3,7-9"


def test_host_loss_is_retried_and_nothing_else_by_default():
    assert request_of(spec_of())["retryStrategy"] == {
        "attempts": 10,
        "evaluateOnExit": [
            {"action": "RETRY", "onStatusReason": "Host EC2*"},
            {"action": "RETRY", "onStatusReason": "Your Spot Task was interrupted*"},
            {"action": "EXIT", "onReason": "*"},
        ],
    }


def test_rules_of_the_user_replace_the_default_ones():
    spec = spec_of(attempts={"limit": 5, "rules": [{"action": "Retry", "onExitCode": "137"}]})
    assert request_of(spec)["retryStrategy"] == {
        "attempts": 5,
        "evaluateOnExit": [{"action": "RETRY", "onExitCode": "137"}],
    }


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ({}, 10),
        ({"limit": 2}, 2),
        ({"rules": [{"action": "Retry", "onExitCode": "137"}]}, 3),
        ({"limit": 7, "rules": [{"action": "Retry", "onExitCode": "137"}]}, 7),
    ],
)
def test_only_where_nothing_but_lost_hosts_takes_attempts_there_are_as_many_as_can_be(attempts, expected):
    assert request_of(spec_of(attempts=attempts))["retryStrategy"]["attempts"] == expected


def test_an_existing_definition_keeps_its_own_retries_and_timeout():
    request = request_of(spec_of(jobDefinition="team-d:3"))
    assert "retryStrategy" not in request
    assert "timeout" not in request
    assert request_of(spec_of(jobDefinition="team-d", timeoutSeconds=60))["timeout"] == {
        "attemptDurationSeconds": 60
    }


@given(
    indexes=st.sets(st.integers(0, 99_999), min_size=1, max_size=4_000).map(IndexSet.of),
    variable=st.text(max_size=3_000),
)
def test_overrides_never_pass_the_limit_that_batch_checks_too_late(indexes, variable):
    spec = spec_of({"env": [{"name": "V", "value": variable}]}, completions=100_000)
    layout = Layout(indexes)
    for part in split(layout, start=0, most=100, map_limit=map_limit(spec)):
        request = request_of(spec, layout.part(part.first, part.size))
        assert len(json.dumps(request["containerOverrides"])) <= OVERRIDES_LIMIT


def test_about_1500_random_indexes_fit_one_job():
    assert map_limit(spec_of(completions=100_000)) > 8_000


def test_the_digest_follows_only_what_cannot_change():
    base = {"queue": "q", "completions": 3}
    changed = {"suspend": True, "maxFailedIndexes": 1, "parallelism": 4, "completions": 4, "backoffLimit": 1}
    assert spec_digest(base) == spec_digest({**base, **changed})
    assert spec_digest(base) != spec_digest({**base, "queue": "other"})
