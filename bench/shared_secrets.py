"""`python -m bench.shared_secrets -n 5000 --secrets 250`: N SyncedSecrets that name few secrets between them.

The SyncedSecrets are there before the operator, which is then started: it has all of them before it at once,
with 32 workers. Neighbours name different secrets, so whoever names the same one stands far behind. The
limit is the same as that of `cold_secrets`, but with as many calls as the few secrets take.
"""

import asyncio
import time
from collections import Counter
from typing import Any

from bench.arguments import numbers
from bench.cold_secrets import BATCH, client_of, create_secrets, secret, secret_id, synced_secret
from bench.lab import NAMESPACE, Lab, laboratory, say
from bench.report import Result
from pierhead.engine.resource import Object
from pierhead.kube.resources import SECRETS, SYNCED_SECRETS
from pierhead_sandbox.aws.control import AwsControl


def shared(index: int, secrets: int) -> Object:
    """One SyncedSecret; every `secrets`-th names the same."""
    obj = synced_secret(index % secrets)
    obj["metadata"]["name"] = f"secret-{index:05}"
    return obj


def reads_of(aws: AwsControl) -> Counter[str]:
    """How often each secret was read, alone or in a batch."""
    return Counter(
        name
        for call in aws.call_log()
        if call.operation in {"GetSecretValue", "BatchGetSecretValue"}
        for name in call.resources
        if name.startswith(f"{NAMESPACE}/")
    )


async def limit(lab: Lab, client: Any, n: int, secrets: int) -> float:
    """Seconds of the bare client."""
    began = time.monotonic()
    values: list[dict[str, Any]] = []
    for first in range(0, secrets, BATCH):
        ids = [secret_id(index) for index in range(first, min(first + BATCH, secrets))]
        answer = await asyncio.to_thread(client.batch_get_secret_value, SecretIdList=ids)
        values += answer["SecretValues"]
    bodies = [secret(values[index % secrets]) for index in range(n)]
    for index, body in enumerate(bodies):
        body["metadata"]["name"] = f"secret-{index:05}"
    await lab.apply_all((SECRETS, body) for body in bodies)
    return time.monotonic() - began


async def main(n: int, secrets: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        client = client_of(lab.sandbox)
        await asyncio.to_thread(create_secrets, client, secrets)
        limit_seconds = await limit(lab, client, n, secrets)
        say(f"the bare client copied {secrets} secrets into {n} in {limit_seconds:.1f} s")
        await lab.quiet()
        lab.sandbox.aws.clear_calls()
        measured = await lab.measure_start(SYNCED_SECRETS, [shared(index, secrets) for index in range(n)])
        reads = reads_of(lab.sandbox.aws)
    figures = {
        "secrets": secrets,
        "secrets_read": len(reads),
        "most_reads_of_one_secret": max(reads.values()),
        "reads": reads.total(),
    }
    return Result.of("shared_secrets", measured, n=n, limit_seconds=limit_seconds, figures=figures)


if __name__ == "__main__":
    asyncio.run(main(*numbers(__doc__, 5000, "SyncedSecrets", secrets=250))).show()
