"""As whom an AppRelease's sources are fetched, read from its spec.

Invariant: Secrets are read as the release's account, and every value of AWS passes the namespace's policy,
before anything is fetched with it.
"""

from pierhead.apps.aws import AwsScopes
from pierhead.apps.model.identity import AwsAccess
from pierhead.apps.model.scalars import SecretName
from pierhead.apps.model.sources import Source
from pierhead.apps.references import Reader
from pierhead.apps.sources.access import Access, texts
from pierhead.kube.resources import SECRETS


class Accesses:
    """Reads the accesses of one AppRelease."""

    def __init__(self, references: Reader, scopes: AwsScopes) -> None:
        self._references = references
        self._scopes = scopes

    async def of(
        self,
        source: Source,
        aws: AwsAccess | None,  # noqa: ARG002 (for sources in AWS)
        namespace: str,  # noqa: ARG002 (as above)
        *,
        at: str,
    ) -> tuple[str, Access]:
        """The field of a source on the network, as users write it, and the access to it.

        `at` is the source's own field. Raises Invalid, Denied or Transient naming the field at fault.
        """
        if source.git is not None:
            return "git", await self._secret(source.git.secret, at=f"{at}.git.secret")
        if source.helm_repository is not None:
            at = f"{at}.helmRepository.secret"
            return "helmRepository", await self._secret(source.helm_repository.secret, at=at)
        raise AssertionError("only sources on the network need an access")

    async def _secret(self, secret: SecretName | None, *, at: str) -> Access:
        if secret is None:
            return Access()
        name = secret.name
        return await self._references.derived(
            SECRETS, name, at=at, make=lambda found: Access(name, texts(name, found.get("data") or {}, at=at))
        )
