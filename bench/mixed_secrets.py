"""`python -m bench.mixed_secrets -n 900 --failing 100`: N SyncedSecrets beside some that fail.

What fails names a secret that does not exist. The limit is as many before the failing ones are there, in the
same run: what fails for good is an answer like any other, so both should take as long. Then the failing ones
are left to themselves for a minute.
"""

import asyncio

from bench.arguments import numbers
from bench.cold_secrets import client_of, create_secrets, synced_secret
from bench.lab import laboratory, percentile, say
from bench.report import Result
from pierhead.kube.resources import SYNCED_SECRETS

_SECONDS = 60


async def main(n: int, failing: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        await asyncio.to_thread(create_secrets, client_of(lab.sandbox), 3 * n)
        await asyncio.to_thread(lab.operator.start)
        sets = [[synced_secret(index) for index in range(first, first + n)] for first in (0, n, 2 * n)]
        bad = [synced_secret(index) for index in range(3 * n, 3 * n + failing)]
        await lab.measure(SYNCED_SECRETS, sets[0])
        alone = await lab.measure(SYNCED_SECRETS, sets[1])
        say(f"{n} SyncedSecrets are Ready after {alone.seconds:.1f} s")
        beside = await lab.measure(SYNCED_SECRETS, sets[2], among=bad)
        say(f"{n} among {failing} that fail are Ready after {beside.seconds:.1f} s")
        await lab.quiet()
        counting = lab.counting()
        await asyncio.sleep(_SECONDS)
        after = counting(seconds=_SECONDS)
    figures = {
        "failing": failing,
        "p50_seconds": percentile(beside.latencies, 50),
        "p99_seconds": percentile(beside.latencies, 99),
        "p50_seconds_alone": percentile(alone.latencies, 50),
        "p99_seconds_alone": percentile(alone.latencies, 99),
        "aws_calls_of_the_minute_after": after.aws_calls.total(),
        "api_writes_of_the_minute_after": after.api_requests[("PATCH",)],
    }
    return Result.of("mixed_secrets", beside, n=n, limit_seconds=alone.seconds, figures=figures)


if __name__ == "__main__":
    asyncio.run(main(*numbers(__doc__, 900, "healthy SyncedSecrets", failing=100))).show()
