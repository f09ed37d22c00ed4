"""Closed windows hold a new revision back and nothing else."""

from datetime import UTC, datetime, timedelta

from pierhead.kube.resources import CONFIG_MAPS
from support.releases import because, condition, config_map, inline

ALWAYS_CLOSED = [{"kind": "Deny", "schedule": "0 * * * *", "duration": "1h"}]


async def test_a_new_revision_waits_while_drift_is_corrected(controller, releases):
    await releases.apply({"source": inline(config_map(a="1"))})
    await releases.until()

    await releases.apply({"source": inline(config_map(a="2")), "windows": ALWAYS_CLOSED})
    held = await releases.until(because("WindowClosed"))
    changed = {**config_map(a="3"), "metadata": {"name": "one", "namespace": releases.namespace}}
    await releases.kube.apply(CONFIG_MAPS, changed, field_manager="somebody", force=True)
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "1"})

    assert "spec.windows[0] (Deny 0 * * * *, UTC) is in force" in condition(held)["message"]
    assert await releases.statuses() == ["deployed"]

    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    await releases.apply(
        {"source": inline(config_map(a="2")), "windows": ALWAYS_CLOSED},
        **{"pierhead.dev/ignore-windows": until},
    )
    await releases.until()

    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "2"}
    assert await releases.statuses() == ["superseded", "deployed"]
