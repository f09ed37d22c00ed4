"""`python -m bench.rotate_secrets -n 200`: how soon a rotation in AWS is in the Secret, by events.

N SyncedSecrets, each of a secret of its own, are Ready and the operator hears events. Each secret is then put
once, at a steady rate; a latency is the time from the sending of PutSecretValue until a watch tells that the
Secret has the new value. AWS calls are the operator's, the polls of the queue among them.
"""

import asyncio
import base64
import json
import time

from bench.arguments import numbers
from bench.cold_secrets import client_of, create_secrets, secret_id, synced_secret
from bench.lab import NAMESPACE, Lab, following, laboratory, percentile, say
from bench.report import Result
from bench.scrape import counters
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.resources import SECRETS, SYNCED_SECRETS
from pierhead.secrets.events.installation import Installation
from pierhead_sandbox.operator_process import OperatorProcess
from pierhead_sandbox.secret_events import install_secret_events

_PATIENCE_SECONDS = 120.0
_NEW = "rotated"


class _Rotated:
    """Which Secrets have their new value since when, as the watch tells."""

    def __init__(self, n: int) -> None:
        self.at: dict[str, float] = {}
        self.all = asyncio.Event()
        self._n = n

    def told(self, _event: str, obj: Object) -> None:
        name = ObjectKey.of(obj).name
        value = base64.b64decode((obj.get("data") or {}).get("PASSWORD", "")).decode()
        if value == _NEW and name not in self.at:
            self.at[name] = time.monotonic()
            if len(self.at) == self._n:
                self.all.set()


async def until_events_arrive(lab: Lab) -> None:
    """Returns once the operator has heard a probe. Raises TimeoutError."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            text = await asyncio.to_thread(lab.operator.metrics)
            if sum(counters(text, "pierhead_secret_events_healthy", "").values()) >= 1:
                return
            await asyncio.sleep(0.2)


async def main(n: int, rate: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        environment = lab.sandbox.environment
        region, endpoint = environment["AWS_REGION"], environment["AWS_ENDPOINT_URL"]
        client = client_of(lab.sandbox)
        # Before the rule: what is created now is not to be told.
        await asyncio.to_thread(create_secrets, client, n)
        queue = await asyncio.to_thread(
            install_secret_events, Installation(prefixes=(f"{NAMESPACE}/",)), region=region, endpoint=endpoint
        )
        lab.operator = OperatorProcess(lab.sandbox, settings={"secret_events_queue_url": queue.url})
        await asyncio.to_thread(lab.operator.start)
        await lab.measure(SYNCED_SECRETS, [synced_secret(index) for index in range(n)])
        await until_events_arrive(lab)
        await lab.quiet()
        say(f"{n} SyncedSecrets are Ready, and events arrive")
        rotated, sent = _Rotated(n), dict[str, float]()

        async def put(index: int) -> None:
            sent[synced_secret(index)["metadata"]["name"]] = time.monotonic()
            value = json.dumps({"username": f"user-{index}", "password": _NEW})
            await asyncio.to_thread(client.put_secret_value, SecretId=secret_id(index), SecretString=value)

        async with following(lab.client, SECRETS, NAMESPACE, rotated.told):
            counting, began = lab.counting(), time.monotonic()
            async with asyncio.TaskGroup() as group:
                for index in range(n):
                    group.create_task(put(index))
                    await asyncio.sleep(max(0.0, began + (index + 1) / rate - time.monotonic()))
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await rotated.all.wait()
        measured = counting(
            seconds=max(rotated.at.values()) - began,
            latencies=[rotated.at[name] - moment for name, moment in sent.items()],
        )
    calls = measured.aws_calls.copy()
    del calls["secretsmanager:PutSecretValue"]
    figures = {
        "p50_ms": round(percentile(measured.latencies, 50) * 1000),
        "p99_ms": round(percentile(measured.latencies, 99) * 1000),
        "rotations_per_second": rate,
        "aws_calls_per_rotation": round(calls.total() / n, 3),
        "reads_per_rotation": round(sum(calls[name] for name in calls if "GetSecretValue" in name) / n, 3),
    }
    return Result.of("rotate_secrets", measured, n=n, figures=figures)


if __name__ == "__main__":
    asyncio.run(main(*numbers(__doc__, 200, "SyncedSecrets", rate=10))).show()
