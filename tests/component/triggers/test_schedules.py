"""Schedules start BatchJobs by CronJob's rules, whatever the operator lives through."""

from datetime import UTC, datetime, timedelta

from pierhead.kube.resources import EVENT_TRIGGERS
from support.trigger_lab import TriggerLab


class Clock:
    """The real time, set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def test_a_time_starts_one_job_named_by_it(lab: TriggerLab):
    clock = Clock()
    clock.ahead = timedelta(hours=2)
    place = {"path": "/spec/outputUri", "expression": "'s3://a/' + event.scheduledTime"}
    await lab.trigger(schedule="0 * * * *", assign=[place])
    first = lab.operator(clock=clock)
    (job,) = await lab.started(1)
    hour = clock().replace(minute=0, second=0, microsecond=0)
    text = hour.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert job["metadata"]["name"] == f"thumbs-{int(hour.timestamp()) // 60}"
    assert job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] == text
    assert job["spec"]["outputUri"] == f"s3://a/{text}"
    await lab.until(lambda: lab.status().get("lastScheduleTime") == text)
    await first.stop()
    lab.operator(clock=clock)
    await lab.has("Ready", reason="Scheduled")
    assert len(lab.jobs()) == 1


async def test_one_that_died_before_its_status_starts_nothing_twice(lab: TriggerLab):
    clock = Clock()
    clock.ahead = timedelta(hours=2)
    await lab.trigger(schedule="0 * * * *")
    first = lab.operator(clock=clock)
    await lab.started(1)
    await lab.until(lambda: lab.status().get("lastScheduleTime"))
    await first.stop()
    await lab.kube.merge_patch(
        EVENT_TRIGGERS, "thumbs", lab.namespace, {"status": {"lastScheduleTime": None}}, subresource="status"
    )
    lab.operator(clock=clock)
    await lab.until(lambda: lab.status().get("lastScheduleTime"))
    assert len(lab.jobs()) == 1


async def test_forbid_waits_for_the_one_before_and_replace_ends_it(lab: TriggerLab):
    clock = Clock()
    clock.ahead = timedelta(minutes=30)
    await lab.trigger(schedule="* * * * *", concurrencyPolicy="Forbid")
    first = lab.operator(clock=clock)
    (job,) = await lab.started(1)
    await first.stop()
    clock.ahead += timedelta(minutes=5)
    second = lab.operator(clock=clock)
    condition = await lab.has("ScheduleMissed")
    assert "because what was started before runs" in condition["message"]
    assert len(lab.jobs()) == 1
    await lab.end(job["metadata"]["name"])
    await lab.started(2)
    await second.stop()
    clock.ahead += timedelta(minutes=5)
    await lab.trigger(schedule="* * * * *", concurrencyPolicy="Replace")
    lab.operator(clock=clock)
    running = lab.jobs()[-1]["metadata"]["uid"]
    await lab.until(lambda: running not in {one["metadata"]["uid"] for one in lab.jobs()})


async def test_history_is_kept_within_its_limits(lab: TriggerLab):
    clock = Clock()
    clock.ahead = timedelta(hours=2)
    await lab.trigger(schedule="* * * * *", successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0)
    for number in range(3):
        operator = lab.operator(clock=clock)
        known = {job["metadata"]["uid"] for job in lab.jobs()}
        fresh = await lab.until(
            lambda known=known: [job for job in lab.jobs() if job["metadata"]["uid"] not in known]
        )
        await lab.end(fresh[0]["metadata"]["name"], succeeded=number != 1)
        await lab.until(lambda: lab.status().get("activeCount") == 0)
        await operator.stop()
        clock.ahead += timedelta(minutes=2)
    lab.operator(clock=clock)
    await lab.until(lambda: len(lab.jobs()) == 2 and lab.status().get("activeCount") == 1)


async def test_a_schedule_that_is_over_its_deadline_starts_nothing(lab: TriggerLab):
    clock = Clock()
    await lab.trigger(schedule="0 0 1 1 *", startingDeadlineSeconds=10)
    clock.ahead = timedelta(days=400)
    lab.operator(clock=clock)
    await lab.has("Ready", reason="Scheduled")
    assert lab.jobs() == []
