"""What a restarter makes of what it hears between its own steps."""

import asyncio
from typing import Any

from pierhead.secrets.restarts.plan import WorkloadKey
from pierhead.secrets.restarts.restarter import Restarter
from pierhead.settings import Settings
from support.virtual_time import now, virtual_time

SHOP = WorkloadKey("shop", "Deployment", "shop")
OTHER = WorkloadKey("shop", "Deployment", "other")
CURRENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop", "namespace": "shop", "resourceVersion": "7", "generation": 1},
    "spec": {"replicas": 0},
    "status": {"observedGeneration": 1, "conditions": [{"type": "Available", "status": "True"}]},
}


@virtual_time
async def test_news_from_before_a_rollout_do_not_end_it() -> None:
    client: Any = None
    restarter = Restarter(client, Settings(restarts_at_once=1), clock=now)
    lock = restarter._locks.setdefault(SHOP, asyncio.Lock())
    async with lock:
        assert restarter._slots.take(SHOP, "10:00")
        restarter._told(SHOP, CURRENT)
        assert not restarter._slots.take(OTHER, "10:01")
    restarter._versions[SHOP] = 8
    restarter._told(SHOP, CURRENT)
    assert restarter._slots.taken(SHOP)
    restarter._told(SHOP, {**CURRENT, "metadata": {**CURRENT["metadata"], "resourceVersion": "8"}})

    assert not restarter._slots.taken(SHOP)
    assert restarter._slots.take(OTHER, "10:01")
