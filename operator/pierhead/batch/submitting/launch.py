"""The steps that put jobs into Batch, and that find those whose answer was lost.

Invariant: the finalizer is durable before the first intent, and an intent before its submission; what an
answer said is remembered until the status has it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from pierhead.aws.errors import AwsError, BadRequest
from pierhead.batch.actions import Submit
from pierhead.batch.identity import annotated
from pierhead.batch.memory import Refusal
from pierhead.batch.model.status import ROLE_LIMIT, Shard
from pierhead.batch.situation import Situation
from pierhead.batch.state import key_of
from pierhead.batch.submitting.definition import CLUSTER_TAG, NAME_TAG, NAMESPACE_TAG, UID_TAG
from pierhead.batch.submitting.requests import job_request
from pierhead.batch.submitting.submission import adopted, look_up, submit, terminate
from pierhead.engine.outcome import ReconcileError, Throttled
from pierhead.model import FINALIZER

TERMINAL_SECONDS = 300.0
"""How long a submission is not repeated after a refusal that only a change can cure."""

_log = structlog.get_logger(__name__)


async def launch(situation: Situation, action: Submit) -> None:
    """Prepares, records the intent, submits, and takes note of the answers."""
    memory, resource = situation.memory, situation.resource
    try:
        await _prepare(situation)
        before = {key_of(shard): shard for shard in situation.state.open}
        intending = situation.state.intending(action.parts, action.again, situation.now)
        to_send = [shard for shard in intending.open if before.get(key_of(shard)) != shard]
        requests = [(shard, _request(situation, shard)) for shard in to_send]
    except ReconcileError as error:
        _remember_refusal(situation, error)
        raise
    await resource.add_finalizer(FINALIZER)
    situation.state = intending
    for shard in to_send:
        # What was known of an earlier submission says nothing about this one.
        memory.answers.pop(key_of(shard), None)
        memory.looked_up.pop(key_of(shard), None)
    await situation.write()
    answers = await submit(situation.client, requests, situation.shared.clock)
    memory.refusal = None
    memory.answers |= {key_of(answer.shard): answer.shard for answer in answers}
    situation.state = situation.state.with_open(answer.shard for answer in answers)
    accepted = [answer.shard for answer in answers if answer.shard.state == "Submitted"]
    situation.shared.follower.submitted(
        resource.key,
        situation.access,
        {shard.job_id: situation.followed(shard) for shard in accepted if shard.job_id},
    )
    errors = [answer.error for answer in answers if answer.error is not None]
    if errors:
        worst = min(errors, key=lambda error: not error.terminal)
        if isinstance(worst, BadRequest):
            worst.field = worst.field or _field_at_fault(situation, worst)
            situation.shared.preparation.doubt(
                situation.access, situation.spec.queue, situation.state.job_definition
            )
        _remember_refusal(situation, worst)
        raise worst


async def _prepare(situation: Situation) -> None:
    definition = await situation.shared.preparation.prepare(
        situation.spec,
        situation.resource.key.namespace,
        situation.access,
        pinned=situation.state.job_definition,
    )
    role = (situation.access.identity.role_arn or "")[:ROLE_LIMIT] if annotated(situation.spec) else None
    situation.state = replace(situation.state, job_definition=definition, role=role)


def _request(situation: Situation, shard: Shard) -> Mapping[str, Any]:
    return job_request(
        situation.spec,
        name=situation.job_name(shard),
        definition=situation.state.job_definition or "",
        indexes=situation.indexes_of(shard),
        tags=_tags(situation),
        form=situation.shared.preparation.form(situation.access, situation.state.job_definition),
    )


def _tags(situation: Situation) -> dict[str, str]:
    """Whose a job is: by these `pierhead batch orphans` finds jobs that outlived their BatchJob."""
    key, cluster = situation.resource.key, situation.shared.settings.cluster_name
    tags = {NAMESPACE_TAG: key.namespace, NAME_TAG: key.name, UID_TAG: situation.resource.uid}
    return {**tags, CLUSTER_TAG: cluster} if cluster else tags


def _remember_refusal(situation: Situation, error: ReconcileError) -> None:
    """Holds further submissions back, where sending them again at once cannot help."""
    if isinstance(error, Throttled):
        seconds = error.after
    elif error.terminal:
        seconds = TERMINAL_SECONDS
    else:
        return
    until = situation.now + timedelta(seconds=seconds)
    situation.memory.refusal = Refusal(error, until, situation.wish)


def _field_at_fault(situation: Situation, error: AwsError) -> str:
    """SubmitJob names no field; its message does."""
    text = error.message.lower()
    if "queue" in text:
        return "spec.queue"
    if "definition" in text:
        return "spec.template" if situation.spec.template else "spec.jobDefinition"
    return "spec"


async def find(situation: Situation, shards: tuple[Shard, ...]) -> None:
    """Looks jobs up by name, adopts what is found, and stops the twins of a job."""
    now, memory = situation.now, situation.memory
    found = await look_up(situation.client, situation.spec.queue, situation.names, shards)
    for shard, jobs in found:
        memory.looked_up[key_of(shard)] = now
        known, twins = adopted(shard, jobs, situation.now)
        if known is not shard:
            memory.answers[key_of(shard)] = known
            situation.state = situation.state.with_open([known])
            _log.info("adopted a job by its name", job=situation.job_name(shard), id=known.job_id)
        if twins:
            _log.warning("a job was submitted twice", job=situation.job_name(shard), terminated=twins)
            await terminate(situation.client, twins, "submitted twice")
    situation.follow()
