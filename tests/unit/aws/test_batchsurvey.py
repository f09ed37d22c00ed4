"""What DescribeJobs tells of logs and resources, whatever a job runs on."""

from typing import Any

import pytest

from pierhead.aws.batchsurvey import described


class Client:
    def __init__(self, entry: dict[str, Any]) -> None:
        self._entry = entry

    async def call(self, operation: str, **_: Any) -> dict[str, Any]:
        assert operation == "describe_jobs"
        return {"jobs": [{"jobId": "1", "status": "RUNNING", **self._entry}]}


def needs(vcpus: str, memory: str) -> list[dict[str, str]]:
    return [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]


def kubernetes(cpu: str, memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"container": {"resourceRequirements": needs("0.5", "512")}}, (0.5, 512)),
        ({"container": {}}, (None, None)),
        (
            {
                "ecsProperties": {
                    "taskProperties": [
                        {
                            "containers": [
                                {"resourceRequirements": needs("1", "100")},
                                {"resourceRequirements": needs("2", "200")},
                            ]
                        }
                    ]
                }
            },
            (3, 300),
        ),
        (
            {
                "eksProperties": {
                    "podProperties": {
                        "containers": [{"resources": kubernetes("0.25", "256Mi")}],
                        "initContainers": [{"resources": kubernetes("8", "999Mi")}],
                    }
                }
            },
            (0.25, 256),
        ),
        (
            {
                "nodeProperties": {
                    "numNodes": 4,
                    "nodeRangeProperties": [
                        {"targetNodes": "0", "container": {"resourceRequirements": needs("1", "100")}},
                        {"targetNodes": "1:", "container": {"resourceRequirements": needs("2", "10")}},
                    ],
                }
            },
            (7, 130),
        ),
        (
            {
                "nodeProperties": {
                    "numNodes": 2,
                    "nodeRangeProperties": [
                        {"targetNodes": ":0", "container": {}},
                        {"targetNodes": "1:1", "container": {"resourceRequirements": needs("2", "10")}},
                    ],
                }
            },
            (None, None),
        ),
    ],
)
async def test_what_an_index_reserves(entry: dict[str, Any], expected: tuple[float | None, ...]) -> None:
    (job,) = await described(Client(entry), ["1"])  # type: ignore[arg-type]
    assert (job.vcpus, job.memory_mib) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"container": {}}, []),
        (
            {
                "container": {
                    "logStreamName": "two",
                    "logConfiguration": {"options": {"awslogs-group": "mine"}},
                },
                "attempts": [{"container": {"logStreamName": "one", "exitCode": 1}}],
            },
            [("mine", "one"), ("mine", "two")],
        ),
        (
            {
                "container": {"logStreamName": "one", "exitCode": 0},
                "attempts": [{"container": {"logStreamName": "one", "exitCode": 0}}],
            },
            [("/aws/batch/job", "one")],
        ),
        (
            # Of several containers, the one that failed.
            {
                "attempts": [
                    {
                        "taskProperties": [
                            {
                                "containers": [
                                    {"logStreamName": "good", "exitCode": 0},
                                    {"logStreamName": "bad", "exitCode": 3},
                                ]
                            }
                        ]
                    }
                ]
            },
            [("/aws/batch/job", "bad")],
        ),
        ({"eksAttempts": [{"containers": [{"name": "main", "exitCode": 1}]}]}, [("/aws/batch/job", None)]),
    ],
)
async def test_each_attempt_has_its_log(
    entry: dict[str, Any], expected: list[tuple[str, str | None]]
) -> None:
    (job,) = await described(Client(entry), ["1"])  # type: ignore[arg-type]
    assert [(attempt.log_group, attempt.log_stream) for attempt in job.attempts] == expected


async def test_of_the_environment_only_what_is_asked_for_is_kept() -> None:
    entry = {"container": {"environment": [{"name": "A", "value": "x"}, {"name": "B", "value": "hidden"}]}}
    (job,) = await described(Client(entry), ["1"], ("A",))  # type: ignore[arg-type]
    assert job.variables == {"A": "x"}
    assert "hidden" not in repr(job)
