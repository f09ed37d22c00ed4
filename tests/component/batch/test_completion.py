"""What is asked for runs, once, and is reported as an Indexed Job would be."""


from support.batch_lab import Lab, variables


async def test_one_index_is_a_plain_job_that_completes(lab: Lab):
    operator = lab.operator()
    name = await lab.job()
    obj = await lab.has(name, "Complete")
    status = obj["status"]
    assert (status["succeeded"], status["failed"], status["active"], status["waiting"]) == (1, 0, 0, 0)
    assert status["completedIndexes"] == "0"
    assert status["progress"] == "1/1"
    assert status["completionTime"] >= status["startTime"]
    (submission,) = lab.submissions()
    assert submission.array_size is None
    (job,) = lab.described(submission.job_id)
    assert "AWS_BATCH_JOB_ARRAY_INDEX" not in variables(job)
    assert variables(job)["PIERHEAD_INDEX_OFFSET"] == "0"
    assert job["tags"]["pierhead.dev/uid"] == obj["metadata"]["uid"]
    assert operator.life.writes.count("PATCH batchjobs") == 1
