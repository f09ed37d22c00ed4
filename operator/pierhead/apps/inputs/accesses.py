"""As whom an AppRelease's sources are fetched, read from its spec.

Invariant: Secrets are read as the release's account, and every value of AWS passes the namespace's policy,
before anything is fetched with it.
"""

from dataclasses import replace

from pierhead.apps.aws import AwsScopes
from pierhead.apps.inputs.references import Reader
from pierhead.apps.model.scalars import SecretName
from pierhead.apps.model.sources import BucketSource, OCISource, PublicKey, Source
from pierhead.apps.sources.access import Access, texts
from pierhead.apps.sources.oci import DOCKER_CONFIG
from pierhead.aws.registry import EcrRegistry
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.resources import CONFIG_MAPS, SECRETS
from pierhead.model.aws import AwsAccess


class Accesses:
    """Reads the accesses of one AppRelease."""

    def __init__(self, references: Reader, scopes: AwsScopes) -> None:
        self._references = references
        self._scopes = scopes

    async def of(
        self,
        source: Source,
        aws: AwsAccess | None,
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
        if source.oci is not None:
            return "oci", await self._oci(source.oci, aws, at=f"{at}.oci")
        if source.bucket is not None:
            return "bucket", await self._bucket(source.bucket, aws, at=f"{at}.bucket")
        raise AssertionError("only sources on the network need an access")

    async def _oci(self, oci: OCISource, aws: AwsAccess | None, *, at: str) -> Access:
        access = await self._secret(oci.secret, at=f"{at}.secret")
        if oci.verify is not None:
            keys = [
                await self._key(key, at=f"{at}.verify.cosignKeys[{index}]")
                for index, key in enumerate(oci.verify.cosign_keys)
            ]
            access = replace(access, keys=tuple(keys))
        host, _, name = oci.url.removeprefix("oci://").partition("/")
        ecr = EcrRegistry.of(host)
        if ecr is None or DOCKER_CONFIG in access.secret or _has_login(access, at=f"{at}.secret"):
            return access
        if oci.insecure:
            raise Invalid("a registry of ECR has TLS", field=f"{at}.insecure")
        scope = await self._scopes.of(aws, self._references)
        scope.check("region", ecr.region, field=f"{at}.url")
        scope.check("repository", ecr.arn(name), field=f"{at}.url")
        return replace(access, aws=scope)

    async def _bucket(self, bucket: BucketSource, aws: AwsAccess | None, *, at: str) -> Access:
        if bucket.azure is not None:
            return await self._secret(bucket.azure.secret, at=f"{at}.azure.secret")
        scope = await self._scopes.of(aws, self._references)
        scope.check("bucket", bucket.name, field=f"{at}.name")
        return Access(aws=scope)

    async def _key(self, key: PublicKey, *, at: str) -> str:
        """The text of a public key. Raises Invalid where the object has none under the key named."""
        named = key.config_map or key.secret
        assert named is not None, "the model holds exactly one"  # noqa: S101
        resource = CONFIG_MAPS if key.config_map is not None else SECRETS

        def take(found: Object) -> str:
            data = found.get("data") or {}
            if named.key not in data:
                raise Invalid(
                    f"{resource.kind} {named.name} has no key {named.key!r}", reason="KeyNotFound", field=at
                )
            if resource is CONFIG_MAPS:
                return str(data[named.key])
            return texts(named.name, {named.key: data[named.key]}, at=at)[named.key]

        return await self._references.derived(resource, named.name, at=at, make=take)

    async def _secret(self, secret: SecretName | None, *, at: str) -> Access:
        if secret is None:
            return Access()
        name = secret.name
        return await self._references.derived(
            SECRETS, name, at=at, make=lambda found: Access(name, texts(name, found.get("data") or {}, at=at))
        )


def _has_login(access: Access, *, at: str) -> bool:
    try:
        return access.login() is not None
    except Invalid as error:
        error.field = at
        raise
