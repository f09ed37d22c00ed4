"""What a Pod says of itself when it is not well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.kube.pods import trouble_of


def pod(**status):
    return {"metadata": {"name": "web-1"}, "status": status}


def container(**more):
    return {"name": "web", **more}


def waits(reason: str, message: str = "", **more):
    return container(state={"waiting": {"reason": reason, "message": message}}, **more)


ENDED = {"terminated": {"exitCode": 1, "reason": "Error", "message": "password=hunter2\n"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
TABLE = {
    "image": (
        pod(containerStatuses=[waits("ImagePullBackOff", 'Back-off pulling image "x:1"')]),
        'container web: ImagePullBackOff: Back-off pulling image "x:1"',
    ),
    "crash": (
        pod(containerStatuses=[waits("CrashLoopBackOff", "back-off 40s", lastState=ENDED)]),
        "container web crashes: exited with 1",
    ),
    "killed": (
        pod(containerStatuses=[waits("CrashLoopBackOff", lastState=KILLED)]),
        "container web crashes: exited with 137, OOMKilled",
    ),
    "crash of an init container": (
        pod(initContainerStatuses=[waits("CrashLoopBackOff")], containerStatuses=[waits("PodInitializing")]),
        "container web crashes: no reason is known",
    ),
    "unschedulable": (
        pod(
            phase="Pending",
            conditions=[
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
            ],
        ),
        "Unschedulable: 0/3 nodes",
    ),
    "evicted": (pod(phase="Failed", reason="Evicted"), "Evicted"),
    "ended": (pod(containerStatuses=[container(state=KILLED)]), "container web exited with 137, OOMKilled"),
    "not ready": (
        pod(
            phase="Running",
            conditions=[{"type": "ContainersReady", "status": "False", "message": "unready: [web]"}],
        ),
        "runs, but is not ready: unready: [web]",
    ),
    "being made": (pod(phase="Pending", containerStatuses=[waits("ContainerCreating")]), None),
    "well": (pod(phase="Running", conditions=[{"type": "ContainersReady", "status": "True"}]), None),
    "nothing known": ({}, None),
}


@pytest.mark.parametrize(("obj", "expected"), TABLE.values(), ids=TABLE)
def test_the_worst_is_told_in_its_own_words(obj, expected):
    found = trouble_of(obj)
    assert (found[1] if found else None) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "status",
                    "phase",
                    "containerStatuses",
                    "state",
                    "waiting",
                    "reason",
                    "terminated",
                    "conditions",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["metadata", "status"]), JSON))
def test_any_json_is_a_pod(obj):
    trouble_of(obj)
