"""The first commands."""

import pytest
from typer.testing import CliRunner

from pierhead import __version__
from pierhead.cli.main import app
from pierhead.cli.settings import setting_lines
from pierhead.settings import Settings


def test_version() -> None:
    assert CliRunner().invoke(app, ["version"]).stdout.strip() == __version__


def test_every_setting_is_listed_with_its_default_and_what_it_does() -> None:
    listed = CliRunner().invoke(app, ["settings"]).stdout.splitlines()
    assert len(listed) == len(Settings.model_fields)
    assert "PIERHEAD_WORKERS\t32\tObjects of one kind reconciled at once." in listed


def test_a_listed_default_is_what_the_variable_would_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in setting_lines():
        assert line.description, line.variable
        monkeypatch.setenv(line.variable, line.default)
    assert Settings() == Settings.model_construct()
