"""What a SyncedSecret reads from AWS, within what its namespace may use.

Invariant: no call is made before the policy has allowed the region, the role and every secret; a failure
that passes is raised, one that only somebody else can heal is an answer like any other.
"""

import asyncio
import math
from collections.abc import Iterable

from pierhead.aws.access import Access
from pierhead.aws.errors import AwsError, NotFound
from pierhead.aws.parameters import without_selector
from pierhead.aws.secretsmanager import MarkedForDeletion
from pierhead.engine.properties import Fault
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.reading.found import Finds
from pierhead.secrets.reading.readers import Readers, version_of
from pierhead.secrets.reading.references import Answers, Reference, Version
from pierhead.secrets.reading.sources import Source, SourceKind, collect


async def fetch(
    readers: Readers, who: Access, wanted: Iterable[Reference], *, not_before: float
) -> dict[Reference, Version | Fault]:
    """Every reference's version, or why it cannot be had, of calls begun at `not_before` or later.

    Raises Transient or Throttled when one of them failed in a way that passes.
    """
    wanted = list(wanted)
    answers = await asyncio.gather(*(_fetch(readers, who, reference, not_before) for reference in wanted))
    return dict(zip(wanted, answers, strict=True))


async def collected(spec: SyncedSecretSpec, answers: Answers, finds: Finds) -> tuple[Source, ...]:
    """`collect`, off the event loop where there are patterns: names may be many."""
    if not any(entry.rewrite for entry in spec.data_from or ()):
        return collect(spec, answers, finds)
    return await asyncio.to_thread(collect, spec, answers, finds)


async def all_gone(readers: Readers, who: Access, sources: Iterable[Source]) -> bool:
    """Whether all that these sources are read from is proven deleted. False where that cannot be told."""
    for kind, name in sorted({(source.kind, source.name) for source in sources}):
        try:
            gone = await _is_gone(readers, who, kind, name)
        except AwsError as error:
            if not error.terminal:
                raise
            return False
        if not gone:
            return False
    return True


async def _is_gone(readers: Readers, who: Access, kind: SourceKind, name: str) -> bool:
    if kind == "find":
        return True  # each secret was looked at, or it would not be absent
    if kind == "secret":
        return await readers.secrets.is_gone(who.identity, who.region, name)
    try:
        # By a call of its own, as what is held says nothing new.
        await readers.parameters.read(who.identity, who.region, without_selector(name), not_before=math.inf)
    except NotFound:
        return True
    return False


async def _fetch(readers: Readers, who: Access, reference: Reference, not_before: float) -> Version | Fault:
    try:
        if reference.kind == "ecr":
            return await readers.registries.read(who, reference)
        read = _parameter if reference.kind == "parameter" else _secret
        return await read(readers, who, reference, not_before)
    except MarkedForDeletion:
        return Fault("MarkedForDeletion", f"secret {reference.name} is marked for deletion", absent=True)
    except NotFound:
        return Fault(f"{reference.kind.capitalize()}NotFound", _missing(reference, who), absent=True)
    except AwsError as error:
        if not error.terminal:
            raise
        return Fault(error.reason, error.message)


async def _secret(readers: Readers, who: Access, reference: Reference, not_before: float) -> Version:
    found = await readers.secrets.read(
        who.identity,
        who.region,
        reference.name,
        version_stage=reference.version_stage,
        version_id=reference.version_id,
        not_before=not_before,
    )
    return Version(found.version_id, found.string, found.binary)


async def _parameter(readers: Readers, who: Access, reference: Reference, not_before: float) -> Version:
    found = await readers.parameters.read(who.identity, who.region, reference.name, not_before=not_before)
    return version_of(found)


def _missing(reference: Reference, who: Access) -> str:
    version = ""
    if reference.version_id is not None:
        version = f", or not its version {reference.version_id}"
    elif reference.version_stage is not None:
        version = f", or has no version labelled {reference.version_stage}"
    elif reference.kind == "parameter" and without_selector(reference.name) != reference.name:
        version = ", or has no such version or label"
    return f"{reference.kind} {reference.name} does not exist in {who.region}{version}"
