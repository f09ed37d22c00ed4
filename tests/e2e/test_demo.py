"""The demo as people run it."""

import asyncio
import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pierhead_sandbox.demo.claims import Claim
from repository_files import ROOT
from support.canary import Traces

pytestmark = pytest.mark.xdist_group("e2e")

STAYS = "It stays up until Ctrl-C"


@pytest.mark.timeout(240)
async def test_everything_it_claims_holds_and_it_stays_up_until_it_is_told() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pierhead_sandbox.demo", "--keep", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        async for line in process.stdout:
            said.append(line.decode())
            if "operator's log is" in said[-1]:
                break
        text = "".join(said)
        assert STAYS in text, text
        ticks = [line for line in said if line.lstrip().startswith("✓")]
        assert len(ticks) == len(Claim), text

        environment = next(line.split()[1] for line in said if line.strip().startswith("source "))
        command = f". {environment} && kubectl get deployment shop -n shop -o name && helm list -A -q"
        looked = await asyncio.to_thread(
            subprocess.run, ["sh", "-c", command], capture_output=True, text=True, check=True
        )
        assert looked.stdout.split() == ["deployment.apps/shop", "shop"]
        assert await asyncio.to_thread(_leaks, Path(environment).parent, environment, text) == {}

        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.stdout.read()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    folder = Path(environment).parent
    assert not folder.exists()
    assert [command for command in _commands() if str(folder) in command] == []


def _leaks(folder: Path, environment: str, said: str) -> dict[str, list[str]]:
    """Where the shop's password is, beside its Secret: in what was said, a log, or an object."""
    look = "kubectl get secret shop-db -n shop -o json; kubectl get synced,deploy,events -A -o json"
    found = subprocess.run(
        ["sh", "-c", f". {environment} && {look}"], capture_output=True, text=True, check=True
    ).stdout
    secret, end = json.JSONDecoder().raw_decode(found)
    password = base64.b64decode(secret["data"]["DB_PASSWORD"])
    logs = {path.name: path.read_text(errors="replace") for path in folder.glob("*.log")}
    assert "operator.log" in logs
    places = {**logs, "said": said, "objects": found[end:], "metadata": json.dumps(secret["metadata"])}
    traces = Traces([password], keys=["DB_PASSWORD"])
    return {name: forms for name, text in places.items() if (forms := traces.found_in(text))}


def _commands() -> Iterator[str]:
    """Of every process there is."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_text()
