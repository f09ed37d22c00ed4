"""What one reconcile works on, made from the stored object and from what the process remembers of it.

Invariant: everything is read and written as the account that the AppRelease names, or as the default of the
settings; with the operator's own rights only in namespaces that the settings name.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from pierhead.apps.history.revisions import Revisions
from pierhead.apps.history.secrets import History
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.delivery import Health as HealthSpec
from pierhead.apps.model.objects import rules_of
from pierhead.apps.names import release_name
from pierhead.apps.objects.drift import remembered as remembered_drift
from pierhead.apps.report import remembered_attempt
from pierhead.apps.subject import Subject
from pierhead.engine.resource import Resource
from pierhead.kube.client import Client
from pierhead.kube.credentials import Identity
from pierhead.model import RECONCILE_AT, seconds
from pierhead.settings import Settings


class Subjects:
    """Makes them."""

    def __init__(
        self, client: Client, revisions: Revisions, settings: Settings, clock: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._revisions = revisions
        self._settings = settings
        self._clock = clock

    def of(self, resource: Resource, spec: AppReleaseSpec | None = None) -> Subject:
        """The subject; without a spec, which may be invalid, as far as a deletion needs it."""
        release = release_name(resource.key.name)
        account = (resource.spec.get("serviceAccountName")) or None
        namespace = resource.key.namespace
        identity: Identity | None = Identity(namespace, account or self._settings.default_service_account)
        if account is None and namespace in self._settings.operator_identity_namespaces:
            identity = None
        client = self._client.impersonating(identity)
        memory = self._revisions.of(resource.key, release)
        if memory.drift is None:
            memory.drift = remembered_drift(resource.status)
        return Subject(
            key=resource.key,
            release=release,
            reconcile_at=resource.annotations.get(RECONCILE_AT, ""),
            memory=memory,
            history=History(client, memory.kept, namespace=namespace, name=release, clock=self._clock),
            client=client,
            annotations=resource.annotations,
            generation=resource.generation,
            told_plan=resource.status.get("plan"),
            prune=spec.prune if spec else True,
            history_limit=spec.history_limit if spec else 10,
            rules=tuple(spec.object_rules or ()) if spec else rules_of(resource.spec),
            timeout=timedelta(
                seconds=seconds((resource.spec.get("health") or {}).get("timeout") or HealthSpec().timeout)
            ),
            hooks_disabled=bool((resource.spec.get("helm") or {}).get("disableHooks")),
            remembered=remembered_attempt(resource.status),
        )
