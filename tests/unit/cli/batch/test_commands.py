"""Every command of `pierhead batch` as it is typed, as far as no cluster is needed."""

import pytest
from typer.testing import CliRunner

from pierhead.cli.batch.commands import app as batch
from pierhead.cli.main import app
from repository_files import ROOT

COMMANDS = sorted(command.name or "" for command in batch.registered_commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_is_documented(command: str) -> None:
    helped = CliRunner().invoke(app, ["batch", command, "--help"])
    assert helped.exit_code == 0
    assert "--" in helped.output
    assert f"`batch {command}" in (ROOT / "docs" / "cli.md").read_text()


@pytest.mark.parametrize("arguments", [("watch", "j", "--timeout", "soon"), ("get",)])
def test_wrong_usage_has_its_own_exit_code(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["batch", *arguments]).exit_code == 2
