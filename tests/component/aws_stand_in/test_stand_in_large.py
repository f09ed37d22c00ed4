"""An array of ten thousand: what it costs is printed, what it must be is asserted."""

import sys
import time

from pierhead_sandbox.aws.batch.children import Children


def test_ten_thousand_children_run_and_are_told_apart(batch, capsys):
    batch.control.configure(queue_concurrency=10_000)
    batch.control.script(indexes="17,4000-4009", exit_code=2, attempts="1-2")
    batch.control.script(indexes="9999", exit_code=1)
    figures = {}

    def timed(name, call):
        began = time.perf_counter()
        result = call()
        figures[name] = time.perf_counter() - began
        return result

    job_id = timed("submit", lambda: batch.submit(10_000, retryStrategy={"attempts": 2}))
    timed("life", lambda: batch.advance(60))
    parent = timed("describe", lambda: batch.job(job_id))
    succeeded = timed("list 10 pages", lambda: batch.children(job_id, "SUCCEEDED"))
    failed = batch.children(job_id, "FAILED")
    timed(
        "describe 100 children",
        lambda: batch.client.describe_jobs(jobs=[f"{job_id}:{index}" for index in range(100)]),
    )
    assert parent["status"] == "FAILED"
    assert failed == [17, *range(4000, 4010), 9999]
    assert sorted(succeeded + failed) == list(range(10_000))
    assert batch.job(f"{job_id}:17")["attempts"][1]["container"]["exitCode"] == 2
    with capsys.disabled():
        lines = (f"{name}: {seconds * 1000:.0f} ms" for name, seconds in figures.items())
        print("", *lines, sep="\n  ")  # noqa: T201 (for whoever watches)


def test_a_child_costs_no_object():
    children = Children(10_000, 0.0)
    held = [getattr(children, name) for name in vars(children)]
    arrays = sum(sys.getsizeof(value) for value in held if not isinstance(value, (int, float)))
    assert arrays < 40 * children.size
    assert not children._past


def test_terminating_ten_thousand_ends_them_all(batch):
    job_id = batch.submit(10_000)
    batch.advance(5)
    batch.client.terminate_job(jobId=job_id, reason="enough")
    batch.advance(10)
    assert batch.counts(job_id) == {"FAILED": 10_000}
    assert batch.status(job_id) == "FAILED"
