"""Counts from metrics and from the audit log, in the same words."""

import json

import pytest

from pierhead_sandbox.request_counts import RequestKind, from_audit_log, from_metrics

METRICS = """\
# HELP apiserver_request_total [STABLE] Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="APPLY",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="All",group="",resource="configmaps",scope="resource",subresource="",verb="APPLY",version="v1"} 2
apiserver_request_total{code="201",component="apiserver",dry_run="",group="apps",resource="deployments",scope="resource",subresource="",verb="POST",version="v1"} 1e+06
apiserver_request_total{code="200",component="",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 9
apiserver_request_terminations_total{code="200",resource="pods"} 4
"""  # noqa: E501


def _event(agent, verb="get", stage="ResponseComplete", uri="/api/v1/x", **reference):
    event = {
        "stage": stage,
        "verb": verb,
        "userAgent": agent,
        "requestURI": uri,
        "responseStatus": {"code": 200},
    }
    if reference:
        event["objectRef"] = reference
    return json.dumps(event) + "\n"


def kind(verb, resource, *, group="", subresource="", dry_run=False, code=200):
    return RequestKind(verb, group, resource, subresource, dry_run, code)


def test_metrics_become_api_verbs_and_leave_out_what_has_no_resource():
    assert from_metrics(METRICS) == {
        kind("patch", "configmaps"): 3,
        kind("patch", "configmaps", dry_run=True): 2,
        kind("create", "deployments", group="apps", code=201): 1_000_000,
    }


def test_the_audit_log_is_counted_by_who_asked(tmp_path):
    log = tmp_path / "audit.log"
    log.write_text(
        _event("pierhead/1", resource="secrets")
        + _event("pierhead/2", "patch", uri="/x?dryRun=All&force=true", resource="secrets", apiGroup="")
        + _event("kubectl", resource="secrets")
        + _event("mine pierhead", resource="secrets")
        + _event("pierhead/1", resource="pods", subresource="status", apiGroup="g")
        + _event("pierhead/1")
    )
    assert from_audit_log(log, "pierhead") == {
        kind("get", "secrets"): 1,
        kind("patch", "secrets", dry_run=True): 1,
        kind("get", "pods", group="g", subresource="status"): 1,
    }


def test_a_watch_counts_once_from_its_start(tmp_path):
    log = tmp_path / "audit.log"
    log.write_text(
        _event("a", "watch", "ResponseStarted", resource="pods")
        + _event("a", "watch", "ResponseComplete", resource="pods")
        + _event("a", "watch", "ResponseStarted", resource="pods")
        + _event("a", "get", "ResponseStarted", resource="pods")
    )
    assert from_audit_log(log, "a") == {kind("watch", "pods"): 2}


def test_a_line_being_written_is_not_read(tmp_path):
    log = tmp_path / "audit.log"
    log.write_text(_event("a", resource="pods") + _event("a", resource="pods")[:-20])
    assert from_audit_log(log, "a").total() == 1


@pytest.mark.parametrize(
    ("verb", "dry_run", "writes"),
    [("get", False, False), ("watch", False, False), ("patch", False, True), ("patch", True, False)],
)
def test_what_counts_as_a_write(verb, dry_run, writes):
    assert kind(verb, "pods", dry_run=dry_run).writes is writes
