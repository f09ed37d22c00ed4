"""`python -m bench.cold_apps -n 200`: N AppReleases of four objects, from one chart in one Git repository.

The limit is the same 4 N objects applied server-side by a bare client over as many connections.
"""

import asyncio

from bench.applications import OBJECTS, app_release, limit, names, prepare
from bench.arguments import number
from bench.lab import laboratory, say
from bench.report import Result
from pierhead.kube.resources import APP_RELEASES


async def main(n: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        url = await asyncio.to_thread(prepare, lab)
        limit_seconds = await limit(lab, names(n))
        say(f"the bare client applied {OBJECTS * n} objects in {limit_seconds:.1f} s")
        await lab.quiet()
        await asyncio.to_thread(lab.operator.start)
        measured = await lab.measure(APP_RELEASES, [app_release(name, url) for name in names(n)])
    return Result.of("cold_apps", measured, n=n, limit_seconds=limit_seconds)


if __name__ == "__main__":
    asyncio.run(main(number(__doc__, 200, "AppReleases"))).show()
