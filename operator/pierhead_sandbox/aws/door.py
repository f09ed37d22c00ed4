"""The server's side of the sandbox's own door: `POST /sandbox/<what>` with JSON, answered with JSON.

Invariant: every entry is a plain function of its JSON arguments, and `control` has a method for it.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from pierhead_sandbox.aws.answer import Answer, json_answer
from pierhead_sandbox.aws.batch import registry
from pierhead_sandbox.aws.batch.describe import array_properties
from pierhead_sandbox.aws.batch.errors import ClientError
from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.settings import BatchSettings, Script
from pierhead_sandbox.aws.batch.world import World
from pierhead_sandbox.aws.calls import CallLog
from pierhead_sandbox.aws.ecr import Ecr
from pierhead_sandbox.aws.eks_auth import EksAuth
from pierhead_sandbox.aws.faults import FaultBook
from pierhead_sandbox.aws.protocol import Fault
from pierhead_sandbox.aws.written import WrittenValues

Json = dict[str, Any]

_BAD_REQUEST = 400
_UNKNOWN = 404


class Door:
    """Answers the paths under /sandbox/."""

    def __init__(
        self,
        *,
        calls: CallLog,
        faults: FaultBook,
        written: WrittenValues,
        world: World,
        ecr: Ecr,
        eks_auth: EksAuth,
        account: str,
        reset_moto: Callable[[], None],
    ) -> None:
        self._calls = calls
        self._faults = faults
        self._world = world
        self._ecr = ecr
        self._eks_auth = eks_auth
        self._account = account
        self._reset_moto = reset_moto
        self._entries: dict[str, Callable[[Json], Any]] = {
            "health": lambda _: "ok",
            "reset": self._reset,
            "calls": lambda _: self._calls.counts(),
            "calls/log": lambda given: self._calls.entries(since=float(given.get("since", 0))),
            "calls/clear": lambda _: self._calls.clear(),
            "faults": lambda _: [report.model_dump() for report in self._faults.reports()],
            "faults/add": lambda given: self._faults.add(Fault.model_validate(given), time.monotonic()),
            "faults/remove": lambda given: self._faults.remove(given.get("id")),
            "secrets/written": lambda _: written.take(),
            "ecr/scan": lambda given: self._ecr.scan({"account": self._account, **given}),
            "ecr/last": lambda given: self._ecr.last(float(given["seconds"])),
            "eks/associate": self._eks_auth.associate,
            "batch/settings": self._settings,
            "batch/scripts/add": self._add_script,
            "batch/scripts/clear": self._clear_scripts,
            "batch/release": lambda given: self._each(given, self._world.release),
            "batch/forget": lambda given: self._each(given, self._world.forget),
            "batch/freeze": lambda _: self._clock(self._world.freeze),
            "batch/run": lambda _: self._clock(self._world.run),
            "batch/advance": lambda given: self._clock(lambda: self._world.advance(float(given["seconds"]))),
            "batch/now": lambda _: self._clock(lambda: None),
            "batch/submissions": self._submissions,
            "batch/jobs": self._jobs,
            "batch/queue": self._queue,
        }

    def __call__(self, method: str, path: str, body: bytes) -> Answer:
        """One request; GET serves a person with a browser as well."""
        entry = self._entries.get(path.removeprefix("/sandbox/").strip("/"))
        if entry is None or method not in {"GET", "POST"}:
            return json_answer(
                {"error": f"no {method} {path} here", "paths": sorted(self._entries)}, _UNKNOWN
            )
        try:
            return json_answer(entry(json.loads(body) if body else {}))
        except (ClientError, KeyError, ValidationError, ValueError) as error:
            return json_answer({"error": f"{type(error).__name__}: {error}"}, _BAD_REQUEST)

    def _reset(self, given: Json) -> None:
        self._faults.remove()
        with self._world.open():
            if given.get("resources", True):
                self._world.reset()
                self._reset_moto()
                self._ecr.reset()
                self._eks_auth.reset()
            else:
                self._world.settle_down()
        self._calls.clear()

    def _settings(self, given: Json) -> Json:
        with self._world.open():
            if given:
                merged = {**self._world.settings.model_dump(), **given}
                self._world.settings = BatchSettings.model_validate(merged)
            return self._world.settings.model_dump()

    def _add_script(self, given: Json) -> None:
        script = Script.model_validate(given)
        with self._world.open():
            self._world.add_script(script)

    def _clear_scripts(self, _: Json) -> None:
        with self._world.open():
            self._world.clear_scripts()

    def _each(self, given: Json, act: Callable[[Job], None]) -> int:
        wanted = given.get("job_id")
        with self._world.open():
            chosen = [
                job
                for region in self._world.regions()
                for job in list(region.jobs.values())
                if wanted in {None, job.id}
            ]
            for job in chosen:
                act(job)
        return len(chosen)

    def _clock(self, act: Callable[[], None]) -> float:
        with self._world.open():
            act()
            return self._world.now()

    def _submissions(self, _: Json) -> list[Json]:
        with self._world.open():
            return [submission.model_dump() for submission in self._world.submissions]

    def _jobs(self, _: Json) -> list[Json]:
        with self._world.open():
            return [
                {
                    "job_id": job.id,
                    "job_name": job.name,
                    "queue": job.queue.name,
                    "region": job.region.name,
                    "status": job.status.name,
                    "array": array_properties(job, None, self._world.now(), 0),
                }
                for region in self._world.regions()
                for job in region.jobs.values()
            ]

    def _queue(self, given: Json) -> Json:
        with self._world.open():
            region = self._world.region(self._account, str(given["region"]))
            return registry.sandbox_queue(region, str(given["name"]))
