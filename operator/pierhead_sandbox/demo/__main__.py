"""`python -m pierhead_sandbox.demo`: see it work, and with `--keep` look around afterwards.

Invariant: the exit status is 0 only if everything that is claimed was checked and held. Whatever happens,
nothing is left running.
"""

import argparse
import asyncio
import signal
import sys
from contextlib import ExitStack

from rich.console import Console
from rich.text import Text

from pierhead_sandbox.binaries import ensure_all
from pierhead_sandbox.demo import results
from pierhead_sandbox.demo.claims import Ledger
from pierhead_sandbox.demo.display import Stage, best_display
from pierhead_sandbox.demo.story import tell
from pierhead_sandbox.demo.world import World, write_environment
from pierhead_sandbox.errors import SandboxError

_INTERRUPTED = 130
_LOG_LINES = 25
_PLAIN_WIDTH = 120


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m pierhead_sandbox.demo",
        description="Three custom resources become Ready on a real control plane: an AppRelease (a Helm "
        "chart and a Kustomize overlay on top), a SyncedSecret and a BatchJob; then pictures go through a "
        "pipeline of EventTriggers. What they made is checked. "
        "Takes about half a minute once the programs are built.",
    )
    parser.add_argument("--keep", action="store_true", help="leave everything up to play with, until Ctrl-C")
    keep: bool = parser.parse_args(arguments).keep
    # Where nobody sees a terminal, lines need not end at its usual 80 columns.
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    try:
        ensure_all()
        return asyncio.run(Demo(console, keep=keep).run())
    except KeyboardInterrupt:
        return _INTERRUPTED
    except SandboxError as error:
        console.print(Text(f"the demo failed: {error}", style="red"))
        return 1


class Demo:
    """One run on one console."""

    def __init__(self, console: Console, *, keep: bool) -> None:
        self._console = console
        self._keep = keep
        self._ledger = Ledger()
        self._display = ExitStack()

    async def run(self) -> int:
        """The exit status."""
        display = best_display(self._console)
        stage = Stage(display)
        failure: SandboxError | None = None
        with self._display:
            self._display.enter_context(display)
            try:
                await tell(stage, self._ledger, self._after)
            except SandboxError as error:
                failure = error
        if failure is not None:
            self._console.print(Text(f"\n{failure}", style="red"))
            self._console.print(results.claimed(self._ledger.findings))
        if not self._keep or failure is not None:
            self._console.print(self._verdict(stage.seconds))
        return 0 if self._ledger.holds and failure is None else 1

    async def _after(self, world: World, error: SandboxError | None) -> None:
        """Looks at the world before it goes."""
        if error is not None:
            self._display.close()
            self._explain(world)
            return
        tables = await asyncio.to_thread(results.made, world)
        self._display.close()
        self._console.print(tables)
        self._console.print(results.claimed(self._ledger.findings))
        if self._keep:
            await self._stay(world)

    async def _stay(self, world: World) -> None:
        environment = await asyncio.to_thread(write_environment, world.sandbox)
        say = self._console.print
        say(Text("It stays up until Ctrl-C. To look around, in another terminal:\n", style="bold"))
        namespace = world.shop.namespace
        for command in (
            f"source {environment}",
            f"kubectl get appreleases,syncedsecrets,batchjobs,eventtriggers -n {namespace}",
            f"kubectl describe apprelease shop -n {namespace}",
            f"helm history shop -n {namespace}; helm get manifest shop -n {namespace}",
            f"kubectl scale deployment shop -n {namespace} --replicas=1   # and see it put back",
            f"kubectl delete secret shop-db -n {namespace}                # likewise",
            "kubectl explain batchjob.spec",
        ):
            say(Text(f"  {command}", style="cyan"), soft_wrap=True)
        say(Text(f"\nThe operator's log is {world.operator.log}\n"), soft_wrap=True)
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await stopped.wait()
        say("stopping")

    def _explain(self, world: World) -> None:
        """What helps to find out why a step failed."""
        custom = "appreleases,syncedsecrets,batchjobs,eventtriggers"
        said = world.sandbox.kubectl("get", custom, "-n", world.shop.namespace, "-o", "wide", check=False)
        log = world.operator.log.read_text().splitlines()[-_LOG_LINES:]
        for title, text in (("The objects", said.stdout), ("The operator's log ends", "\n".join(log))):
            self._console.print(Text(f"\n{title}:", style="bold"))
            self._console.print(Text(text), soft_wrap=True)

    def _verdict(self, seconds: float) -> Text:
        findings = self._ledger.findings.values()
        held = sum(finding is not None and finding.holds for finding in findings)
        style = "bold green" if self._ledger.holds else "bold red"
        return Text(f"{held} of {len(findings)} claims hold, after {seconds:.0f} s", style=style)


if __name__ == "__main__":
    sys.exit(main())
