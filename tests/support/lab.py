"""A kind of a test's own, and processes of the operator that reconcile it."""

import asyncio
import contextlib
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, LEASES, ResourceType
from pierhead_sandbox.ports import Reservation
from pierhead_sandbox.sandbox import Sandbox
from support.objects import definition, served

ROOT = Path(__file__).parents[2]


@dataclass
class Process:
    """One process of the operator."""

    group: str
    environment: dict[str, str]
    log: Path
    probe: str
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> "Process":
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "support.widget_operator",
                self.group,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self, within: float) -> int:
        """Its exit code."""
        assert self.process is not None
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def ready(self, within: float = 20.0) -> None:
        """Returns once /readyz says yes."""
        await self.eventually(lambda: self.ask("/readyz")[0] == 200, within)

    async def leads(self, within: float = 20.0) -> None:
        """Returns once it holds the Lease and has seen every object."""
        held = 'leader_election_master_status{name="pierhead-leader"} 1.0'
        await self.eventually(lambda: held in self.ask("/metrics")[1], within)
        await self.ready(within)

    async def eventually(self, condition: Callable[[], bool], within: float) -> None:
        deadline = time.monotonic() + within
        while not await asyncio.to_thread(condition):
            assert self.process is not None
            assert self.process.returncode is None, f"ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"not within {within} s:\n{self.log.read_text()}"
            await asyncio.sleep(0.05)

    def ask(self, path: str) -> tuple[int, str]:
        """Answer of the probe port; 0 for none."""
        try:
            with urllib.request.urlopen(f"http://{self.probe}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def logged(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@dataclass
class Lab:
    """A namespace, a kind, and the processes that a test starts."""

    sandbox: Sandbox
    kube: Client
    namespace: str
    resource: ResourceType
    folder: Path
    processes: list[Process] = field(default_factory=list)

    def process(self, **settings: str) -> Process:
        """A process that is not started yet."""
        with Reservation() as port:
            probe = port.address
        given = {
            "NAMESPACE": self.namespace,
            "WATCH_NAMESPACES": json.dumps([self.namespace]),
            "PROBE_ADDRESS": probe,
            "RESYNC_SECONDS": "1200",
            **{name.upper(): value for name, value in settings.items()},
        }
        environment = {
            "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tests'}",
            "PATH": "/usr/bin:/bin",
            **self.sandbox.environment,
            **{f"PIERHEAD_{name}": value for name, value in given.items()},
        }
        log = self.folder / f"operator-{len(self.processes)}.log"
        process = Process(self.resource.group, environment, log, probe)
        self.processes.append(process)
        return process

    async def close(self) -> None:
        """Ends its processes, and lets what they held go."""
        for process in self.processes:
            await process.kill()
        for obj in await self.objects() if self.processes else ():
            metadata = obj["metadata"]
            if metadata.get("finalizers"):
                await self.kube.merge_patch(
                    self.resource, metadata["name"], self.namespace, {"metadata": {"finalizers": None}}
                )

    async def define(self) -> None:
        """Creates the CRD."""
        await self.kube.create(
            CUSTOM_RESOURCE_DEFINITIONS, definition(self.resource.kind, self.resource.group)
        )
        await served(self.kube, self.resource)

    async def create(self, name: str, **spec: Any) -> None:
        await self.kube.create(
            self.resource,
            {
                "apiVersion": self.resource.api_version,
                "kind": self.resource.kind,
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": spec,
            },
        )

    async def objects(self) -> list[dict[str, Any]]:
        pages = self.kube.pages(self.resource, self.namespace)
        try:
            return [item async for page in pages for item in page.items]
        except NotFound:
            return []

    async def settled(self, within: float = 30.0) -> list[dict[str, Any]]:
        """All objects, once every one shows its generation's status."""
        deadline = time.monotonic() + within
        while True:
            objects = await self.objects()
            late = [
                obj["metadata"]["name"]
                for obj in objects
                if obj.get("status", {}).get("observedGeneration") != obj["metadata"]["generation"]
            ]
            if not late:
                return objects
            assert time.monotonic() < deadline, f"not settled: {late[:5]}"
            await asyncio.sleep(0.05)

    async def empty(self, within: float) -> None:
        """Returns once there are no objects."""
        deadline = time.monotonic() + within
        while await self.objects():
            assert time.monotonic() < deadline, f"objects after {within} s"
            await asyncio.sleep(0.05)

    async def events(self, within: float) -> list[dict[str, Any]]:
        """The namespace's Events, once there is one."""
        deadline = time.monotonic() + within
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        while not (found := (await self.kube.raw_get(path))["items"]):
            assert time.monotonic() < deadline, f"no Event after {within} s"
            await asyncio.sleep(0.05)
        return list(found)

    async def holder(self) -> str:
        lease = await self.kube.get(LEASES, "pierhead-leader", self.namespace)
        found: str = lease["spec"]["holderIdentity"]
        return found

    def writes(self) -> int:
        """Write requests about the kind so far."""
        counts = self.sandbox.request_counts("pierhead/")
        return sum(
            count for kind, count in counts.items() if kind.group == self.resource.group and kind.writes
        )


def say(text: str) -> None:
    """Shows a measurement to who runs pytest with -s."""
    sys.stdout.write(f"\n{text}\n")
