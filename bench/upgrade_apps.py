"""`python -m bench.upgrade_apps -n 200`: N Ready AppReleases get another image, one object of four.

The limit is the same 4 N objects applied server-side, of which N change, by a bare client over as many
connections: like the operator it has to find out what changed.
"""

import asyncio

from bench.applications import OBJECTS, app_release, limit, names, observed, prepare
from bench.arguments import number
from bench.lab import laboratory, say
from bench.report import Result
from pierhead.kube.resources import APP_RELEASES


async def main(n: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        url = await asyncio.to_thread(prepare, lab)
        await limit(lab, names(n))
        limit_seconds = await limit(lab, names(n), tag="2")
        until_observed = limit_seconds + await observed(lab, n, tag="2")
        say(
            f"the bare client applied {OBJECTS * n} objects again in {limit_seconds:.1f} s; "
            f"their Deployments were observed after {until_observed:.1f} s"
        )
        await lab.quiet()
        await asyncio.to_thread(lab.operator.start)
        cold = await lab.measure(APP_RELEASES, [app_release(name, url) for name in names(n)])
        say(f"{n} AppReleases are Ready after {cold.seconds:.1f} s")
        await lab.quiet()
        upgrades = [app_release(name, url, tag="2") for name in names(n)]
        measured = await lab.measure(APP_RELEASES, upgrades, generation=2)
    figures = {"limit_until_observed_seconds": round(until_observed, 3)}
    return Result.of("upgrade_apps", measured, n=n, limit_seconds=limit_seconds, figures=figures)


if __name__ == "__main__":
    asyncio.run(main(number(__doc__, 200, "AppReleases"))).show()
