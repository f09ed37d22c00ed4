"""Every command of `pierhead batch` as it is typed, as far as no cluster is needed."""

import pytest
from typer.testing import CliRunner

from pierhead.cli.main import app


@pytest.mark.parametrize("arguments", [("watch", "j", "--timeout", "soon"), ("get",)])
def test_wrong_usage_has_its_own_exit_code(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["batch", *arguments]).exit_code == 2
