"""What an AppRelease uses of AWS, as whom.

Invariant: a scope exists only after the policy has allowed its region and role to the namespace, and whoever
uses it asks `AwsScope.check` about every other value that a tenant chose, before any call.
"""

from dataclasses import dataclass, field

from pierhead.apps.inputs.references import Reader
from pierhead.aws.access import ACCOUNT_FIELD, Accesses, annotated_role
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.policy import Policy, Power
from pierhead.aws.session import AwsClient, AwsSessions
from pierhead.kube.resources import SERVICE_ACCOUNTS
from pierhead.model.aws import AwsAccess


@dataclass(frozen=True, slots=True)
class AwsScope:
    """One AppRelease's identity and region, and what its namespace may use."""

    namespace: str
    identity: AwsIdentity
    region: str
    sessions: AwsSessions = field(repr=False, compare=False)
    policy: Policy = field(repr=False, compare=False)

    def check(self, power: Power, value: str, *, field: str) -> None:
        """Returns when the namespace may use the value. Raises PolicyDenied naming the field."""
        self.policy.check(self.namespace, power, value, field=field)

    def client(self, service: str, *, region: str | None = None, retries: bool = True) -> AwsClient:
        """A client of this identity; another region than the scope's has to be checked first."""
        return self.sessions.client(
            service, region=region or self.region, identity=self.identity, retries=retries
        )


class AwsScopes:
    """Makes the scopes of AppReleases."""

    def __init__(self, sessions: AwsSessions, policy: Policy, *, region: str, cluster: str = "") -> None:
        """`region` is the operator's, for AppReleases that name none; `cluster` is EKS's name of this one."""
        self._sessions = sessions
        self._policy = policy
        self._accesses = Accesses(policy, region=region, cluster=cluster)

    async def of(self, aws: AwsAccess | None, references: Reader) -> AwsScope:
        """The scope that `spec.aws` describes; a ServiceAccount it names is read through `references`.

        Raises PolicyDenied; Invalid for a ServiceAccount without a role; Transient for one that is missing.
        """

        async def role_of(account: str) -> str:
            return await references.derived(SERVICE_ACCOUNTS, account, at=ACCOUNT_FIELD, make=annotated_role)

        namespace = references.user.namespace
        access = await self._accesses.of(aws, namespace, role_of)
        return AwsScope(namespace, access.identity, access.region, self._sessions, self._policy)
