"""Carries a decision out.

Invariant: first the Secret, then the workloads that use it; each step may be repeated, so a crash between
any two of them leads to the same end. What has to be restarted follows from the marker in the status, until
the status has it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog

from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Resource
from pierhead.secrets import report
from pierhead.secrets.decide import Decision, Live
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.reading.sources import Source
from pierhead.secrets.restarts.plan import renewed
from pierhead.secrets.writing.form import Form
from pierhead.secrets.writing.target import Targets
from pierhead.secrets.writing.types import fault_of

_log = structlog.get_logger(__name__)


class Actor:
    """Writes Secrets and says which workloads have to be restarted for it."""

    def __init__(self, targets: Targets, *, now: Callable[[], datetime]) -> None:
        self._targets = targets
        self._now = now

    async def carry_out(
        self,
        resource: Resource,
        spec: SyncedSecretSpec,
        stored: SyncedSecretStatus,
        sources: Sequence[Source],
        decision: Decision,
        live: Live | None,
    ) -> SyncedSecretStatus:
        """Makes a decision to write or keep true; returns the status that is true then.

        Raises Invalid or Denied when the API server takes no such Secret, and what passes.
        """
        name, key_count = target_name(resource, spec), stored.key_count or 0
        if live is None or decision.action == "Write":
            live, key_count = await self._write(resource, spec, stored, decision, live)
        restarts = stored.restarts
        if decision.restart:
            restarts = renewed(stored.restarts, spec.restart or (), now=self._now())
        # Not by the status alone: it may have been lost between the write of a Secret and its report.
        former = {stored.target.name} if stored.target is not None else set()
        for other in sorted({*former, *self._targets.others(resource, name)} - {name}):
            await self._remove_former(resource, other)
        return report.written(
            stored,
            sources,
            decision,
            target=report.target_of(name, Form.of(spec), live),
            key_count=key_count,
            restarts=restarts,
        )

    async def delete(self, resource: Resource, spec: SyncedSecretSpec, live: Live) -> None:
        """Deletes the Secret because its sources are gone."""
        await self._targets.delete(resource, target_name(resource, spec), live)
        _log.info("secret deleted with its sources", object=str(resource.key))

    async def _write(
        self,
        resource: Resource,
        spec: SyncedSecretSpec,
        stored: SyncedSecretStatus,
        decision: Decision,
        live: Live | None,
    ) -> tuple[Live, int]:
        """The Secret after the write, and its number of keys."""
        name, form, data = target_name(resource, spec), Form.of(spec), dict(decision.data)
        if decision.retained or decision.retained_rest:
            present = await self._present(resource, stored, name, live)
            for key in present.keys() - data.keys():
                if decision.retained_rest or key in decision.retained:
                    data[key] = present[key]
        fault = fault_of(form.type, data)
        if fault is not None:
            raise Invalid(fault.message, reason=fault.reason)
        written = await self._targets.write(
            resource, name, form=form, data=data, marker=decision.marker or "", live=live
        )
        _log.info("secret written", object=str(resource.key), keys=len(data), versions=decision.marker)
        return written, len(data)

    async def _present(
        self, resource: Resource, stored: SyncedSecretStatus, name: str, live: Live | None
    ) -> Mapping[str, bytes]:
        """What the Secret holds now, or its predecessor of another name."""
        if live is not None:
            return await self._targets.values(resource, name, live) if live.ours else {}
        former = stored.target.name if stored.target is not None else name
        before = await self._targets.observe(resource, former) if former != name else None
        if before is None or not before.ours:
            return {}
        return await self._targets.values(resource, former, before)

    async def _remove_former(self, resource: Resource, name: str) -> None:
        former = await self._targets.observe(resource, name)
        if former is not None and former.ours:
            await self._targets.delete(resource, name, former)


def target_name(resource: Resource, spec: SyncedSecretSpec) -> str:
    """Name of the Secret that is written."""
    return (spec.target.name if spec.target else None) or resource.key.name
