"""As whom a SyncedSecret reads.

Invariant: a ServiceAccount is one of the SyncedSecret's own namespace, and its role is looked at again in
every pass, so that an annotation taken away is a right taken away.
"""

from functools import partial

from pierhead.aws.access import Access, Accesses, role_reader
from pierhead.aws.policy import Policy
from pierhead.kube.client import Client
from pierhead.kube.tokens import service_account
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.settings import Settings


class Identities:
    """Makes the accesses of SyncedSecrets."""

    def __init__(self, client: Client, policy: Policy, settings: Settings) -> None:
        self._client = client
        self._accesses = Accesses(policy, region=settings.aws_region, cluster=settings.cluster_name)

    async def of(self, spec: SyncedSecretSpec, namespace: str) -> Access:
        """Who reads, and where. Asks the API server only where a ServiceAccount's annotation names the role.

        Raises PolicyDenied, Invalid, Forbidden and Transient naming the field.
        """
        role_of = role_reader(partial(service_account, self._client), namespace)
        return await self._accesses.of(spec.aws, namespace, role_of)
