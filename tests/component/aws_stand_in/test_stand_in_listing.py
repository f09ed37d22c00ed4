"""ListJobs: selectors, defaults, pages and filters; and what is described beside jobs."""

import pytest


def names(page):
    return [item["jobName"] for item in page["jobSummaryList"]]


def by_name(batch, pattern, **fields):
    filters = [{"name": "JOB_NAME", "values": [pattern]}]
    return batch.client.list_jobs(jobQueue="q", filters=filters, **fields)


def test_a_queue_lists_parents_and_only_the_running_by_default(batch):
    array, single = batch.submit(2, jobName="array"), batch.submit(jobName="single")
    assert names(batch.client.list_jobs(jobQueue="q")) == []
    batch.advance(3)
    assert names(batch.client.list_jobs(jobQueue="q")) == ["single"]
    (parent,) = batch.client.list_jobs(jobQueue="q", jobStatus="PENDING")["jobSummaryList"]
    assert parent["jobId"] == array
    assert parent["arrayProperties"]["statusSummary"]["RUNNING"] == 2
    assert parent["arrayProperties"]["statusSummaryLastUpdatedAt"]
    batch.advance(10)
    assert names(batch.client.list_jobs(jobQueue="q", jobStatus="SUCCEEDED")) == ["single", "array"]
    (child,) = batch.client.list_jobs(arrayJobId=array, jobStatus="SUCCEEDED", maxResults=1)["jobSummaryList"]
    assert child["container"] == {"exitCode": 0}
    assert batch.job(single)["status"] == "SUCCEEDED"


def test_an_array_lists_its_running_children_by_default(batch):
    batch.control.script(indexes="1", seconds=0, exit_code=1)
    job_id = batch.submit(3)
    assert batch.client.list_jobs(arrayJobId=job_id)["jobSummaryList"] == []
    batch.advance(4)
    listed = batch.client.list_jobs(arrayJobId=job_id)["jobSummaryList"]
    assert [item["arrayProperties"]["index"] for item in listed] == [0, 2]
    (failed,) = batch.client.list_jobs(arrayJobId=job_id, jobStatus="FAILED")["jobSummaryList"]
    assert failed["jobId"] == f"{job_id}:1"
    assert batch.client.list_jobs(arrayJobId="unknown")["jobSummaryList"] == []


def test_pages_of_children_hold_up_to_a_thousand(batch):
    job_id = batch.submit(2500)
    batch.advance(60)
    sizes, token = [], {}
    while True:
        page = batch.client.list_jobs(arrayJobId=job_id, jobStatus="SUCCEEDED", **token)
        sizes.append(len(page["jobSummaryList"]))
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert sizes == [1000, 1000, 500]
    assert batch.children(job_id, "SUCCEEDED") == list(range(2500))


def test_a_name_filter_ignores_case_and_state_and_puts_the_newest_first(batch):
    for name in ("Shop-1", "shop-2", "other", "shop"):
        batch.submit(jobName=name)
        batch.advance(1)
    assert names(by_name(batch, "SHOP*", jobStatus="FAILED")) == ["shop", "shop-2", "Shop-1"]
    assert names(by_name(batch, "shop")) == ["shop"]
    assert names(by_name(batch, "nothing*")) == []


def test_a_filtered_page_holds_up_to_a_hundred(batch):
    for number in range(105):
        batch.submit(jobName=f"n{number}")
    first = by_name(batch, "n*", maxResults=1000)
    assert len(first["jobSummaryList"]) == 100
    batch.submit(jobName="n-new")
    second = by_name(batch, "n*", nextToken=first["nextToken"])
    assert names(second) == ["n4", "n3", "n2", "n1", "n0"]
    assert "nextToken" not in second


def test_jobs_are_found_by_definition_and_by_time(batch):
    batch.define("d2")
    old = batch.submit(jobName="old")
    created = batch.job(old)["createdAt"]
    batch.advance(10)
    batch.submit(jobName="new", jobDefinition="d2")
    newer = batch.define("d2")

    def listed(name, value):
        return names(batch.client.list_jobs(jobQueue="q", filters=[{"name": name, "values": [value]}]))

    assert listed("JOB_DEFINITION", "d2") == ["new"]
    assert listed("JOB_DEFINITION", "d*") == ["new", "old"]
    assert listed("JOB_DEFINITION", "D2") == []
    assert listed("JOB_DEFINITION", newer) == []
    assert listed("JOB_DEFINITION", newer.replace(":2", ":1")) == ["new"]
    assert listed("AFTER_CREATED_AT", str(created)) == ["new"]
    assert listed("BEFORE_CREATED_AT", str(created + 1)) == ["old"]


@pytest.mark.parametrize("lag", ["list_lag_seconds", "describe_lag_seconds"])
def test_a_new_job_may_not_be_seen_for_a_while(batch, lag):
    batch.control.configure(**{lag: 30})
    job_id = batch.submit(jobName="young")

    def seen():
        if lag == "list_lag_seconds":
            return names(by_name(batch, "young")) != []
        return batch.client.describe_jobs(jobs=[job_id])["jobs"] != []

    assert not seen()
    batch.advance(29)
    assert not seen()
    batch.advance(1)
    assert seen()


def test_counts_may_lag_behind(batch):
    batch.control.configure(summary_lag_seconds=20)
    job_id = batch.submit(2)
    batch.advance(3)
    assert batch.counts(job_id) == {"RUNNING": 2}
    stamp = batch.job(job_id)["arrayProperties"]["statusSummaryLastUpdatedAt"]
    batch.advance(15)
    assert batch.status(job_id) == "SUCCEEDED"
    assert batch.counts(job_id) == {"RUNNING": 2}
    assert batch.job(job_id)["arrayProperties"]["statusSummaryLastUpdatedAt"] == stamp
    batch.advance(5)
    assert batch.counts(job_id) == {"SUCCEEDED": 2}


def test_definitions_count_their_revisions_and_stay_when_they_are_deregistered(batch):
    first = batch.define("counted", tags={"owner": "pierhead"})
    second = batch.define("counted")
    assert [arn.rpartition("/")[2] for arn in (first, second)] == ["counted:1", "counted:2"]
    batch.client.deregister_job_definition(jobDefinition=first)
    found = batch.client.describe_job_definitions(jobDefinitionName="counted")["jobDefinitions"]
    assert [(item["revision"], item["status"]) for item in found] == [(2, "ACTIVE"), (1, "INACTIVE")]
    active = batch.client.describe_job_definitions(jobDefinitionName="counted", status="ACTIVE")
    assert [item["revision"] for item in active["jobDefinitions"]] == [2]
    (exact,) = batch.client.describe_job_definitions(jobDefinitions=["counted:1"])["jobDefinitions"]
    assert exact["tags"] == {"owner": "pierhead"}
    assert exact["containerProperties"]["image"] == "busybox"
    for reference in ("counted", "none:1"):
        message = batch.refused(batch.client.deregister_job_definition, jobDefinition=reference)
        assert "not a name:revision" in message


def test_definitions_come_in_pages(batch):
    for number in range(3):
        batch.define(f"page-{number}")
    pages = batch.client.get_paginator("describe_job_definitions").paginate(
        status="ACTIVE", PaginationConfig={"PageSize": 2}
    )
    found = [[item["jobDefinitionName"] for item in page["jobDefinitions"]] for page in pages]
    assert found == [["d", "page-0"], ["page-1", "page-2"]]


def test_tags_of_jobs_definitions_and_queues_can_be_changed(batch):
    job_arn = batch.job(batch.submit(tags={"a": "1"}))["jobArn"]
    definition_arn = batch.define("tagged")
    queue_arn = batch.client.describe_job_queues(jobQueues=["q"])["jobQueues"][0]["jobQueueArn"]
    environment_arn = batch.client.describe_compute_environments()["computeEnvironments"][0][
        "computeEnvironmentArn"
    ]
    for arn in (job_arn, definition_arn, queue_arn, environment_arn):
        batch.client.tag_resource(resourceArn=arn, tags={"b": "2", "c": "3"})
        batch.client.untag_resource(resourceArn=arn, tagKeys=["a", "c"])
        assert batch.client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    too_many = {str(number): "x" for number in range(50)}
    assert "at most 50" in batch.refused(batch.client.tag_resource, resourceArn=job_arn, tags=too_many)
    unknown = queue_arn + "x"
    assert "does not exist" in batch.refused(batch.client.list_tags_for_resource, resourceArn=unknown)


def test_queues_and_environments_are_made_with_the_real_calls(batch):
    created = batch.client.create_compute_environment(
        computeEnvironmentName="ce", type="MANAGED", state="ENABLED"
    )
    order = [{"order": 1, "computeEnvironment": created["computeEnvironmentArn"]}]
    request = {"jobQueueName": "made", "priority": 5, "computeEnvironmentOrder": order}
    batch.client.create_job_queue(**request, tags={"a": "b"})
    (queue,) = batch.client.describe_job_queues(jobQueues=["made", "unknown"])["jobQueues"]
    assert (queue["state"], queue["status"], queue["priority"]) == ("ENABLED", "VALID", 5)
    (environment,) = batch.client.describe_compute_environments(computeEnvironments=["ce"])[
        "computeEnvironments"
    ]
    assert environment["status"] == "VALID"
    assert "already exists" in batch.refused(batch.client.create_job_queue, **request)
    request |= {"jobQueueName": "more", "computeEnvironmentOrder": order * 4}
    assert "at most 3" in batch.refused(batch.client.create_job_queue, **request)
    assert batch.submit(jobQueue=queue["jobQueueArn"])


def test_regions_know_nothing_of_each_other(batch):
    batch.control.create_queue("elsewhere", region="us-east-2")
    assert "does not exist" in batch.refused(batch.client.list_jobs, jobQueue="elsewhere")
