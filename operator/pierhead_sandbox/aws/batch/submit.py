"""SubmitJob, CancelJob(s) and TerminateJob(s).

Invariant: a submission that any rule refuses leaves nothing behind.
"""

from typing import Any
from uuid import uuid4

from pierhead_sandbox.aws.batch import tagging, validation
from pierhead_sandbox.aws.batch.children import Children
from pierhead_sandbox.aws.batch.errors import ClientError
from pierhead_sandbox.aws.batch.region import Job, Region
from pierhead_sandbox.aws.batch.world import World

Json = dict[str, Any]

_BULK = 50


def submit_job(world: World, region: Region, request: Json, length: int) -> Json:
    """SubmitJob; `length` is the request's size in bytes."""
    validation.size(length, validation.SUBMIT_BYTES)
    job_name = validation.name(request.get("jobName"), "jobName")
    queue = validation.queue_for_submit(region, request.get("jobQueue"))
    definition = validation.definition_for_submit(region, request.get("jobDefinition"))
    size = validation.array_size(request)
    validation.dependencies(region, request, size)
    validation.retry(request.get("retryStrategy"))
    validation.timeout(request.get("timeout"))
    validation.parameters(request.get("parameters"))
    validation.share(request, queue)
    validation.overrides(request, definition)
    tags = tagging.check(request.get("tags"))
    job_id = str(uuid4())
    now = world.now()
    job = Job(
        number=world.next_number(),
        id=job_id,
        arn=region.arn(f"job/{job_id}"),
        name=job_name,
        queue=queue,
        definition=definition,
        request=request,
        created_at=now,
        array_size=size,
        children=Children(size or 1, now),
        tags=tags,
        region=region,
    )
    world.admit(job)
    return {"jobArn": job.arn, "jobName": job.name, "jobId": job.id}


def stop_job(world: World, region: Region, request: Json, *, terminate: bool) -> Json:
    """CancelJob or TerminateJob. A job nobody knows is no error, as in the bulk calls."""
    if not request.get("jobId"):
        raise ClientError("jobId: required")
    _stop(world, region, str(request["jobId"]), validation.reason(request.get("reason")), terminate=terminate)
    return {}


def stop_jobs(world: World, region: Region, request: Json, *, terminate: bool) -> Json:
    """CancelJobs or TerminateJobs: each id on its own."""
    jobs = request.get("jobs") or []
    if not 1 <= len(jobs) <= _BULK:
        raise ClientError(f"jobs: 1 to {_BULK} job ids are allowed")
    reason = validation.reason(request.get("reason"))
    for job_id in jobs:
        _stop(world, region, str(job_id), reason, terminate=terminate)
    return {"successful": list(jobs), "errors": []}


def _stop(world: World, region: Region, job_id: str, reason: str, *, terminate: bool) -> None:
    found = region.find(job_id)
    if found is not None:
        job, index = found
        world.stop_job(job, index, reason, terminate=terminate)
