"""`python -m bench.flat_memory -n 200 --rounds 50`: N AppReleases are upgraded again and again.

What counts is the memory after the last round beside that after the tenth, when histories are at their limit
and caches are warm. There is one renderer: a second one that comes at a busy moment is no leak. There is no
bare client here: its memory says nothing.
"""

import asyncio
import time

from bench.applications import app_release, names, prepare
from bench.arguments import numbers
from bench.lab import laboratory, say
from bench.report import Result
from bench.usage import usage_of
from pierhead.kube.resources import APP_RELEASES

WARM = 10


async def main(n: int, rounds: int) -> Result:
    """One run."""
    async with laboratory({"renderer_processes": 1}) as lab:
        url = await asyncio.to_thread(prepare, lab)
        await asyncio.to_thread(lab.operator.start)
        measured = await lab.measure(APP_RELEASES, [app_release(name, url) for name in names(n)])
        resident: list[float] = []
        began = time.monotonic()
        for number in range(1, rounds + 1):
            upgrades = [app_release(name, url, tag=str(number + 1)) for name in names(n)]
            measured = await lab.measure(APP_RELEASES, upgrades, generation=number + 1)
            resident.append(usage_of(lab.operator.pid).rss_mib)
            say(f"round {number}: {measured.seconds:.1f} s, {resident[-1]:.1f} MiB")
        seconds = time.monotonic() - began
    warm = resident[min(WARM, rounds) - 1]
    figures = {
        "rounds": rounds,
        "rss_mib_when_warm": round(warm, 1),
        "rss_mib_at_the_end": round(resident[-1], 1),
        "growth_percent": round((resident[-1] / warm - 1) * 100, 1),
    }
    return Result.of("flat_memory", measured, n=n, seconds=seconds, figures=figures)


if __name__ == "__main__":
    asyncio.run(main(*numbers(__doc__, 200, "AppReleases", rounds=50))).show()
