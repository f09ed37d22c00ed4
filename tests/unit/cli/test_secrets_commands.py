"""Every command of `pierhead secrets` as it is typed, as far as no cluster and no AWS is needed."""

from typer.testing import CliRunner

from pierhead.cli.main import app


def test_the_group_says_what_it_is_for() -> None:
    assert "bring values into AWS" in CliRunner().invoke(app, ["secrets", "--help"]).output
