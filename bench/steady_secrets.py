"""`python -m bench.steady_secrets -n 1000 --secrets 50`: an hour in which nothing changes.

N SyncedSecrets name few secrets between them and are polled every hour, the operator's default. The hour
that is counted is the second one, on a driven clock (see `bench.driven`).
"""

import asyncio

from bench.arguments import numbers
from bench.driven import DrivenLoop, named, stage
from bench.lab import say
from bench.report import Result

HOUR = 3600


async def main(n: int, secrets: int) -> Result:
    """One run."""
    async with stage([named(index, index % secrets) for index in range(n)], poll_seconds=HOUR) as opened:
        aws = opened.aws
        await opened.ready(n)
        say(f"{n} are Ready after {sum(aws.calls.values())} AWS calls")
        await opened.drive(HOUR)
        aws.calls.clear()
        aws.reads.clear()
        writes = opened.writes()
        await opened.drive(HOUR)
        written, calls = opened.writes() - writes, aws.calls.total()
        figures = {
            "secrets": secrets,
            "api_writes": written,
            "aws_calls": calls,
            "secrets_read": len(aws.reads),
            "most_reads_of_one_secret": max(aws.reads.values()),
            "most_calls_in_a_second": max(aws.calls.values()),
        }
        return opened.result("steady_secrets", n, writes=written, calls=calls, figures=figures)


if __name__ == "__main__":
    arguments = numbers(__doc__, 1000, "SyncedSecrets", secrets=50)
    with asyncio.Runner(loop_factory=DrivenLoop) as runner:
        runner.run(main(*arguments)).show()
