"""What `--help` says: of every command, true to the docs, and without loading what commands need."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pierhead.cli.main import app
from repository_files import ROOT

HEAVY = ("aiohttp", "boto3", "botocore", "jinja2", "kopf", "kubernetes", "pierhead.kube", "pierhead.settings")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = CliRunner()


def commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


COMMANDS = sorted(commands(typer.main.get_command(app)))


def options(*command: str) -> dict[str, Any]:
    """The parameters of a command, by each way to write them."""
    group: Any = typer.main.get_command(app)
    for name in command[:-1]:
        group = group.commands[name]
    context = group.commands[command[-1]].make_context(command[-1], [], resilient_parsing=True)
    return {
        flag: parameter
        for parameter in context.command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_and_each_of_its_options_says_what_it_does(command: tuple[str, ...]) -> None:
    helped = RUN.invoke(app, [*command, "--help"])
    assert helped.exit_code == 0
    found = options(*command)
    assert [flag for flag, parameter in found.items() if not getattr(parameter, "help", None)] == []
    if len(command) > 1:
        assert f"`{' '.join(command)}" in (ROOT / "docs" / "cli.md").read_text()


@pytest.mark.parametrize(
    "flag", ["--namespace", "--context", "--kubeconfig", "--all-namespaces", "--output", "--timeout", "--yes"]
)
def test_an_option_is_written_the_same_in_every_command(flag: str) -> None:
    found = [options(*command)[flag] for command in COMMANDS if flag in options(*command)]
    assert len(found) > 1
    assert len({tuple(sorted(parameter.opts)) for parameter in found}) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_typed_in_the_docs_can_be_typed(page: Path) -> None:
    known = {command: options(*command) for command in COMMANDS}
    text = page.read_text()
    typed = re.findall(r"(?:^|`|\$ |    )(?:kubectl )?pierhead ((?:app|secrets|batch) [^`#\n|>]*)", text)
    typed += re.findall(r"`((?:app|secrets|batch) [a-z][^`\n]*)`", text) if page.name == "cli.md" else []
    unknown = []
    for line in typed:
        words = line.split()
        command = next((tuple(words[:n]) for n in (3, 2) if tuple(words[:n]) in known), None)
        if command is None and words[1:2] not in ([], ["COMMAND"], ["…"]):
            unknown.append(line)
        flags = re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", line)
        unknown += [
            f"{flag}: {line}" for flag in flags if command and flag not in {*known[command], "--help"}
        ]
    assert unknown == []


@pytest.mark.parametrize(
    "arguments", [(), ("batch",), ("secrets", "events")], ids=["root", "batch", "events"]
)
def test_help_loads_nothing_that_commands_need(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys; from pierhead.cli.main import app\n"
        "try: app(sys.argv[1:])\n"
        f"finally: print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--help"], capture_output=True, text=True, check=True
    )
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        (("ba",), ["batch", ":4"]),
        (("batch", "l"), ["list", "logs", ":4"]),
        (("app", "get", "--kubec"), ["--kubeconfig", ":4"]),
        (("app", "get", ""), [":4"]),
    ],
)
def test_kubectl_is_told_how_a_command_may_go_on(given: tuple[str, ...], answers: list[str]) -> None:
    code = "from pierhead.cli.completion import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True, check=True)
    assert done.stdout.split() == answers
