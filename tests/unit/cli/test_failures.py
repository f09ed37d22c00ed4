"""How a command ends that nobody foresaw."""

import pytest
import typer

from pierhead.cli.failures import CommandError, ExitCode, ending
from repository_files import ROOT


def test_a_bug_is_told_by_its_place_and_not_by_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise ValueError("hunter2")

    with pytest.raises(typer.Exit) as ended:
        ending(command)()
    assert ended.value.exit_code == ExitCode.FAILED
    told = capsys.readouterr().err
    assert "ValueError at failures.py" in told
    assert "hunter2" not in told


def test_what_helps_is_told_with_the_code_of_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise CommandError("it took too long", ExitCode.TIMED_OUT)

    with pytest.raises(typer.Exit) as ended:
        ending(command)()
    assert ended.value.exit_code == ExitCode.TIMED_OUT
    assert capsys.readouterr().err == "error: it took too long\n"


@pytest.mark.parametrize("passed", [typer.Abort(), typer.Exit(0), BrokenPipeError()])
def test_an_end_that_is_no_failure_is_let_through(passed: BaseException) -> None:
    def command() -> None:
        raise passed

    with pytest.raises(type(passed)):
        ending(command)()


def test_every_exit_code_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert [code for code in ExitCode if f"\n| {code.value} | " not in page] == []
