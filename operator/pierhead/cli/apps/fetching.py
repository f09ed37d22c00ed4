"""Charts of repositories and registries, fetched on this machine as the operator fetches them.

Invariant: the credentials are those of the Secret that the source names, as far as the caller may read it;
what only the operator can prove, an identity in AWS or who signed, is left to it.
"""

from pathlib import Path

from pierhead.apps.model.sources import Source
from pierhead.apps.sources.access import Access, texts
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.cli.apps.given import Lookup
from pierhead.cli.failures import CommandError
from pierhead.engine.outcome import ReconcileError
from pierhead.kube.resources import SECRETS

_CACHE_BYTES = 512 * 1024 * 1024


async def fetched(source: Source, lookup: Lookup, scratch: Path, *, at: str, option: str) -> Artifact:
    """What a source of kind helmRepository or oci holds now.

    Raises CommandError, which names the option to give its files with.
    """
    # Registries bring AWS's library along, which takes its time.
    from pierhead.apps.sources.helm_repository import HelmRepositoryFetcher  # noqa: PLC0415
    from pierhead.apps.sources.oci import OCIFetcher  # noqa: PLC0415
    from pierhead.aws.registry import EcrLogins  # noqa: PLC0415
    from pierhead.stores.networks import Networks  # noqa: PLC0415
    from pierhead.stores.web import Web  # noqa: PLC0415

    store, web = ArtifactStore(scratch / "fetched", limit_bytes=_CACHE_BYTES), Web(Networks())
    kind = min(source.given())
    try:
        if source.helm_repository is not None:
            access = await _access(source.helm_repository.secret, lookup)
            return await HelmRepositoryFetcher(store, web).fetch(source.helm_repository, access, None)
        if source.oci is not None and source.oci.verify is None:
            access = await _access(source.oci.secret, lookup)
            return await OCIFetcher(store, web, EcrLogins()).fetch(source.oci, access, None)
    except ReconcileError as error:
        raise CommandError(f"{at}.{kind}: {error}; or give its files with {option}") from None
    raise CommandError(f"{at}.{kind} is fetched by the operator alone: give its files with {option}")


async def _access(secret: object, lookup: Lookup) -> Access:
    name = getattr(secret, "name", "")
    if not name:
        return Access()
    found = await lookup(SECRETS, name)
    if found is None:
        raise CommandError(f"Secret {name} is not here")
    data = texts(name, found.get("data") or {}, at="secret") | dict(found.get("stringData") or {})
    return Access(secret_name=name, secret=data)
