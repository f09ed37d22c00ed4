"""The kinds this operator reconciles, and what they are given to work with.

Invariant: a new kind is a new folder and one line in `KINDS`. Nothing of a kind is imported before it is
asked for, so a process loads only what its settings name.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import Invalid
from pierhead.engine.reconciler import Reconciler
from pierhead.kube.client import Client
from pierhead.kube.resources import APP_RELEASES, BATCH_JOBS, EVENT_TRIGGERS, SYNCED_SECRETS, ResourceType
from pierhead.settings import Settings

if TYPE_CHECKING:
    from pierhead.aws.policy import Policy
    from pierhead.aws.registry import EcrLogins
    from pierhead.aws.session import AwsSessions
    from pierhead.kube.discovery import Discovery
    from pierhead.render.pool import RendererPool


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What reconcilers are built from; shared by all kinds of the process."""

    settings: Settings
    client: Client
    discovery: "Discovery"
    sessions: "AwsSessions"
    policy: "Policy"
    metrics: Metrics
    renderer: "RendererPool"
    logins: "EcrLogins"
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _now


@dataclass(frozen=True, slots=True)
class KindEntry:
    """One kind: what the API server calls it, and who reconciles it."""

    resource: ResourceType
    reconciler: Callable[[Services], Reconciler]


def _app_release(services: Services) -> Reconciler:
    from pierhead.apps.assembly import app_release_reconciler  # noqa: PLC0415 (loaded when asked for)

    return app_release_reconciler(
        client=services.client,
        discovery=services.discovery,
        renderer=services.renderer,
        sessions=services.sessions,
        policy=services.policy,
        settings=services.settings,
        now=services.now,
        logins=services.logins,
    )


def _synced_secret(services: Services) -> Reconciler:
    from pierhead.secrets.reconcile import SyncedSecretReconciler  # noqa: PLC0415 (loaded when asked for)

    return SyncedSecretReconciler(
        client=services.client,
        sessions=services.sessions,
        policy=services.policy,
        settings=services.settings,
        metrics=services.metrics,
        clock=services.clock,
        now=services.now,
        logins=services.logins,
    )


def _batch_job(services: Services) -> Reconciler:
    from pierhead.batch.reconcile import BatchJobReconciler  # noqa: PLC0415 (loaded when asked for)

    return BatchJobReconciler(
        client=services.client,
        discovery=services.discovery,
        sessions=services.sessions,
        policy=services.policy,
        settings=services.settings,
        metrics=services.metrics,
        clock=services.now,
    )


def _event_trigger(services: Services) -> Reconciler:
    from pierhead.triggers.reconcile import EventTriggerReconciler  # noqa: PLC0415 (loaded when asked for)

    return EventTriggerReconciler(
        client=services.client,
        sessions=services.sessions,
        policy=services.policy,
        settings=services.settings,
        metrics=services.metrics,
        clock=services.now,
    )


KINDS: Mapping[str, KindEntry] = MappingProxyType(
    {
        "AppRelease": KindEntry(APP_RELEASES, _app_release),
        "SyncedSecret": KindEntry(SYNCED_SECRETS, _synced_secret),
        "BatchJob": KindEntry(BATCH_JOBS, _batch_job),
        "EventTrigger": KindEntry(EVENT_TRIGGERS, _event_trigger),
    }
)


@asynccontextmanager
async def open_services(settings: Settings, client: Client, metrics: Metrics) -> AsyncIterator[Services]:
    """The services of a process that leads; closed in the reverse order.

    Raises Invalid for a malformed `aws_policy`, RendererCrashed when the renderer does not start.
    """
    from pierhead.aws.policy import Policy  # noqa: PLC0415 (a process that stands by needs none of it)
    from pierhead.aws.registry import EcrLogins  # noqa: PLC0415
    from pierhead.aws.session import AwsSessions  # noqa: PLC0415
    from pierhead.kube.discovery import Discovery  # noqa: PLC0415
    from pierhead.kube.tokens import service_account_token  # noqa: PLC0415
    from pierhead.render.pool import RendererPool  # noqa: PLC0415

    try:
        policy = Policy(settings.aws_policy, region=settings.aws_region)
    except ValueError as error:
        raise Invalid(str(error), field="PIERHEAD_AWS_POLICY") from error
    async with AsyncExitStack() as stack:
        sessions = AwsSessions(
            settings, count=metrics.observe_aws_call, tokens=partial(service_account_token, client)
        )
        stack.push_async_callback(sessions.close)
        renderer = RendererPool(
            settings.renderer_path,
            processes=settings.renderer_processes,
            memory_mib=settings.renderer_memory_mib,
            deadline_seconds=settings.renderer_deadline_seconds,
        )
        stack.push_async_callback(renderer.stop)
        if "AppRelease" in settings.kinds:
            await renderer.start()
        discovery = Discovery(client)
        following = asyncio.create_task(discovery.run())
        stack.callback(following.cancel)
        yield Services(
            settings=settings,
            client=client,
            discovery=discovery,
            sessions=sessions,
            policy=policy,
            metrics=metrics,
            renderer=renderer,
            logins=EcrLogins(),
        )
