"""What a SyncedSecret reads from AWS, within what its namespace may use.

Invariant: no call is made before the policy has allowed the region, the role and every secret; a failure
that passes is raised, one that only somebody else can heal is an answer like any other.
"""

import asyncio
from collections.abc import Iterable

from pierhead.aws.access import Access
from pierhead.aws.errors import AwsError, NotFound
from pierhead.aws.policy import Policy
from pierhead.aws.secretsmanager import MarkedForDeletion, SecretReader
from pierhead.engine.properties import Fault
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.reading.sources import Answers, Reference, Version, references


def check(spec: SyncedSecretSpec, namespace: str, policy: Policy) -> None:
    """Returns when the namespace may read everything the spec names. Raises PolicyDenied with the field."""
    for reference, field in references(spec).items():
        policy.check(namespace, "secret", reference.secret, field=field)


async def fetch(
    reader: SecretReader, who: Access, wanted: Iterable[Reference], *, not_before: float
) -> Answers:
    """Every reference's version, or why it cannot be had, of calls begun at `not_before` or later.

    Raises Transient or Throttled when one of them failed in a way that passes.
    """
    wanted = list(wanted)
    answers = await asyncio.gather(*(_fetch(reader, who, reference, not_before) for reference in wanted))
    return dict(zip(wanted, answers, strict=True))


async def all_gone(reader: SecretReader, who: Access, secrets: Iterable[str]) -> bool:
    """Whether each of these secrets is proven deleted. False where that cannot be told."""
    for secret in sorted(set(secrets)):
        try:
            gone = await reader.is_gone(who.identity, who.region, secret)
        except AwsError as error:
            if not error.terminal:
                raise
            return False
        if not gone:
            return False
    return True


async def _fetch(
    reader: SecretReader, who: Access, reference: Reference, not_before: float
) -> Version | Fault:
    try:
        found = await reader.read(
            who.identity,
            who.region,
            reference.secret,
            version_stage=reference.version_stage,
            version_id=reference.version_id,
            not_before=not_before,
        )
    except MarkedForDeletion:
        return Fault("MarkedForDeletion", f"secret {reference.secret} is marked for deletion", absent=True)
    except NotFound:
        return Fault("SecretNotFound", _missing(reference, who), absent=True)
    except AwsError as error:
        if not error.terminal:
            raise
        return Fault(error.reason, error.message)
    return Version(found.version_id, found.string, found.binary)


def _missing(reference: Reference, who: Access) -> str:
    version = ""
    if reference.version_id is not None:
        version = f", or not its version {reference.version_id}"
    elif reference.version_stage is not None:
        version = f", or has no version labelled {reference.version_stage}"
    return f"secret {reference.secret} does not exist in {who.region}{version}"
