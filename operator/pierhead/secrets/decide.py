"""What to do about one SyncedSecret. Pure: no clock, no I/O.

Invariants: the Secret is written whole or left as it is; nothing is removed from it, and it is not deleted,
unless what it came from is proven not to exist and the policy asks; a Secret that is not ours is not touched
without `adopt`. The restart marker is made of version ids and the spec, never of a value.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from pierhead.engine.properties import Fault
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.model.template import Template
from pierhead.secrets.reading.references import Renewal, moment
from pierhead.secrets.reading.sources import Source
from pierhead.secrets.writing.form import Form

Action = Literal["Write", "Keep", "Leave", "Delete"]


@dataclass(frozen=True, slots=True)
class Live:
    """The Secret of the target's name, as far as its metadata tells."""

    uid: str
    resource_version: str
    ours: bool
    """Whether an owner reference to this very SyncedSecret is in it."""

    controller: str | None = None
    """Kind and name of another object that controls it."""

    marker: str | None = None
    """The marker it was written with, if it is ours."""

    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    Write: make the Secret hold `data` and what is retained. Keep: it does already. Leave: something is wrong,
    as `fault` says, so it stays as it is. Delete: every source is gone and the policy asks.
    """

    action: Action
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    retained: frozenset[str] = frozenset()
    """Keys that keep the value they have in the Secret, because their source is gone."""

    retained_rest: bool = False
    """Whether all other keys of the Secret are kept too: a source of many keys is gone."""

    marker: str | None = None
    restart: bool = False
    """Whether the workloads have to be restarted for this marker."""

    renewal: Renewal | None = None
    """When what it writes has to be had anew."""

    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """Keys whose sources are gone."""

    keys: frozenset[str] = frozenset()
    rest: bool = False
    """Whether there may be others: a source of many keys is gone."""


_GONE = Fault(
    "SourceDeleted",
    "every secret it is made of is deleted, and so is the Secret, as spec.onSourceDelete asks",
)


def refusal(spec: SyncedSecretSpec, live: Live | None) -> Fault | None:
    """Why the Secret of the target's name must not be touched, if so. Decided before anything is read."""
    if live is None or live.ours:
        return None
    if live.deleting:
        return Fault("TargetTerminating", "the Secret of the target's name is being deleted by somebody else")
    if live.controller is not None:
        return Fault("TargetNotOwned", f"the Secret of the target's name belongs to {live.controller}")
    if spec.target is not None and spec.target.adopt:
        return None
    return Fault(
        "TargetNotOwned",
        "a Secret of the target's name exists and is not pierhead's; choose another name, "
        "or let it be taken over with spec.target.adopt: true",
    )


def may_be_gone(spec: SyncedSecretSpec, sources: Sequence[Source]) -> bool:
    """Whether the Secret has to be deleted if all its secrets are proven deleted, which is worth a look."""
    return spec.on_source_delete == "Delete" and all(source.absent for source in sources)


def decide(
    spec: SyncedSecretSpec,
    sources: Sequence[Source],
    *,
    live: Live | None,
    stored: SyncedSecretStatus,
    gone: bool = False,
    renew: bool = False,
) -> Decision:
    """The next step, from the spec, what was read, the Secret and the stored status.

    `gone`: `may_be_gone`, and every secret is proven deleted. `renew`: `is_due`.
    """
    if gone and ((live is not None and live.ours) or stored.marker is not None):
        return Decision("Leave" if live is None or not live.ours else "Delete", fault=_GONE)
    faults = [
        (source, source.fault) for source in sources if source.fault is not None and not _may_lack(source)
    ]
    if faults:
        return Decision("Leave", fault=_summary(faults))
    retain = spec.on_source_delete != "Delete"
    absent = [source for source in sources if retain and source.absent]
    marker = marker_of(sources, stored if retain else None, spec.template)
    recorded = stored.marker or (live.marker if live is not None else None)
    renewal = soonest(sources)
    settled = stored.marker == marker and not (renew and renewal) and _as_written(spec, live, stored)
    return Decision(
        "Keep" if settled else "Write",
        data={key: value for source in sources for key, value in source.values.items()},
        retained=frozenset(source.key for source in absent if source.key).union(
            *(source.retained for source in sources)
        ),
        retained_rest=any(source.key is None for source in absent),
        marker=marker,
        restart=recorded is not None and recorded != marker,
        renewal=renewal,
    )


def soonest(sources: Sequence[Source]) -> Renewal | None:
    """When the first of what was read has to be had anew; None for never."""
    renewals = [source.renewal for source in sources if source.renewal is not None]
    return min(renewals, key=lambda renewal: renewal.renew_at, default=None)


def is_due(stored: SyncedSecretStatus, now: datetime) -> bool:
    """Whether what is in the Secret has to be had anew, or it cannot be told when."""
    renew_at = moment(stored.renew_at)
    return renew_at is None or renew_at <= now


def with_template(decision: Decision, made: Mapping[str, bytes] | Fault, *, merge: bool) -> Decision:
    """A decision to write, once its values have gone through the templates."""
    if isinstance(made, Fault):
        return Decision("Leave", fault=made)
    if merge:
        return replace(decision, data=made)
    return replace(decision, data=made, retained=frozenset(), retained_rest=False)


def lost(spec: SyncedSecretSpec, sources: Sequence[Source], stored: SyncedSecretStatus) -> Lost:
    """What the Secret was made of and is no more to be had, but was not to be given up."""
    retain = spec.on_source_delete != "Delete"
    gone = [source for source in sources if retain and source.absent and retained_version(source, stored)]
    keys = frozenset(source.key for source in gone if source.key)
    # Whatever the policy: some of what a find has lost is not proven gone.
    return Lost(
        keys.union(*(source.retained for source in sources)), any(source.key is None for source in gone)
    )


def marker_of(
    sources: Sequence[Source], stored: SyncedSecretStatus | None, template: Template | None = None
) -> str:
    """Names what the Secret is made of: which line of the spec has which version, and the templates.

    A line whose source is gone keeps the version that `stored` has for it; None for none.
    """
    lines = [[*source.identity, source.version_id or retained_version(source, stored)] for source in sources]
    if template is not None:
        texts = [part for item in sorted(template.data.items()) for part in item]
        lines.append(["template", template.merge_policy or "Replace", *texts])
    return hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest()[:32]


def retained_version(source: Source, stored: SyncedSecretStatus | None) -> str:
    """The version that the stored status has for this line; empty if none."""
    if stored is None:
        return ""
    if source.key is not None:
        return next((one.version_id or "" for one in stored.keys or () if one.key == source.key), "")
    named = (one for one in stored.extracts or () if getattr(one, source.kind) == source.name)
    return next((one.version_id or "" for one in named), "")


def _may_lack(source: Source) -> bool:
    return source.optional and source.absent


def _as_written(spec: SyncedSecretSpec, live: Live | None, stored: SyncedSecretStatus) -> bool:
    """Whether the Secret is the one the status tells of, as nobody has touched it since."""
    target, form = stored.target, Form.of(spec)
    return (
        live is not None
        and live.ours
        and target is not None
        and (target.uid, target.resource_version) == (live.uid, live.resource_version)
        and (target.type, target.form) == (form.type, form.digest)
    )


def _summary(faults: Sequence[tuple[Source, Fault]]) -> Fault:
    """One fault for all: the first one's reason, and how many more there are."""
    source, fault = faults[0]
    more = f"; and {len(faults) - 1} more, see status.keys" if len(faults) > 1 else ""
    return Fault(fault.reason, f"{source.label}: {fault.message}{more}")
