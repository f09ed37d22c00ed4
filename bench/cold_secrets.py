"""`python -m bench.cold_secrets -n 1000`: N SyncedSecrets, each two properties of a secret of its own.

The limit is the least that has to be asked and written: N/20 BatchGetSecretValue calls and N Secrets applied
server-side, by a bare client over as many connections.
"""

import asyncio
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from bench.arguments import number
from bench.lab import LIMIT_NAMESPACE, NAMESPACE, Lab, each, laboratory, say
from bench.report import Result
from pierhead.engine.resource import Object
from pierhead.kube.resources import SECRETS, SYNCED_SECRETS
from pierhead_sandbox.sandbox import Sandbox

KEYS = {"USER": "username", "PASSWORD": "password"}
BATCH = 20
THREADS = 8


def secret_id(index: int) -> str:
    """Name in AWS; begins with the namespace, as the default policy wants it."""
    return f"{NAMESPACE}/secret-{index:05}"


def synced_secret(index: int) -> Object:
    """One SyncedSecret."""
    data = [
        {"key": key, "from": {"secret": secret_id(index), "property": name}} for key, name in KEYS.items()
    ]
    return {
        "apiVersion": SYNCED_SECRETS.api_version,
        "kind": SYNCED_SECRETS.kind,
        "metadata": {"name": f"secret-{index:05}", "namespace": NAMESPACE},
        "spec": {"data": data},
    }


def client_of(sandbox: Sandbox) -> Any:
    """Secrets Manager of the stand-in."""
    environment = sandbox.environment
    return boto3.client(
        "secretsmanager",
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="pierhead-bench",
        aws_secret_access_key="pierhead-bench",
    )


def create_secrets(client: Any, n: int, first: int = 0) -> None:
    """The secrets in AWS, from number `first`."""

    def create(index: int) -> None:
        value = json.dumps({"username": f"user-{index}", "password": f"password-{index}"})
        client.create_secret(Name=secret_id(index), SecretString=value)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(create, range(first, first + n)))


async def limit(lab: Lab, client: Any, n: int) -> float:
    """Seconds of the bare client."""

    async def copy(identifiers: tuple[str, ...]) -> None:
        answer = await asyncio.to_thread(client.batch_get_secret_value, SecretIdList=list(identifiers))
        await lab.apply_all((SECRETS, secret(value)) for value in answer["SecretValues"])

    began = time.monotonic()
    await each(_batches(n), copy, at_once=THREADS)
    return time.monotonic() - began


def secret(value: dict[str, Any]) -> Object:
    """The Kubernetes Secret of one value."""
    properties = json.loads(value["SecretString"])
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": {"name": value["Name"].rpartition("/")[2], "namespace": LIMIT_NAMESPACE},
        "stringData": {key: properties[name] for key, name in KEYS.items()},
    }


def _batches(n: int) -> list[tuple[str, ...]]:
    identifiers = iter(secret_id(index) for index in range(n))
    return list(iter(lambda: tuple(itertools.islice(identifiers, BATCH)), ()))


async def main(n: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        client = client_of(lab.sandbox)
        await asyncio.to_thread(create_secrets, client, n)
        say(f"{n} secrets are in AWS")
        limit_seconds = await limit(lab, client, n)
        say(f"the bare client copied them in {limit_seconds:.1f} s")
        await lab.quiet()
        await asyncio.to_thread(lab.operator.start)
        measured = await lab.measure(SYNCED_SECRETS, [synced_secret(index) for index in range(n)])
    return Result.of("cold_secrets", measured, n=n, limit_seconds=limit_seconds)


if __name__ == "__main__":
    asyncio.run(main(number(__doc__, 1000, "SyncedSecrets"))).show()
