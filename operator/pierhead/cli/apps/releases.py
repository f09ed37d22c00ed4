"""The Helm releases that AppReleases leave in Secrets, as the caller may read them.

Invariant: a revision that cannot be read is an error that names it; one that is not there is None.
"""

from pierhead.apps.history.release import Release, decode
from pierhead.apps.names import release_name
from pierhead.cli.cluster import Cluster
from pierhead.cli.failures import CommandError
from pierhead.engine.outcome import Invalid
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import SECRETS


async def revisions(cluster: Cluster, release: str) -> list[Release]:
    """All revisions of a Helm release, oldest first. Raises CommandError for a damaged one."""
    found = []
    selector = f"owner=helm,name={release}"
    try:
        async for page in cluster.client.pages(SECRETS, cluster.namespace, label_selector=selector):
            found += [decode(secret) for secret in page.items]
    except Invalid as error:
        raise CommandError(str(error)) from None
    return sorted(found, key=lambda entry: entry.revision)


async def revision(cluster: Cluster, name: str, number: int) -> Release | None:
    """One revision of an AppRelease's release."""
    secret = f"sh.helm.release.v1.{release_name(name)}.v{number}"
    try:
        return decode(await cluster.client.get(SECRETS, secret, cluster.namespace))
    except NotFound:
        return None
