"""Uploads and events start BatchJobs: each once, and a message goes only after its BatchJob is there."""

from pierhead.kube.resources import BATCH_JOBS
from support.trigger_lab import TriggerLab


async def test_an_upload_starts_a_job_made_of_it(lab: TriggerLab):
    lab.buckets_notify()
    await lab.trigger(
        s3={"bucket": lab.bucket, "prefix": "in/", "suffix": ".csv", "countLines": True},
        name="event.key",
        assign=[
            {"path": "/spec/completions", "expression": "lines"},
            {"path": "/spec/outputUri", "expression": "'s3://' + event.bucket + '/out'"},
        ],
    )
    lab.operator()
    lab.upload("in/Grüße aus Köln.csv", b"one\ntwo\nthree")
    (job,) = await lab.started(1)
    assert job["spec"]["completions"] == 3
    assert job["spec"]["outputUri"] == f"s3://{lab.bucket}/out"
    assert job["metadata"]["name"].startswith("in-gr-e-aus-k-ln-csv-")
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("EventTrigger", "thumbs")
    await lab.left(0)
    await lab.until(lambda: lab.status().get("activeCount") == 1)
    assert lab.status()["active"] == [job["metadata"]["name"]]
    assert lab.status()["lastEventTime"]


async def test_what_is_not_asked_for_is_deleted_from_the_queue(lab: TriggerLab):
    lab.buckets_notify()
    await lab.trigger(s3={"bucket": lab.bucket, "prefix": "in/"}, filter="event.size > 3")
    lab.operator()
    lab.upload("out/a")
    lab.upload("in/small", b"ab")
    lab.send({"Service": "Amazon S3", "Event": "s3:TestEvent"})
    lab.upload("in/large", b"abcd")
    (job,) = await lab.started(1)
    await lab.left(0)
    assert [one["metadata"]["name"] for one in lab.jobs()] == [job["metadata"]["name"]]


async def test_an_event_that_comes_again_starts_nothing_again(lab: TriggerLab):
    await lab.trigger(eventPattern={"source": ["team.app"], "detail": {"total": [{"numeric": [">", 10]}]}})
    first = lab.operator()
    event, other = lab.event(total=11), lab.event(total=12)
    lab.send(event)
    lab.send(event)
    lab.send(lab.event(total=9))
    await lab.started(1)
    await lab.left(0)
    await first.stop()
    lab.operator()
    lab.send(event)
    lab.send(other)
    await lab.started(2)
    await lab.left(0)
    assert len(lab.jobs()) == 2


async def test_events_that_came_while_nobody_listened_are_not_lost(lab: TriggerLab):
    lab.send(lab.event(order=1))
    await lab.trigger(eventPattern={"source": ["team.app"]})
    lab.operator()
    await lab.started(1)


async def test_events_of_one_key_start_one_job(lab: TriggerLab):
    await lab.trigger(eventPattern={"source": ["team.app"]}, deduplication={"key": "event.detail.order"})
    lab.operator()
    for total in (1, 2, 3):
        lab.send(lab.event(order="A", total=total))
    lab.send(lab.event(order="B"))
    await lab.started(2)
    await lab.left(0)
    assert len(lab.jobs()) == 2


async def test_forbid_lets_events_wait_in_the_queue(lab: TriggerLab):
    await lab.trigger(eventPattern={"source": ["team.app"]}, concurrencyPolicy="Forbid")
    lab.operator()
    lab.send(lab.event(order=1))
    (first,) = await lab.started(1)
    lab.send(lab.event(order=2))
    lab.send({"source": "team.app", "detail": {}, "detail-type": "last"})
    await lab.until(lambda: lab.status().get("activeCount") == 1)
    await lab.left(2)
    assert len(lab.jobs()) == 1
    await lab.end(first["metadata"]["name"])
    await lab.started(2)


async def test_replace_deletes_what_runs(lab: TriggerLab):
    await lab.trigger(eventPattern={"source": ["team.app"]}, concurrencyPolicy="Replace")
    lab.operator()
    lab.send(lab.event(order=1))
    (first,) = await lab.started(1)
    lab.send(lab.event(order=2))
    uid = first["metadata"]["uid"]
    await lab.until(lambda: lab.jobs() and uid not in {job["metadata"]["uid"] for job in lab.jobs()})


async def test_an_event_that_fits_no_job_replaces_none(lab: TriggerLab):
    place = {"path": "/spec/completions", "expression": "event.detail.count"}
    await lab.trigger(eventPattern={"source": ["team.app"]}, concurrencyPolicy="Replace", assign=[place])
    lab.operator()
    lab.send(lab.event(count=1))
    (first,) = await lab.started(1)
    lab.send(lab.event(count=-1))
    await lab.has("EventRefused", reason="Rejected")
    assert [job["metadata"]["uid"] for job in lab.jobs()] == [first["metadata"]["uid"]]


async def test_two_triggers_share_a_queue(lab: TriggerLab):
    """Also the one that is there only a while after the queue was opened."""
    await lab.trigger("one", eventPattern={"detail-type": ["Order Placed"]})
    lab.operator(grace_seconds=30)
    lab.send(lab.event(order=1))
    await lab.started(1)
    await lab.trigger("two", eventPattern={"source": ["team.app"]})
    found = await lab.started(2)
    assert {job["metadata"]["name"].rpartition("-")[0] for job in found} == {"one", "two"}


async def test_what_is_no_json_goes_to_the_dead_letter_queue(lab: TriggerLab):
    lab.dead_letters(receives=1)
    await lab.trigger(eventPattern={"source": ["team.app"]})
    lab.operator()
    lab.send("{no json")
    lab.send(lab.event(order=1))
    await lab.started(1)
    await lab.left(1)


async def test_an_event_that_fits_no_job_is_told_and_left(lab: TriggerLab):
    await lab.trigger(
        eventPattern={"source": ["team.app"]},
        assign=[{"path": "/spec/completions", "expression": "event.detail.count"}],
    )
    lab.operator()
    lab.send(lab.event(order=1))
    condition = await lab.has("EventRefused", reason="InvalidExpression")
    assert condition["message"].startswith("spec.assign[0].expression: there is no 'count'")
    lab.send(lab.event(count=-5))
    condition = await lab.has("EventRefused", reason="Rejected")
    assert "spec.completions" in condition["message"]
    assert lab.jobs() == []
    lab.send(lab.event(count=5))
    (job,) = await lab.started(1)
    assert job["spec"]["completions"] == 5
    await lab.until(lambda: "lastRefused" not in lab.status())
    await lab.left(2)


async def test_a_suspended_one_leaves_events_where_they_are(lab: TriggerLab):
    await lab.trigger(eventPattern={"source": ["team.app"]}, suspend=True)
    await lab.trigger("other", eventPattern={"source": ["team.app"], "detail": {"order": [2]}})
    lab.operator()
    await lab.has("Ready", reason="Suspended")
    lab.send(lab.event(order=1))
    lab.send(lab.event(order=2))
    (job,) = await lab.started(1)
    assert job["metadata"]["name"].startswith("other-")
    await lab.left(2)
    await lab.trigger(eventPattern={"source": ["team.app"]}, suspend=False)
    await lab.started(3)
    await lab.left(0)


async def test_the_end_of_a_job_is_told_once(lab: TriggerLab):
    bus, told = lab.bus_that_tells()
    await lab.trigger(eventPattern={"source": ["team.app"]}, onCompletion={"eventBus": bus})
    first = lab.operator()
    lab.send(lab.event(order=1))
    (job,) = await lab.started(1)
    name = job["metadata"]["name"]
    await lab.end(name, succeeded=False)
    await lab.until(lambda: "pierhead.dev/announced" in lab.jobs()[0]["metadata"]["annotations"])
    await first.stop()
    lab.operator()
    await lab.has("Ready")
    (event,) = await lab.told(told, 1)
    assert event["detail-type"] == "BatchJob Failed"
    assert (event["detail"]["name"], event["detail"]["succeeded"]) == (name, False)
    assert (event["detail"]["eventTrigger"], event["detail"]["counts"]) == ("thumbs", {"size": 1})
    assert lab.waiting(told) == 1


async def test_an_end_is_told_though_the_job_is_deleted_and_the_bus_comes_later(lab: TriggerLab):
    name = f"{lab.namespace}-bus"
    await lab.trigger(eventPattern={"source": ["team.app"]}, onCompletion={"eventBus": name})
    lab.operator()
    lab.send(lab.event(order=1))
    (job,) = await lab.started(1)
    await lab.until(lambda: lab.status().get("activeCount") == 1)
    await lab.end(job["metadata"]["name"])
    condition = await lab.has("Stalled")
    assert condition["message"].startswith("spec.onCompletion: ")
    assert lab.status()["activeCount"] == 0
    await lab.kube.delete(BATCH_JOBS, job["metadata"]["name"], lab.namespace)
    await lab.until(lambda: not lab.jobs())
    lab.send(lab.event(order=2))
    await lab.started(1)
    _, told = lab.bus_that_tells()
    await lab.poke("thumbs")
    (event,) = await lab.told(told, 1)
    assert (event["detail-type"], event["detail"]["uid"]) == ("BatchJob Complete", job["metadata"]["uid"])
    await lab.has("Ready")


async def test_a_queue_that_is_not_there_is_told_with_its_field(lab: TriggerLab):
    await lab.trigger(eventPattern={"source": ["team.app"]}, queue=f"{lab.namespace}-nowhere")
    lab.operator()
    condition = await lab.has("Stalled")
    assert condition["message"].startswith("spec.queue: there is no SQS queue")


async def test_what_the_namespace_may_not_use_is_refused_before_any_call(lab: TriggerLab):
    await lab.trigger("queue", eventPattern={"source": ["a"]}, queue="others-uploads")
    await lab.trigger("bucket", s3={"bucket": "others-pictures"})
    await lab.trigger("bus", schedule="@daily", onCompletion={"eventBus": "others"})
    await lab.trigger(
        "topic", schedule="@daily", onCompletion={"topic": "arn:aws:sns:us-east-1:123456789012:others"}
    )
    before = sum(lab.aws.count(service) for service in ("sqs", "s3", "events", "sns"))
    lab.operator()
    for name, field in (
        ("queue", "spec.queue"),
        ("bucket", "spec.s3.bucket"),
        ("bus", "spec.onCompletion.eventBus"),
        ("topic", "spec.onCompletion.topic"),
    ):
        condition = await lab.has("Stalled", name=name, reason="PolicyDenied")
        assert condition["message"].startswith(f"{field}: namespace")
    assert sum(lab.aws.count(service) for service in ("sqs", "s3", "events", "sns")) == before
