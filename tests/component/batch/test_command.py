"""`pierhead batch …` as processes, against a running operator and Batch."""

import asyncio
import os
import sys
import termios
from pathlib import Path

import pytest

from support.batch_lab import Lab
from support.command_line import CommandLine


@pytest.fixture
def pierhead(lab: Lab, tmp_path: Path) -> CommandLine:
    return CommandLine(lab.sandbox.environment, lab.namespace, tmp_path, group="batch")


async def test_a_failed_batch_job_is_listed_and_told_with_its_causes(lab: Lab, pierhead: CommandLine) -> None:
    lab.batch.script(indexes="1", exit_code=9, reason="it broke")
    lab.operator()
    name = await lab.job(completions=3)
    await lab.has(name, "Failed")
    (entry,) = (await pierhead("list", "-o", "json")).json
    assert (entry["status"], entry["succeeded"], entry["failed"]) == ("Failed", 2, 1)
    table = (await pierhead("list")).output.splitlines()
    assert " ".join(table[0].split()) == ("NAME STATUS COMPLETIONS FAILED ACTIVE QUEUE ROUND DURATION AGE")
    assert table[1].split()[:6] == [name, "Failed", "2/3", "1", "0", lab.queue]
    (found,) = (await pierhead("get", name, "-o", "yaml")).documents
    assert [(one["index"], one["exitCode"], one["reason"]) for one in found["failures"]] == [
        (1, 9, "it broke")
    ]
    text = (await pierhead("get", name)).output
    assert "FailedIndexes" in text
    assert found["failures"][0]["logStream"] in text
    missing = await pierhead("get", "none")
    assert missing.code == 1
    assert missing.errors == f"error: there is no BatchJob none in namespace {lab.namespace}\n"


async def test_watching_ends_as_the_batch_job_does(lab: Lab, pierhead: CommandLine) -> None:
    lab.batch.script(stays="RUNNING")
    lab.operator()
    good, bad = await lab.job(completions=4), await lab.job()
    for name, size in ((good, 4), (bad, 1)):
        await lab.until(
            name, lambda obj, size=size: obj.get("status", {}).get("states", {}).get("running") == size
        )
    late = await pierhead("watch", good, "--timeout", "1s")
    assert (late.code, late.errors) == (3, f"error: BatchJob {good} has not ended within 1s\n")
    assert late.output.startswith("Running 0/4, 0 failed, 4 active, 0 waiting (")
    watching = asyncio.gather(pierhead("watch", good), pierhead("watch", bad))
    lab.batch.clear_scripts()
    lab.batch.script(job_name=f"*{bad}*", exit_code=3)
    lab.batch.release()
    well, badly = await watching
    assert well.code == 0, well.errors
    assert well.output.splitlines()[-1].startswith("Complete 4/4, 0 failed, 0 active")
    assert badly.code == 1
    assert "FailedIndexes" in badly.errors
    assert "pierhead batch get" in badly.errors


async def test_on_a_terminal_every_index_is_drawn(lab: Lab, tmp_path: Path) -> None:
    lab.batch.script(indexes="7", exit_code=1)
    lab.operator()
    name = await lab.job(completions=40, backoffLimitPerIndex=0, maxFailedIndexes=1)
    last, errors = await _watched(lab, name, tmp_path)
    assert last.count("█") == 40
    assert "\x1b[31m█" in last
    assert "39/40" in last
    assert "FailedIndexes" in errors


async def test_what_the_status_is_too_short_for_is_drawn_too(lab: Lab, tmp_path: Path) -> None:
    lab.batch.script(share=0.4, exit_code=1)
    lab.operator()
    name = await lab.job(completions=9000)
    obj = await lab.has(name, "Failed", within=90)
    assert obj["status"]["completedIndexes"].endswith(",...")
    last, _ = await _watched(lab, name, tmp_path)
    assert last.count("█") == 5 * 30


async def _watched(lab: Lab, name: str, home: Path) -> tuple[str, str]:
    """The last picture on a terminal of 12 lines of 30 characters, and standard error."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (12, 30))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pierhead", "batch", "watch", name, "--namespace", lab.namespace),
        env={**lab.sandbox.environment, "HOME": str(home), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(theirs)
    reading = asyncio.create_task(asyncio.to_thread(_everything, ours))
    _, errors = await process.communicate()
    drawn = await reading
    assert process.returncode == 1, errors
    return drawn[drawn.rindex(f"BatchJob {name}"[:20]) :], errors.decode()


def _everything(terminal: int) -> str:
    """What is printed until nobody has the other side open any more."""
    found = b""
    try:
        while part := os.read(terminal, 65536):
            found += part
    except OSError:
        # So Linux says that the other side is closed.
        pass
    finally:
        os.close(terminal)
    return found.decode()


_PROGRAM = """
import os, sys
place = os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX")
index = int(place or 0) + int(os.environ.get("PIERHEAD_INDEX_OFFSET", 0))
print("hello")
print("index", index, "place", place)
sys.exit(place == "1")
"""


async def test_the_log_of_an_index_is_that_of_its_last_round(lab: Lab, pierhead: CommandLine) -> None:
    lab.batch.configure(execution="process")
    lab.operator()
    template = {"container": {"image": "example.com/w:1", "command": ["python", "-c", _PROGRAM]}}
    again = await lab.job(completions=3, backoffLimitPerIndex=1, template=template)
    failed = await lab.job(completions=2, template=template)
    await lab.has(again, "Complete", within=60)
    await lab.has(failed, "Failed", within=60)
    for index, place in ((1, "None"), (2, "2")):
        done = await pierhead("logs", again, "--index", str(index), "--lines", "1")
        assert (done.code, done.output) == (0, f"index {index} place {place}\n"), done.errors
    lab.aws.clear_calls()
    told = await pierhead("logs", failed, "--index", "1")
    assert told.output == "hello\nindex 1 place 1\n"
    assert lab.aws.count("batch") == 0
    assert (await pierhead("logs", failed, "--index", "0", "--attempt", "1")).output.endswith("place 0\n")
    for arguments, code, why in (
        ((), 2, "which of the 2 indexes"),
        (("--index", "2"), 1, "they are 0 to 1"),
        (("--index", "0", "--attempt", "2"), 1, "no attempt 2"),
    ):
        refused = await pierhead("logs", failed, *arguments)
        assert (refused.code, why in refused.errors) == (code, True), refused.errors
