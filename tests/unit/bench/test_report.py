import json

import pytest
from bench.report import Result

AGREED = [
    "benchmark", "n", "seconds", "limit_seconds", "ratio", "api_requests_per_object", "aws_calls_per_object",
    "cpu_seconds", "peak_rss_mib",
]  # fmt: skip


def result() -> Result:
    return Result(
        benchmark="cold_apps",
        n=200,
        seconds=12.5,
        limit_seconds=5.0,
        api_requests_per_object=13.0,
        aws_calls_per_object=0.0,
        cpu_seconds=4.4,
        peak_rss_mib=182.0,
        extra={"objects": 200, "aws_calls": {"batch:SubmitJob": 1}},
    )


def test_the_line_begins_with_the_agreed_keys():
    line = json.loads(result().line())

    assert list(line)[: len(AGREED)] == AGREED
    assert line["ratio"] == 2.5
    assert line["objects"] == 200


def test_the_line_is_the_last_thing_printed(capsys: pytest.CaptureFixture[str]):
    result().show()

    printed = capsys.readouterr().out.rstrip("\n")
    assert json.loads(printed.rpartition("\n")[2])["benchmark"] == "cold_apps"
    assert "12.5 s" in printed
