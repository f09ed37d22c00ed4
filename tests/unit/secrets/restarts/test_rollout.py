"""Pods that will not run, which workloads mention a Secret, and rollouts without progress."""

from typing import Any

import pytest

from pierhead.secrets.restarts.rollout import LOOK_SECONDS, Rollout, trouble_of
from pierhead.secrets.restarts.workloads import annotation_of, mentions


def pod(reason: str, *, kind: str = "containerStatuses", **last: Any) -> dict[str, Any]:
    waiting = {"reason": reason, "message": 'exec: "hunter2": not found'}
    status = {"name": "main", "state": {"waiting": waiting}, "lastState": last}
    return {"metadata": {"name": "shop-1"}, "status": {kind: [status]}}


@pytest.mark.parametrize(
    ("obj", "trouble"),
    [
        ({}, ""),
        (pod("ContainerCreating"), ""),
        (pod("ImagePullBackOff"), ""),
        (
            pod("CrashLoopBackOff", terminated={"exitCode": 2}),
            "Pod shop-1: container main: CrashLoopBackOff, exited with 2",
        ),
        (pod("CreateContainerConfigError"), "Pod shop-1: container main: CreateContainerConfigError"),
        (
            pod("RunContainerError", kind="initContainerStatuses"),
            "Pod shop-1: container main: RunContainerError",
        ),
        (pod("CrashLoopBackOff") | {"metadata": {"name": "x", "deletionTimestamp": "now"}}, ""),
    ],
)
def test_a_pod_in_trouble_is_told_without_the_runtimes_words(obj: dict[str, Any], trouble: str) -> None:
    assert trouble_of(obj) == trouble


def test_pods_are_looked_at_ever_more_seldom() -> None:
    rollout = Rollout.begun(0.0)
    looks = [now for now in range(300) if rollout.look_due(float(now))]

    assert looks == [LOOK_SECONDS, 45, 105, 165, 225, 285]


def test_progress_is_any_number_that_moves() -> None:
    rollout = Rollout.begun(0.0)
    rollout.note({"status": {"readyReplicas": 1}}, 10.0)
    rollout.note({"status": {"readyReplicas": 1, "conditions": []}}, 20.0)
    assert rollout.progressed_at == 10.0
    rollout.note({"status": {"readyReplicas": 2}}, 30.0)
    assert rollout.progressed_at == 30.0


@pytest.mark.parametrize(
    ("spec", "uses"),
    [
        ({}, False),
        ({"containers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]}, True),
        ({"containers": [{"envFrom": [{"configMapRef": {"name": "db"}}]}]}, False),
        ({"initContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "db"}}}]}]}, True),
        ({"containers": [{"env": [{"name": "db", "value": "db"}]}]}, False),
        ({"volumes": [{"secret": {"secretName": "db"}}]}, True),
        ({"volumes": [{"projected": {"sources": [{"secret": {"name": "db"}}]}}]}, True),
        ({"volumes": [{"secret": {"secretName": "other"}}, {"emptyDir": {}}]}, False),
        ({"imagePullSecrets": [{"name": "db"}]}, False),
    ],
)
def test_a_workload_uses_a_secret_where_its_pods_get_it(spec: dict[str, Any], uses: bool) -> None:
    template = {"template": {"spec": spec}}

    assert mentions({"kind": "Deployment", "spec": template}, "db") is uses
    assert mentions({"kind": "CronJob", "spec": {"jobTemplate": {"spec": template}}}, "db") is uses


def test_annotations_of_long_names_stay_apart() -> None:
    long = "n" * 80
    assert annotation_of("shop-db") == "restart.pierhead.dev/shop-db"
    assert annotation_of(long) != annotation_of(f"{long}x")
    assert len(annotation_of(long).rpartition("/")[2]) <= 63
