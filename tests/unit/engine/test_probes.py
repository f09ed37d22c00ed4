"""What the kubelet and Prometheus are told, and when."""

import asyncio
import urllib.error
import urllib.request

import pytest

from pierhead.engine.metrics import Metrics
from pierhead.engine.probes import LoopLag, Probes
from support.virtual_time import cancelled, now, virtual_time


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_probes_say_what_is_wrong_and_metrics_are_served() -> None:
    problems: dict[str, str | None] = {"lag": None, "sync": "has not seen every Widget yet"}
    probes = Probes(
        Metrics("1.2.3"),
        live=(lambda: problems["lag"],),
        ready=(lambda: problems["lag"], lambda: problems["sync"]),
    )
    port = await probes.start("127.0.0.1", 0)
    try:
        assert await asyncio.to_thread(get, port, "/livez") == (200, "ok\n")
        assert await asyncio.to_thread(get, port, "/readyz") == (503, "has not seen every Widget yet\n")
        problems.update(lag="late", sync=None)
        assert await asyncio.to_thread(get, port, "/livez") == (503, "late\n")
        code, text = await asyncio.to_thread(get, port, "/metrics")
        assert code == 200
        assert 'pierhead_build_info{version="1.2.3"} 1.0' in text
    finally:
        await probes.stop()


@virtual_time
async def test_a_blocked_event_loop_shows_as_lag() -> None:
    metrics = Metrics("test")
    blocked = [0.0]
    lag = LoopLag(metrics, clock=lambda: now() + blocked[0])
    measuring = asyncio.create_task(lag.run())
    await asyncio.sleep(0.5)
    assert lag.problem() is None
    blocked[0] = 11.5
    await asyncio.sleep(1.0)
    assert lag.problem() == "the event loop is 11.5 s late"
    assert metrics.registry.get_sample_value("pierhead_event_loop_lag_seconds") == pytest.approx(11.5)
    await asyncio.sleep(1.0)
    assert lag.problem() is None
    await cancelled(measuring)
