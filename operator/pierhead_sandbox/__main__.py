"""`pierhead-sandbox`: a local cluster to build, start, look at and stop.

Invariant: what a command prints on standard output is its result; progress and errors go to standard
error, and an error a person can act on is one message and exit status 1, never a traceback.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from pierhead_sandbox import binaries, supervisor
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.state import NamedSandbox

_POLL_SECONDS = 0.05
_NOT_FOUND = 127

app = typer.Typer(
    help="A local cluster: a real control plane and AWS stand-ins.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Option(help="Which sandbox; several can be up at once.")]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except SandboxError as error:
        typer.echo(f"pierhead-sandbox: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def build(
    only: Annotated[
        list[str] | None, typer.Option(help="A program to build; may be repeated. All by default.")
    ] = None,
) -> None:
    """Build and cache the programs that are missing."""
    with _explained():
        paths = binaries.Binaries().ensure(only) if only else binaries.ensure_all()
    for path in paths.values():
        typer.echo(path)


@app.command()
def up(
    name: Name = "default",
    nodes: Annotated[int, typer.Option(help="Nodes that kwok plays.", min=0)] = 1,
    audit: Annotated[bool, typer.Option(help="Keep an audit log of who asked what.")] = False,
) -> None:
    """Start a sandbox that stays up, and print the file with its environment."""
    with _explained():
        named = NamedSandbox(name)
        binaries.ensure_control_plane(binaries.Binaries())
        begun = time.monotonic()
        started = _start(named, nodes=nodes, audit=audit)
    seconds = f"ready in {time.monotonic() - begun:.1f} s" if started else "up already"
    typer.echo(f"sandbox {name} is {seconds}", err=True)
    typer.echo(f"try: pierhead-sandbox exec --name {name} -- kubectl get nodes", err=True)
    typer.echo(named.environment_file)


def _start(named: NamedSandbox, *, nodes: int, audit: bool) -> bool:
    """Start a supervisor and wait until its sandbox is ready; False when one is there already."""
    phase, _ = named.phase()
    if phase == "up":
        return False
    named.clean()
    command = [sys.executable, "-m", supervisor.__name__, named.name, f"--nodes={nodes}"]
    with named.log.open("ab") as log:
        process = subprocess.Popen(
            [*command, "--audit"] if audit else command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while True:
        phase, record = named.phase()
        if phase == "up":
            return process.poll() != supervisor.ALREADY_UP
        status = process.poll()
        if status is not None and phase != "starting":
            failure = record.failure if record is not None else ""
            raise SandboxError(f"sandbox {named.name} did not start: {failure or named.log.read_text()}")
        time.sleep(_POLL_SECONDS)


@app.command()
def down(
    name: Name = "default",
    every: Annotated[bool, typer.Option("--all", help="All that are up.")] = False,
) -> None:
    """Stop a sandbox and forget it."""
    with _explained():
        for named in NamedSandbox.all() if every else [NamedSandbox(name)]:
            stopped = named.stop()
            typer.echo(f"sandbox {named.name} {'stopped' if stopped else 'was not up'}", err=True)


@app.command()
def status(
    name: Annotated[str | None, typer.Option(help="Only this one; exit status 1 unless it is up.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say what is up, and clean up after what was killed."""
    with _explained():
        chosen = [NamedSandbox(name)] if name else NamedSandbox.all()
        up_now = [_describe(named, as_json=as_json) for named in chosen]
    if not up_now:
        typer.echo("no sandbox is up", err=True)
    if name and not all(up_now):
        raise typer.Exit(1)


def _describe(named: NamedSandbox, *, as_json: bool) -> bool:
    phase, record = named.phase()
    server = record.server if record is not None else ""
    failure = record.failure if record is not None else ""
    if as_json:
        described = {"name": named.name, "phase": phase, "server": server, "failure": failure}
        typer.echo(json.dumps({**described, "programs": (record and record.programs) or {}}))
    else:
        reason = failure.partition("\n")[0]
        typer.echo(f"{named.name:<20} {phase:<9} {server or reason}".rstrip())
    if phase == "crashed":
        named.clean()
    return phase == "up"


@app.command(context_settings={"ignore_unknown_options": True})
def exec(  # noqa: A001 (the command's name)
    command: Annotated[list[str], typer.Argument(help="The command, after `--`.")],
    name: Name = "default",
) -> None:
    """Run a command with the environment of a sandbox, kubectl and helm on its PATH."""
    with _explained():
        named = NamedSandbox(name)
        phase, record = named.phase()
        if phase != "up" or record is None:
            raise SandboxError(
                f"sandbox {name} is {phase}; start it with `pierhead-sandbox up --name {name}`"
            )
    path = os.pathsep.join([str(named.programs_directory), os.environ.get("PATH", os.defpath)])
    cache = str(named.directory / "kubectl-cache")
    environment = {**os.environ, **(record.environment or {}), "PATH": path, "KUBECACHEDIR": cache}
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError:
        typer.echo(f"pierhead-sandbox: there is no command {command[0]}", err=True)
        raise typer.Exit(_NOT_FOUND) from None


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
