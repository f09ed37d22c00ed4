"""Carries a decision out.

Invariant: first the Secret, then the workloads that use it; each step may be repeated, so a crash between
any two of them leads to the same end.
"""

from collections.abc import Sequence

import structlog

from pierhead.engine.resource import Resource
from pierhead.kube.client import Client
from pierhead.secrets import report
from pierhead.secrets.decide import Decision, Live, secret_type
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.model.restart import Workload
from pierhead.secrets.reading.sources import Source
from pierhead.secrets.restarts.workloads import restart
from pierhead.secrets.writing.target import Targets

_log = structlog.get_logger(__name__)


class Actor:
    """Writes Secrets and restarts workloads."""

    def __init__(self, client: Client, targets: Targets) -> None:
        self._client = client
        self._targets = targets

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
            live, key_count = await self._write(resource, spec, decision, live)
        waiting = {(one.kind, one.name) for one in stored.restarts_pending or ()}
        pending = await restart(
            self._client,
            resource,
            [one for one in spec.restart or () if decision.restart or (one.kind, one.name) in waiting],
            decision.marker or "",
        )
        # Not by the status alone: it may have been lost between the write of a Secret and its report.
        former = {stored.target.name} if stored.target is not None else set()
        for other in sorted({*former, *self._targets.others(resource, name)} - {name}):
            await self._remove_former(resource, other)
        return report.written(
            stored,
            sources,
            decision,
            target=report.target_of(name, secret_type(spec), live),
            key_count=key_count,
            pending=pending,
        )

    async def delete(self, resource: Resource, spec: SyncedSecretSpec, live: Live) -> None:
        """Deletes the Secret because its sources are gone."""
        await self._targets.delete(resource, target_name(resource, spec), live)
        _log.info("secret deleted with its sources", object=str(resource.key))

    async def retry_restarts(
        self, resource: Resource, spec: SyncedSecretSpec, status: SyncedSecretStatus
    ) -> SyncedSecretStatus:
        """Looks again at the workloads that could not be restarted."""
        waiting = {(one.kind, one.name) for one in status.restarts_pending or ()}
        wanted: list[Workload] = [one for one in spec.restart or () if (one.kind, one.name) in waiting]
        pending = await restart(self._client, resource, wanted, status.marker or "")
        return status.model_copy(update={"restarts_pending": pending or None})

    async def _write(
        self, resource: Resource, spec: SyncedSecretSpec, decision: Decision, live: Live | None
    ) -> tuple[Live, int]:
        """The Secret after the write, and its number of keys."""
        name, data = target_name(resource, spec), dict(decision.data)
        if live is not None and live.ours and (decision.retained or decision.retained_rest):
            present = await self._targets.values(resource, name, live)
            for key in present.keys() - data.keys():
                if decision.retained_rest or key in decision.retained:
                    data[key] = present[key]
        written = await self._targets.write(
            resource, name, secret_type=secret_type(spec), data=data, marker=decision.marker or "", live=live
        )
        _log.info("secret written", object=str(resource.key), keys=len(data), versions=decision.marker)
        return written, len(data)

    async def _remove_former(self, resource: Resource, name: str) -> None:
        former = await self._targets.observe(resource, name)
        if former is not None and former.ours:
            await self._targets.delete(resource, name, former)


def target_name(resource: Resource, spec: SyncedSecretSpec) -> str:
    """Name of the Secret that is written."""
    return (spec.target.name if spec.target else None) or resource.key.name
