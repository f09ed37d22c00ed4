"""`python -m bench.outage_secrets -n 1000`: AWS is away for ten minutes, then back.

N SyncedSecrets of a secret each are polled every minute, on a driven clock (see `bench.driven`), so that each
of them meets the outage. Counted are the calls in the busiest second before, while and after it, and the
Secrets that were written or deleted meanwhile.
"""

import asyncio

from bench.arguments import number
from bench.driven import DrivenLoop, named, stage
from bench.lab import say
from bench.report import Result
from pierhead.aws.secretsmanager import BATCHES_PER_SECOND

MINUTE = 60


async def main(n: int) -> Result:
    """One run."""
    async with stage([named(index, index) for index in range(n)], poll_seconds=MINUTE) as opened:
        aws = opened.aws
        await opened.ready(n)
        await opened.drive(3 * MINUTE)
        before, secrets = max(aws.calls.values()), await opened.secrets()
        aws.calls.clear()
        aws.away = True
        await opened.drive(10 * MINUTE)
        say(f"{aws.calls.total()} calls in ten minutes of outage")
        away, writes = aws.calls.copy(), opened.writes()
        aws.calls.clear()
        aws.away = False
        recovery = await opened.ready(n)
        after = await opened.secrets()
        figures = {
            "bucket_calls_per_second": BATCHES_PER_SECOND,
            "most_calls_in_a_second_before": before,
            "most_calls_in_a_second_of_the_outage": max(away.values()),
            "most_calls_in_a_second_after": max(aws.calls.values()),
            "calls_of_the_outage": away.total(),
            "calls_until_all_are_ready": aws.calls.total(),
            "recovery_seconds": round(recovery, 1),
            "secrets_changed": len(set(secrets.items()) ^ set(after.items())),
        }
        written = opened.writes() - writes
        return opened.result("outage_secrets", n, writes=written, calls=aws.calls.total(), figures=figures)


if __name__ == "__main__":
    arguments = number(__doc__, 1000, "SyncedSecrets")
    with asyncio.Runner(loop_factory=DrivenLoop) as runner:
        runner.run(main(arguments)).show()
