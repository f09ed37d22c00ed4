"""Which workloads the lines of `spec.restart` mean.

Invariant: only the SyncedSecret's own namespace is looked at, only where a line does not name its workload,
and only when the values have changed.
"""

from collections.abc import Mapping, Sequence

from pierhead.kube.client import Client
from pierhead.secrets.model.restart import Workload
from pierhead.secrets.restarts.workloads import KINDS, mentions

_PAGE = 100


async def find(
    client: Client, namespace: str, lines: Sequence[Workload], secret: str
) -> list[tuple[str, str]]:
    """Kind and name of each workload that a line without a name means.

    Raises Invalid where labels cannot be labels, Denied where workloads may not be listed, and what passes.
    """
    found: dict[tuple[str, str], None] = {}
    for line in lines:
        if line.name is not None:
            continue
        for kind in [line.kind] if line.kind else KINDS:
            for name in await _listed(client, namespace, kind, line, secret):
                found[kind, name] = None
    return list(found)


async def _listed(client: Client, namespace: str, kind: str, line: Workload, secret: str) -> list[str]:
    selector = _selector(line.match_labels) if line.match_labels else None
    found = []
    async for page in client.pages(KINDS[kind], namespace, label_selector=selector, page_size=_PAGE):
        found += [
            item["metadata"]["name"] for item in page.items if line.uses is None or mentions(item, secret)
        ]
    return sorted(found)


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
