"""dependsOn: whole jobs, child by child, one after the other."""

import pytest


def test_a_job_waits_for_the_whole_array_before_it(batch):
    upstream = batch.submit(2)
    downstream = batch.submit(dependsOn=[{"jobId": upstream}])
    batch.advance(12)
    assert batch.status(downstream) == "PENDING"
    batch.advance(1)
    assert batch.status(upstream) == "SUCCEEDED"
    assert batch.status(downstream) == "STARTING"


@pytest.mark.parametrize("size", [None, 3])
def test_what_waits_for_a_failed_job_fails_without_running(batch, size):
    batch.control.script(job_name="bad", exit_code=1)
    upstream = batch.submit(jobName="bad")
    downstream = batch.submit(size, dependsOn=[{"jobId": upstream}])
    third = batch.submit(dependsOn=[{"jobId": downstream}])
    batch.advance(13)
    assert batch.status(downstream) == batch.status(third) == "FAILED"
    assert batch.job(third)["statusReason"] == "Dependent Job failed"
    assert batch.job(third)["attempts"] == []
    late = batch.submit(dependsOn=[{"jobId": upstream}])
    batch.advance(1)
    assert batch.job(late)["statusReason"] == "Dependent Job failed"


def test_a_job_that_ended_well_holds_nobody_back(batch):
    upstream = batch.submit()
    batch.advance(13)
    downstream = batch.submit(dependsOn=[{"jobId": upstream}])
    batch.advance(1)
    assert batch.status(downstream) == "STARTING"


def test_child_by_child_each_waits_for_its_counterparts(batch):
    batch.control.script(job_name="first", indexes="0", seconds=1)
    batch.control.script(job_name="second", indexes="2", exit_code=1, seconds=1)
    first, second = batch.submit(3, jobName="first"), batch.submit(3, jobName="second")
    pairs = [{"jobId": first, "type": "N_TO_N"}, {"jobId": second, "type": "N_TO_N"}]
    joined = batch.submit(3, dependsOn=pairs)
    batch.advance(5)
    assert batch.counts(joined) == {"PENDING": 2, "FAILED": 1}
    assert batch.children(joined, "FAILED") == [2]
    batch.advance(20)
    assert batch.counts(joined) == {"SUCCEEDED": 2, "FAILED": 1}
    assert batch.status(joined) == "FAILED"


def test_counterparts_that_ended_before_the_children_existed_count(batch):
    batch.control.script(job_name="first", indexes="1", exit_code=1)
    first = batch.submit(2, jobName="first")
    batch.advance(60)
    joined = batch.submit(2, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    batch.advance(1)
    assert batch.counts(joined) == {"STARTING": 1, "FAILED": 1}


def test_sequential_children_run_one_at_a_time_and_stop_at_the_first_failure(batch):
    batch.control.script(indexes="2", exit_code=1)
    job_id = batch.submit(5, dependsOn=[{"type": "SEQUENTIAL"}])
    batch.advance(1)
    assert batch.counts(job_id) == {"STARTING": 1, "PENDING": 4}
    batch.advance(24)
    assert batch.counts(job_id) == {"SUCCEEDED": 2, "STARTING": 1, "PENDING": 2}
    batch.advance(12)
    assert batch.counts(job_id) == {"SUCCEEDED": 2, "FAILED": 3}
    assert batch.job(f"{job_id}:4")["statusReason"] == "Dependent Job failed"


def test_sequential_combines_with_a_job(batch):
    upstream = batch.submit()
    job_id = batch.submit(2, dependsOn=[{"type": "SEQUENTIAL"}, {"jobId": upstream}])
    batch.advance(2)
    assert batch.counts(job_id) == {"PENDING": 2}
    batch.advance(11)
    assert batch.counts(job_id) == {"STARTING": 1, "PENDING": 1}
    batch.advance(24)
    assert batch.status(job_id) == "SUCCEEDED"


def test_ten_thousand_sequential_children_fail_together(batch):
    batch.control.script(indexes="0", exit_code=1)
    job_id = batch.submit(10_000, dependsOn=[{"type": "SEQUENTIAL"}])
    batch.advance(13)
    assert batch.counts(job_id) == {"FAILED": 10_000}


def test_a_dependency_may_be_in_another_queue(batch):
    batch.control.create_queue("other", region="eu-west-1")
    upstream = batch.submit(jobQueue="other")
    downstream = batch.submit(dependsOn=[{"jobId": upstream}])
    batch.advance(13)
    assert batch.status(downstream) == "STARTING"
