"""Exit code, reason and log stream are read wherever a platform has them."""

from typing import Any

import pytest

from pierhead.aws.batch import _job

Entry = dict[str, Any]
ECS_DONE = {"name": "main", "exitCode": 0, "logStreamName": "d/main/2"}
ECS_BROKEN = {"name": "side", "exitCode": 3, "reason": "Broken", "logStreamName": "d/side/2"}


def job(**entry: Any) -> Entry:
    return {"jobId": "id", "status": "FAILED", **entry}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(
            job(
                container={"exitCode": 1, "reason": "Error", "logStreamName": "d/default/1"},
                attempts=[{"container": {"exitCode": 1}}],
            ),
            (1, "Error", "d/default/1", 1),
            id="one container on ECS",
        ),
        pytest.param(
            job(container={"image": "a"}, attempts=[{"container": {"reason": "CannotPullContainerError"}}]),
            (None, "CannotPullContainerError", None, 1),
            id="only the attempt knows why",
        ),
        pytest.param(
            job(
                ecsProperties={"taskProperties": [{"containers": [ECS_DONE, ECS_BROKEN]}]},
                attempts=[{"taskProperties": []}, {"taskProperties": [{"containers": [ECS_DONE]}]}],
            ),
            (3, "Broken", "d/side/2", 2),
            id="of several containers the one that failed",
        ),
        pytest.param(
            job(
                ecsProperties={"taskProperties": [{"containers": [{"name": "main"}]}]},
                attempts=[{"taskProperties": [{"containers": [ECS_DONE, ECS_BROKEN]}]}],
            ),
            (3, "Broken", "d/side/2", 1),
            id="only the attempt of a task knows",
        ),
        pytest.param(
            job(
                eksProperties={"podProperties": {"containers": [{"name": "main"}]}},
                eksAttempts=[
                    {"containers": [{"name": "main", "exitCode": 1}]},
                    {"containers": [{"name": "main", "exitCode": 137, "reason": "OOMKilled"}]},
                ],
            ),
            (137, "OOMKilled", None, 2),
            id="the last attempt of a pod",
        ),
        pytest.param(
            job(
                eksProperties={"podProperties": {"containers": [{"name": "main", "exitCode": 2}]}},
                eksAttempts=[{"containers": [{"name": "main", "exitCode": 2}]}],
            ),
            (2, None, None, 1),
            id="a pod that knows itself",
        ),
        pytest.param(
            job(
                eksProperties={"podProperties": {"containers": [{"name": "main"}]}},
                eksAttempts=[
                    {"containers": [{"name": "main"}], "initContainers": [{"name": "first", "exitCode": 9}]}
                ],
            ),
            (9, None, None, 1),
            id="a container that runs before the others failed",
        ),
        pytest.param(job(), (None, None, None, 0), id="nothing is known"),
    ],
)
def test_how_it_ended(entry: Entry, expected: tuple[int | None, str | None, str | None, int]) -> None:
    read = _job(entry)
    assert (read.exit_code, read.reason, read.log_stream, read.attempts) == expected


def test_the_log_group_is_that_of_the_container_that_tells() -> None:
    logging = {"logConfiguration": {"options": {"awslogs-group": "/team/side"}}}
    containers = [ECS_DONE, {**ECS_BROKEN, **logging}]
    assert _job(job(ecsProperties={"taskProperties": [{"containers": containers}]})).log_group == "/team/side"
