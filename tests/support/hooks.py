"""Helm hooks for tests: objects with the annotations that make them hooks."""

from typing import Any


def config_hook(name: str, events: str, *, weight: int = 0, **annotations: str) -> dict[str, Any]:
    """A hook that is done when it is created."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "annotations": _annotations(events, weight, annotations)},
        "data": {"a": "hook"},
    }


def hook_job(
    name: str,
    events: str,
    *,
    weight: int = 0,
    suspend: bool = False,
    stuck: bool = False,
    spec: dict[str, Any] | None = None,
    **annotations: str,
) -> dict[str, Any]:
    """A hook that runs and completes; suspended not before it is resumed, stuck never."""
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [{"name": "run", "image": "registry.example.com/run:1"}],
    }
    if stuck:
        pod["nodeSelector"] = {"no": "such-node"}
    suspended = {"suspend": True} if suspend else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": _annotations(events, weight, annotations)},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}, **suspended, **(spec or {})},
    }


def _annotations(events: str, weight: int, more: dict[str, str]) -> dict[str, str]:
    weighted = {"helm.sh/hook-weight": str(weight)} if weight else {}
    return {"helm.sh/hook": events, **weighted, **more}
