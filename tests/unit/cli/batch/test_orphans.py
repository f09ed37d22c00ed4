"""Which jobs are orphans, and which of them are certainly this cluster's."""

import pytest

from pierhead.aws.batchsurvey import SurveyedJob
from pierhead.cli.batch.orphans import orphans_of

OURS = {"pierhead.dev/namespace": "n", "pierhead.dev/name": "j", "pierhead.dev/uid": "gone"}


def job(tags: dict[str, str]) -> SurveyedJob:
    return SurveyedJob(
        id="1", name="n-j-r0-s0", status="RUNNING", status_reason="", created_at=1_000, array_size=None,
        summary={}, tags=tags, variables={}, attempts=(), span=None, vcpus=1, memory_mib=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "cluster", "alone", "expected"),
    [
        ({}, "here", True, []),
        ({"pierhead.dev/uid": "gone"}, "here", True, []),
        ({**OURS, "pierhead.dev/uid": "known"}, "here", True, []),
        (OURS, None, False, [False]),
        (OURS, "here", False, [False]),
        (OURS, None, True, [True]),
        ({**OURS, "pierhead.dev/cluster": "here"}, "here", False, [True]),
        ({**OURS, "pierhead.dev/cluster": "here"}, None, False, [False]),
        ({**OURS, "pierhead.dev/cluster": "there"}, "here", True, []),
        ({**OURS, "pierhead.dev/cluster": "there"}, None, True, [False]),
    ],
)
def test_only_what_is_certainly_this_clusters_is_ours(
    tags: dict[str, str], cluster: str | None, alone: bool, expected: list[bool]
) -> None:
    found = orphans_of("q", [job(tags)], {"known"}, cluster=cluster, alone=alone)
    assert [one.ours for one in found] == expected


def test_an_orphan_is_told_with_its_batch_job() -> None:
    (found,) = orphans_of("q", [job(OURS)], (), cluster=None, alone=True)
    assert found.data() == {
        "queue": "q", "jobName": "n-j-r0-s0", "jobId": "1", "status": "RUNNING", "size": 1,
        "created": "1970-01-01T00:00:01Z", "namespace": "n", "name": "j", "uid": "gone",
        "cluster": None, "ours": True,
    }  # fmt: skip
