from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.kube.health import HealthStatus, health_of

CURRENT, IN_PROGRESS, FAILED = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
APPS, CORE, OURS = "apps/v1", "v1", "pierhead.dev/v1alpha1"


def obj(api_version, kind, spec=None, status=None, **metadata):
    metadata = {"name": "x", "namespace": "n", "generation": 2, **metadata}
    made = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec or {}}
    if status is not None:
        made["status"] = {"observedGeneration": 2, **status}
    return made


def on(*types, status="True", **fields):
    return {"conditions": [{"type": name, "status": status, **fields} for name in types]}


def counts(number, *names):
    return dict.fromkeys(names, number)


DEPLOYED = counts(3, "replicas", "updatedReplicas", "readyReplicas", "availableReplicas") | on("Available")
LATE = on("Progressing", status="False", reason="ProgressDeadlineExceeded", message="too late")
QUOTA = {
    "conditions": [
        {"type": "Available", "status": "True"},
        {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"},
    ]
}


def deployment(status, **spec):
    return obj(APPS, "Deployment", {"replicas": 3, **spec}, status)


@pytest.mark.parametrize(
    ("subject", "expected", "words"),
    [
        (obj(APPS, "Deployment"), IN_PROGRESS, "not observed"),
        (obj(APPS, "Deployment", status={"observedGeneration": 1}), IN_PROGRESS, "generation 2"),
        (obj(APPS, "Deployment", status={"observedGeneration": None}), IN_PROGRESS, "not observed"),
        (deployment({}), IN_PROGRESS, "updatedReplicas 0 of 3"),
        (deployment(DEPLOYED), CURRENT, "3 replicas"),
        (deployment(DEPLOYED | {"updatedReplicas": 1}), IN_PROGRESS, "updatedReplicas 1 of 3"),
        (deployment(DEPLOYED | {"readyReplicas": 2}), IN_PROGRESS, "readyReplicas 2 of 3"),
        (deployment(DEPLOYED | {"availableReplicas": 2}), IN_PROGRESS, "availableReplicas 2 of 3"),
        (deployment(DEPLOYED | {"replicas": 4}), IN_PROGRESS, "1 old replicas"),
        (deployment(DEPLOYED | {"conditions": []}), IN_PROGRESS, "not available yet"),
        (deployment(DEPLOYED | on("Available", status="False", message="no")), IN_PROGRESS, "no"),
        (deployment(DEPLOYED | LATE), FAILED, "too late"),
        (deployment({"updatedReplicas": 1} | QUOTA), IN_PROGRESS, "exceeded quota"),
        (deployment({}, paused=True), CURRENT, "paused"),
        (obj(APPS, "Deployment", {"replicas": 0}, on("Available")), CURRENT, "0 replicas"),
        (obj(APPS, "Deployment", {}, counts(1, *DEPLOYED) | on("Available")), CURRENT, "1 replicas"),
    ],
)
def test_deployment(subject, expected, words):
    check(subject, expected, words)


SET = counts(3, "replicas", "readyReplicas", "updatedReplicas") | counts(
    "a", "currentRevision", "updateRevision"
)


def stateful_set(status, **spec):
    return obj(APPS, "StatefulSet", {"replicas": 3, **spec}, status)


def partition(number):
    return {"updateStrategy": {"rollingUpdate": {"partition": number}}}


@pytest.mark.parametrize(
    ("subject", "expected", "words"),
    [
        (obj(APPS, "StatefulSet"), IN_PROGRESS, "not observed"),
        (stateful_set(SET), CURRENT, "3 replicas"),
        (stateful_set(SET | {"replicas": 2}), IN_PROGRESS, "replicas 2 of 3"),
        (stateful_set(SET | {"readyReplicas": 2}), IN_PROGRESS, "readyReplicas 2 of 3"),
        (stateful_set(SET | {"replicas": 4}), IN_PROGRESS, "surplus"),
        (stateful_set(SET | {"updateRevision": "b", "updatedReplicas": 1}), IN_PROGRESS, "1 of 3"),
        (stateful_set(SET | {"updatedReplicas": 0}, **partition(2)), IN_PROGRESS, "0 of 1 above"),
        (stateful_set(SET | {"updatedReplicas": 1}, **partition(2)), CURRENT, "partition 2"),
        (stateful_set(SET | {"updatedReplicas": 0}, **partition(9)), CURRENT, "partition 9"),
        (stateful_set({}, updateStrategy={"type": "OnDelete"}), CURRENT, "when they are deleted"),
    ],
)
def test_stateful_set(subject, expected, words):
    check(subject, expected, words)


DAEMONS = counts(
    2,
    *("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled"),
    *("numberAvailable", "numberReady"),
)


@pytest.mark.parametrize(
    ("subject", "expected", "words"),
    [
        (obj(APPS, "DaemonSet"), IN_PROGRESS, "not observed"),
        (obj(APPS, "DaemonSet", status={}), IN_PROGRESS, "nodes not counted"),
        (obj(APPS, "DaemonSet", status=DAEMONS), CURRENT, "2 Pods"),
        (obj(APPS, "DaemonSet", status={"desiredNumberScheduled": 0}), CURRENT, "0 Pods"),
        (obj(APPS, "DaemonSet", status=DAEMONS | {"numberReady": 1}), IN_PROGRESS, "numberReady 1 of 2"),
        (obj(APPS, "DaemonSet", status=DAEMONS | {"numberAvailable": 0}), IN_PROGRESS, "numberAvailable"),
        (
            obj(APPS, "DaemonSet", status=DAEMONS | {"updatedNumberScheduled": 1}),
            IN_PROGRESS,
            "updatedNumberScheduled 1",
        ),
        (
            obj(
                APPS,
                "DaemonSet",
                {"updateStrategy": {"type": "OnDelete"}},
                DAEMONS | {"updatedNumberScheduled": 1},
            ),
            CURRENT,
            "2 Pods",
        ),
    ],
)
def test_daemon_set(subject, expected, words):
    check(subject, expected, words)


REPLICAS = counts(2, "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (REPLICAS, CURRENT, "2 replicas"),
        (REPLICAS | {"fullyLabeledReplicas": 1}, IN_PROGRESS, "fullyLabeledReplicas 1 of 2"),
        (REPLICAS | {"availableReplicas": 1}, IN_PROGRESS, "availableReplicas 1 of 2"),
        (REPLICAS | {"replicas": 3}, IN_PROGRESS, "surplus"),
        ({"replicas": 0} | QUOTA, IN_PROGRESS, "exceeded quota"),
    ],
)
def test_replica_set(status, expected, words):
    check(obj(APPS, "ReplicaSet", {"replicas": 2}, status), expected, words)


@pytest.mark.parametrize(
    ("spec", "status", "expected", "words"),
    [
        ({}, None, IN_PROGRESS, "0 of 1"),
        ({"completions": 5}, {"succeeded": 3, "active": 2}, IN_PROGRESS, "3 of 5 completions, 2 active"),
        ({}, on("Complete"), CURRENT, "complete"),
        ({}, on("Complete", status="False"), IN_PROGRESS, "0 of 1"),
        ({}, on("Failed", message="backoff limit"), FAILED, "backoff limit"),
        ({}, on("FailureTarget"), IN_PROGRESS, "0 of 1"),
        ({"suspend": True}, on("Suspended"), CURRENT, "suspended"),
    ],
)
def test_job(spec, status, expected, words):
    check(obj("batch/v1", "Job", spec, status), expected, words)
    if status is not None:
        check(obj(OURS, "BatchJob", spec, status), expected, words)


def waiting(reason, message=""):
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Running", "containerStatuses": [{"name": "c", "state": state}]}


UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "no nodes",
            "lastTransitionTime": "2026-08-01T12:00:00Z",
        }
    ],
}


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (None, IN_PROGRESS, "phase unknown"),
        ({"phase": "Pending"}, IN_PROGRESS, "phase Pending"),
        ({"phase": "Running"} | on("Ready"), CURRENT, "ready"),
        ({"phase": "Running"} | on("Ready", status="False"), IN_PROGRESS, "phase Running"),
        ({"phase": "Succeeded"}, CURRENT, "succeeded"),
        ({"phase": "Failed", "message": "evicted"}, FAILED, "evicted"),
        (
            {
                "phase": "Failed",
                "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 3}}}],
            },
            FAILED,
            "c exited with 3",
        ),
        ({"phase": "Failed"}, FAILED, "failed"),
        (waiting("CrashLoopBackOff"), FAILED, "crashing: c"),
        (waiting("ImagePullBackOff", "no such image"), IN_PROGRESS, "no such image"),
        (waiting("ContainerCreating"), IN_PROGRESS, "c: ContainerCreating"),
        (UNSCHEDULABLE, IN_PROGRESS, "no nodes"),
    ],
)
def test_pod(status, expected, words):
    check(obj(CORE, "Pod", status=status), expected, words)


@pytest.mark.parametrize(("second", "expected"), [(14, IN_PROGRESS), (15, FAILED)])
def test_a_pod_is_given_time_to_be_scheduled(second, expected):
    now = datetime(2026, 8, 1, 12, 0, second, tzinfo=UTC)
    found = health_of(obj(CORE, "Pod", status=UNSCHEDULABLE), now=now)
    assert (found.status, found.message) == (expected, "unschedulable: no nodes")


ADDRESS = {"loadBalancer": {"ingress": [{"hostname": "x"}]}}
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


@pytest.mark.parametrize(
    ("subject", "expected", "words"),
    [
        (obj(CORE, "PersistentVolumeClaim"), IN_PROGRESS, "phase Pending"),
        (obj(CORE, "PersistentVolumeClaim", status={"phase": "Bound"}), CURRENT, "bound"),
        (obj(CORE, "PersistentVolumeClaim", status={"phase": "Lost"}), FAILED, "lost"),
        (obj(CORE, "Service"), CURRENT, "exists"),
        (obj(CORE, "Service", {"type": "LoadBalancer", "clusterIP": "1"}, {}), IN_PROGRESS, "no address"),
        (obj(CORE, "Service", {"type": "LoadBalancer"}, ADDRESS), CURRENT, "address"),
        (obj(CORE, "Service", {"type": "LoadBalancer", "externalIPs": ["1"]}), CURRENT, "exists"),
        (obj(*CRD), IN_PROGRESS, "not established"),
        (obj(*CRD, status=on("NamesAccepted", "Established")), CURRENT, "established"),
        (obj(*CRD, status=on("NamesAccepted", status="False", message="taken")), FAILED, "taken"),
        (obj("policy/v1", "PodDisruptionBudget"), IN_PROGRESS, "not observed"),
        (obj("policy/v1", "PodDisruptionBudget", status={}), IN_PROGRESS, "not counted"),
        (
            obj("policy/v1", "PodDisruptionBudget", status={"currentHealthy": 1, "desiredHealthy": 2}),
            IN_PROGRESS,
            "1 Pods healthy, 2 wanted",
        ),
        (
            obj("policy/v1", "PodDisruptionBudget", status={"currentHealthy": 0, "desiredHealthy": 0}),
            CURRENT,
            "0 Pods healthy",
        ),
        (obj(CORE, "Namespace", status={"phase": "Active"}), CURRENT, "active"),
        (obj(CORE, "Namespace"), IN_PROGRESS, "phase unknown"),
        (obj("apiregistration.k8s.io/v1", "APIService"), IN_PROGRESS, "not available"),
        (obj("apiregistration.k8s.io/v1", "APIService", status=on("Available")), CURRENT, "Available"),
        (
            obj("apiregistration.k8s.io/v1", "APIService", status=on("Available", status="False")),
            IN_PROGRESS,
            "Available is False",
        ),
        (obj(CORE, "ConfigMap"), CURRENT, "exists"),
        (obj("batch/v1", "CronJob"), CURRENT, "exists"),
        (obj("networking.k8s.io/v1", "Ingress"), CURRENT, "exists"),
    ],
)
def test_other_kinds(subject, expected, words):
    check(subject, expected, words)


THEIRS = ("example.com/v1", "Database")


@pytest.mark.parametrize(
    ("subject", "expected", "words"),
    [
        (obj(*THEIRS), CURRENT, "exists"),
        (obj(*THEIRS, status={"observedGeneration": 1} | on("Ready")), IN_PROGRESS, "generation 2"),
        (obj(*THEIRS, status=on("Ready", message="up")), CURRENT, "up"),
        (obj(*THEIRS, status=on("Ready", status="False", message="down")), IN_PROGRESS, "down"),
        (obj(*THEIRS, status=on("Ready", status="Unknown", reason="Asking")), IN_PROGRESS, "Asking"),
        (obj(*THEIRS, status=on("Ready", observedGeneration=1)), IN_PROGRESS, "generation 1"),
        (obj(*THEIRS, status=on("Reconciling", message="working")), IN_PROGRESS, "working"),
        (obj(*THEIRS, status=on("Stalled", message="stuck")), FAILED, "stuck"),
        (obj(*THEIRS, status=on("Stalled", status="False")), CURRENT, "exists"),
        (obj(*THEIRS, status=on("Reconciling", "Stalled")), IN_PROGRESS, "Reconciling"),
        (obj(OURS, "SyncedSecret"), IN_PROGRESS, "not observed"),
        (obj(OURS, "SyncedSecret", status={}), IN_PROGRESS, "not Ready yet"),
        (obj(OURS, "SyncedSecret", status=on("Ready")), CURRENT, "Ready"),
        (obj(OURS, "AppRelease", status=on("Ready", "Reconciling")), IN_PROGRESS, "Reconciling"),
        (obj(OURS, "AppRelease", status=on("Stalled", message="refused")), FAILED, "refused"),
        (obj(OURS, "BatchJob"), IN_PROGRESS, "not observed"),
        (obj(APPS, "Deployment", deletionTimestamp="now"), HealthStatus.TERMINATING, "deleted"),
        (obj(OURS, "AppRelease", deletionTimestamp="now"), HealthStatus.TERMINATING, "deleted"),
        (None, HealthStatus.NOT_FOUND, "not found"),
    ],
)
def test_conditions_and_generations(subject, expected, words):
    check(subject, expected, words)


def check(subject, expected, words):
    found = health_of(subject)
    assert found.status is expected, found
    assert words in found.message


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["conditions", "phase", "type", "status"]), inner)
    ),
    max_leaves=12,
)
known = st.sampled_from(
    [
        *[(APPS, kind) for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")],
        *[(CORE, kind) for kind in ("Pod", "Service", "Namespace", "PersistentVolumeClaim")],
        *[("batch/v1", "Job"), CRD, ("policy/v1", "PodDisruptionBudget"), (OURS, "BatchJob"), THEIRS],
    ]
)


@given(known, json, json)
def test_any_object_has_a_health(kind, spec, status):
    subject = {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {"name": "x"},
        "spec": spec,
        "status": status,
    }
    assert health_of(subject).status in HealthStatus
