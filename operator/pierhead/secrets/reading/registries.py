"""Passwords of registries of ECR, as pull secrets.

Invariant: what is read need not be renewed yet, and ECR is asked once for all objects of an identity and
region in a password's life. A password's version is its registry's host, so a renewal is no rotation.
"""

from pierhead.aws.access import Access
from pierhead.aws.registry import EcrLogins, EcrRegistry
from pierhead.aws.session import AwsSessions
from pierhead.secrets.dockerconfig import docker_config
from pierhead.secrets.reading.references import Reference, Renewal, Version

_VERSION_LIMIT = 64


class RegistryReader:
    """Reads for all objects of the operator."""

    def __init__(self, sessions: AwsSessions, logins: EcrLogins) -> None:
        self._sessions = sessions
        self._logins = logins

    async def read(self, who: Access, reference: Reference) -> Version:
        """The password of a registry. Raises the classes of `pierhead.aws.errors`."""
        region = reference.region or who.region
        client = self._sessions.client("ecr", region=region, identity=who.identity)
        login = await self._logins.lasting(client)
        host = EcrRegistry(reference.name, region).host if reference.name else login.host
        return Version(
            host[:_VERSION_LIMIT],
            docker_config(host, login.username, login.password),
            renewal=Renewal(login.renew_at, login.expires_at),
        )
