"""Every command of `pierhead secrets` as it is typed, as far as no cluster and no AWS is needed."""

import pytest
from typer.testing import CliRunner

from pierhead.cli.main import app


def run(*arguments: str):
    return CliRunner().invoke(app, ["secrets", *arguments])


def test_the_group_says_what_it_is_for() -> None:
    assert "bring values into AWS" in run("--help").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("adopt",),
        ("audit", ".", "--cluster"),
        ("cost", "--interval", "often"),
        ("import", ".env"),
        ("import", ".env", "--name", "shop/env", "--create"),
        ("refresh",),
        ("refresh", "a", "--timeout", "soon"),
        ("status", "-o", "table"),
        ("why",),
    ],
)
def test_wrong_usage_has_an_exit_code_of_its_own(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
