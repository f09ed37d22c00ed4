"""An AppRelease reconciler put together from what the process has.

Invariant: the only place that knows how the parts of this folder fit; each part is given what it needs.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from pierhead.apps.aws import AwsScopes
from pierhead.apps.health.alarms import Alarms
from pierhead.apps.history.revisions import Revisions
from pierhead.apps.hooks.operations import HookOperations
from pierhead.apps.images.repositories import Repositories
from pierhead.apps.images.updates import ImageUpdates
from pierhead.apps.inputs.aws import AwsValues
from pierhead.apps.inputs.references import References
from pierhead.apps.objects.cluster import ReleaseObjects
from pierhead.apps.operations import Operations
from pierhead.apps.reconcile import AppReleaseReconciler, Collaborators
from pierhead.apps.rendering import Renderer
from pierhead.apps.sources.artifact import ArtifactStore
from pierhead.apps.sources.bucket import BucketFetcher
from pierhead.apps.sources.fetcher import Sources
from pierhead.apps.sources.git import GitFetcher
from pierhead.apps.sources.helm_repository import HelmRepositoryFetcher
from pierhead.apps.sources.oci import OCIFetcher
from pierhead.aws.alarms import AlarmReader
from pierhead.aws.parameters import ParameterReader
from pierhead.aws.policy import Policy
from pierhead.aws.queues import EventQueue
from pierhead.aws.registry import EcrLogins
from pierhead.aws.secretsmanager import SecretReader
from pierhead.aws.session import AwsSessions
from pierhead.expressions import Expressions
from pierhead.kube.client import Client
from pierhead.kube.dependencies import Dependencies
from pierhead.kube.discovery import Discovery
from pierhead.render.pool import RendererPool
from pierhead.settings import Settings
from pierhead.stores.networks import Networks
from pierhead.stores.web import Web

_MIB = 1024 * 1024


def app_release_reconciler(
    *,
    client: Client,
    discovery: Discovery,
    renderer: RendererPool,
    sessions: AwsSessions,
    policy: Policy,
    settings: Settings,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    logins: EcrLogins | None = None,
) -> AppReleaseReconciler:
    """The reconciler, with nothing started yet; `logins` are shared with whoever else has them."""
    store = ArtifactStore(settings.artifact_directory, limit_bytes=settings.artifact_cache_mib * _MIB)
    networks = Networks(settings.refused_source_networks)
    web = Web(networks)
    revisions, expressions = Revisions(), Expressions()
    objects = ReleaseObjects(client, discovery, revisions, namespaces=settings.watch_namespaces)
    templates = Renderer(renderer, discovery)
    scopes = AwsScopes(sessions, policy, region=settings.aws_region, cluster=settings.cluster_name)
    oci = OCIFetcher(store, web, logins or EcrLogins(now=now))
    repositories = Repositories(random=Random())  # noqa: S311 (spreads looks)
    references = References(client, namespaces=settings.watch_namespaces)
    collaborators = Collaborators(
        client=client,
        discovery=discovery,
        sources=Sources(
            store=store,
            fetchers={
                "git": GitFetcher(
                    store,
                    networks,
                    allow_file=settings.allow_file_sources,
                    limit_bytes=settings.artifact_cache_mib * _MIB,
                ),
                "helm_repository": HelmRepositoryFetcher(store, web),
                "bucket": BucketFetcher(store, networks),
                "oci": oci,
            },
        ),
        aws=scopes,
        references=references,
        aws_values=AwsValues(ParameterReader(sessions), SecretReader(sessions, clock=time.monotonic)),
        images=ImageUpdates(
            repositories,
            scopes,
            oci,
            now,
            events=EventQueue.of(sessions, settings.ecr_events_queue_url, repositories.hint),
        ),
        revisions=revisions,
        dependencies=Dependencies(client, discovery, expressions),
        alarms=Alarms(AlarmReader(sessions), scopes, references),
        objects=objects,
        operations=Operations(templates, objects, HookOperations(templates, objects, discovery, now), now),
    )
    return AppReleaseReconciler(collaborators, settings, clock=now)
