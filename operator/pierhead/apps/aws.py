"""What an AppRelease uses of AWS, as whom.

Invariant: a scope exists only after the policy has allowed its region and role to the namespace, and whoever
uses it asks `AwsScope.check` about every other value that a tenant chose, before any call.
"""

from dataclasses import dataclass, field

from pierhead.apps.inputs.references import Reader
from pierhead.apps.model.identity import AwsAccess
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.policy import Policy, Power
from pierhead.aws.session import AwsClient, AwsSessions
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.resources import SERVICE_ACCOUNTS

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
"""Names a ServiceAccount's role. Source: Amazon EKS, "IAM roles for service accounts"."""

_SESSION_NAME_LIMIT = 64


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

    def __init__(self, sessions: AwsSessions, policy: Policy, *, region: str) -> None:
        """`region` is the operator's, for AppReleases that name none."""
        self._sessions = sessions
        self._policy = policy
        self._region = region

    async def of(self, aws: AwsAccess | None, references: Reader) -> AwsScope:
        """The scope that `spec.aws` describes; a ServiceAccount it names is read through `references`.

        Raises PolicyDenied; Invalid for a ServiceAccount without a role; Transient for one that is missing.
        """
        namespace = references.user.namespace
        if aws is None:
            return self._scope(namespace, AwsIdentity(), self._region)
        if aws.region is not None:
            self._policy.check(namespace, "region", aws.region, field="spec.aws.region")
        region = aws.region or self._region
        role, at = aws.role_arn, "spec.aws.roleArn"
        if role is None and aws.service_account_name is not None:
            role, at = await _role(aws.service_account_name, references)
        if role is None:
            return self._scope(namespace, AwsIdentity(), region)
        self._policy.check(namespace, "role", role, field=at)
        account = aws.service_account_name
        identity = AwsIdentity(
            role_arn=role,
            external_id=aws.external_id,
            service_account=(namespace, account) if account is not None else None,
            # Not the object's name: all objects of a namespace share one session, and its answers.
            session_name=f"pierhead-{namespace}"[:_SESSION_NAME_LIMIT],
            tags=(("kubernetes-namespace", namespace),) if account is None else (),
        )
        return self._scope(namespace, identity, region)

    def _scope(self, namespace: str, identity: AwsIdentity, region: str) -> AwsScope:
        return AwsScope(namespace, identity, region, self._sessions, self._policy)


async def _role(account: str, references: Reader) -> tuple[str, str]:
    at = "spec.aws.serviceAccountName"

    def annotated(obj: Object) -> str:
        role = (obj["metadata"].get("annotations") or {}).get(ROLE_ANNOTATION)
        if not role:
            raise Invalid(
                f"ServiceAccount {account} has no annotation {ROLE_ANNOTATION}, and roleArn names no role",
                reason="KeyNotFound",
                field=at,
            )
        return str(role)

    return await references.derived(SERVICE_ACCOUNTS, account, at=at, make=annotated), at
