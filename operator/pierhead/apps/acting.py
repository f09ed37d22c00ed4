"""From a decision to what is done, and to what an error of it means.

Invariant: an error that ends what was begun is written into the history, any other is raised; in neither is a
value that the API server may have quoted.
"""

from collections.abc import Awaitable, Callable

from pierhead.apps.inputs.reader import Inputs
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.operations import Operations
from pierhead.apps.situation import Action, Decision, Observation
from pierhead.apps.subject import Subject
from pierhead.engine.outcome import ReconcileError
from pierhead.kube.errors import (
    QuotaExceeded,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnknownKind,
    Unreachable,
)

_PASSES = frozenset(
    error.default_reason for error in (QuotaExceeded, ServerError, TooManyRequests, Unauthorized, Unreachable)
)
"""Reasons of errors that say nothing of what was to be applied."""


class Actor:
    """Does what was decided."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def act(
        self,
        subject: Subject,
        spec: AppReleaseSpec,
        inputs: Inputs | None,
        decision: Decision,
        seen: Observation,
    ) -> None:
        """Does it. Raises ReconcileError where that does not end what was begun."""
        operations = self._operations

        async def new(begin: Callable[[Subject, AppReleaseSpec, Inputs], Awaitable[None]]) -> None:
            if inputs is not None:
                await begin(subject, spec, inputs)

        actions: dict[Action, Callable[[], Awaitable[None]]] = {
            Action.PLAN: lambda: new(operations.plan),
            Action.INSTALL: lambda: new(operations.release),
            Action.UPGRADE: lambda: new(operations.release),
            Action.APPLY: lambda: operations.apply(subject, spec, inputs),
            Action.HOOKS: lambda: operations.run_hooks(subject, spec, inputs, decision.event, seen.tests),
            Action.FINISH: lambda: operations.finish(subject, on_trial=bool(seen.bake)),
            Action.BAKED: lambda: operations.baked(subject),
            Action.FAIL: lambda: operations.fail(subject, decision.message),
            Action.ABANDON: lambda: operations.abandon(subject, decision.message),
            Action.ROLL_BACK: lambda: operations.roll_back(
                subject, decision.target or 0, order=decision.order, instead_of=seen.desired
            ),
            Action.REMOVE: lambda: operations.remove(subject),
            Action.VERIFY: lambda: operations.compare(subject),
            Action.CORRECT: lambda: operations.correct(subject),
        }
        try:
            await actions[decision.action]()
        except ReconcileError as error:
            error.message = await _told(error.message, subject, inputs)
            if isinstance(error, UnknownKind) and _lost_kinds(subject, decision):
                # The CRDs of a chart's own folder are not in its manifest: only another render has them.
                await operations.abandon(subject, f"begun anew, because a crash left {error}")
                return
            if decision.order and error.terminal and not subject.half_applied:
                # An order that the cluster refuses hinders nothing: the condition tells of it.
                subject.memory.refused_order = (decision.order, str(error))
                return
            # Before the pending revision exists nothing was written, and the error is the whole story.
            if not error.terminal or not subject.half_applied:
                if error.reason in _PASSES and subject.half_applied:
                    subject.memory.hindered = subject.latest.revision.revision
                raise
            await operations.fail(subject, str(error))


async def _told(message: str, subject: Subject, inputs: Inputs | None) -> str:
    """An error's message without the values that it may quote."""
    if inputs is not None:
        return await inputs.told(message)
    if subject.sensitive:
        return "what the API server said is not shown: it may quote values that cannot be read"
    return message


def _lost_kinds(subject: Subject, decision: Decision) -> bool:
    """Whether the kinds that an apply lacks may be those of CRDs that this process has not applied."""
    applying = decision.action is Action.APPLY and subject.brings_new
    return applying and subject.memory.crds != subject.latest.revision.revision
