"""What a plain AppRelease costs the API server, request by request."""

import asyncio
import json
from collections import Counter

from pierhead_sandbox.request_counts import RequestKind
from support.app_sources import chart_files
from support.releases import at_revision, config_map, deployment

Request = tuple[str, str, bool]

TEMPLATES = {
    "one": json.dumps(config_map("one")),
    "two": json.dumps(config_map("two")),
    "web": json.dumps(deployment(replicas=0)),
}


def told(counts: Counter[RequestKind]) -> tuple[Counter[Request], int]:
    """Requests but watches and lists, and how many of them wrote the status of the AppRelease."""
    found: Counter[Request] = Counter()
    statuses = 0
    for kind, count in counts.items():
        if kind.subresource == "status":
            statuses += count
        elif kind.verb not in {"watch", "list"}:
            found[kind.verb, kind.resource, kind.dry_run] += count
    return found, statuses


async def test_an_install_and_an_upgrade_cost_what_they_change(controller, releases, sandbox, requests):
    """A chart of four objects, of which the upgrade changes one."""
    agent = f"pierhead-{releases.namespace}"
    source = {"inline": {"files": chart_files(values={"greeting": "one"}, **TEMPLATES)}}
    template = source["inline"]["files"]["templates/settings.yaml"]
    source["inline"]["files"]["templates/settings.yaml"] = template.replace("-{{ .Release.Revision }}", "")
    await releases.apply({"source": source, "helm": {}})
    await releases.until(at_revision(1))
    assert await requests() == []
    before = await asyncio.to_thread(sandbox.request_counts, agent)
    cold, statuses = told(before)
    assert cold == {
        ("patch", "appreleases", False): 1,
        ("patch", "configmaps", True): 3,
        ("patch", "deployments", True): 1,
        ("create", "secrets", False): 1,
        ("patch", "configmaps", False): 3,
        ("patch", "deployments", False): 1,
        ("update", "secrets", False): 1,
    }
    assert statuses <= 2

    await releases.apply({"source": source, "helm": {"values": {"greeting": "two"}}})
    await releases.until(at_revision(2))
    assert await requests() == []
    upgrade, statuses = told(await asyncio.to_thread(sandbox.request_counts, agent) - before)
    assert upgrade == {
        ("patch", "configmaps", True): 1,
        ("create", "secrets", False): 1,
        ("patch", "configmaps", False): 1,
        ("update", "secrets", False): 2,
    }
    assert statuses <= 2, "one, where the objects are healthy within a moment"
