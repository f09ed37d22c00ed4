"""What a failed hook's Pods said last.

Invariant: bounded, whatever they wrote; and never itself a failure: what cannot be read is left out.
"""

from pierhead.apps.history.release import Release
from pierhead.apps.hooks.progress import Hook
from pierhead.apps.inputs.texts import telling
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.resources import PODS

LINES = 10
_BYTES = 2048
_PODS = 2
_CHARACTERS = 600


async def last_lines(client: Client, hook: Hook, namespace: str) -> str:
    """The last lines of the newest Pods of a Job or Pod, each Pod's after its name; empty without any."""
    if hook.kind not in {"Job", "Pod"}:
        return ""
    is_job = hook.kind == "Job"
    pages = client.pages(
        PODS,
        namespace,
        label_selector=f"job-name={hook.name}" if is_job else None,
        field_selector=None if is_job else f"metadata.name={hook.name}",
    )
    try:
        pods = [pod async for page in pages for pod in page.items]
    except ReconcileError:
        return ""
    newest = sorted(pods, key=_age, reverse=True)[:_PODS]
    return "".join([await _of_pod(client, pod) for pod in newest])


def _age(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")


def without_values(stored: Release, text: str) -> str:
    """The text without any of a revision's values, where some may be secret and which is not known."""
    kept = stored.bookkeeping
    if kept is not None and not kept.sensitive:
        return text
    for value in sorted(set(telling(stored.values)), key=len, reverse=True):
        text = text.replace(value, "***")
    return text


async def _of_pod(client: Client, pod: Object) -> str:
    metadata = pod["metadata"]
    found = ""
    for container in (pod.get("spec") or {}).get("containers") or ():
        try:
            text = await client.logs(
                metadata["name"],
                metadata["namespace"],
                container=container["name"],
                lines=LINES,
                limit_bytes=_BYTES,
            )
        except ReconcileError:
            continue
        if text.strip():
            found += f"; the last log lines of Pod {metadata['name']}: {text.strip()[-_CHARACTERS:]}"
    return found
