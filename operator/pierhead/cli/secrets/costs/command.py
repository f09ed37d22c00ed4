"""`cost`: what reading SyncedSecrets costs in a month.

Invariant: it reads and never writes; what a figure leaves out is told with it.
"""

from pathlib import Path
from typing import Annotated

import typer

from pierhead.cli import options
from pierhead.cli.cluster import Place, on
from pierhead.cli.failures import CommandError
from pierhead.cli.output import print_table, show
from pierhead.cli.secrets.costs import prices as price_lists
from pierhead.cli.secrets.costs.estimate import Estimate, estimates
from pierhead.cli.secrets.options import EventsIntervalOption, IntervalOption, OptionalNameArgument
from pierhead.cli.secrets.show import listed
from pierhead.cli.secrets.views import Cadence
from pierhead.secrets.freshness import shown


def cost(
    name: OptionalNameArgument = None,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
    all_namespaces: options.AllNamespacesOption = False,
    interval: IntervalOption = "1h",
    events_interval: EventsIntervalOption = "12h",
    price_list: Annotated[
        Path | None, typer.Option("--prices", help="File with other prices; see docs/cli.md.")
    ] = None,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Estimate the calls that SyncedSecrets make in AWS in a month, and their price."""
    prices = price_lists.prices(price_list)
    place = Place(kubeconfig=kubeconfig, context=context, namespace=namespace)
    # All of them also for one: who shares its reads decides what it costs.
    objects = on(place, lambda cluster: listed(cluster, None, all_namespaces=all_namespaces))
    found = estimates(objects, cadence=Cadence(interval, events_interval), prices=prices)
    if name is not None:
        found = [one for one in found if one.name == name]
        if not found:
            raise CommandError(f"there is no SyncedSecret {name} here")
    total = {
        "callsPerMonth": round(sum(one.calls for one in found), 1),
        "costPerMonth": round(sum(one.cost for one in found), 4),
    }
    listing = prices.model_dump(by_alias=True)

    def text() -> None:
        headers = ["NAMESPACE", "NAME", "MODE", "INTERVAL", "READS", "CALLS/MONTH", "ALONE", "COST/MONTH"]
        rows = [_row(one, prices.currency) for one in found]
        skip = 0 if all_namespaces else 1
        print_table(headers[skip:], [row[skip:] for row in rows])
        service = "Secrets Manager"
        typer.echo(
            f"in all {total['callsPerMonth']:,.0f} calls and {total['costPerMonth']:,.2f} {prices.currency} "
            f"in 30 days; prices of {prices.date}: {prices.secret_calls:g} for 10,000 calls of {service}. "
            "Not in it: storage, KMS with keys of yours, retries of what fails, and reads after rotations, "
            "changes and starts of the operator",
            err=True,
        )

    show({"prices": listing, "objects": [one.data() for one in found], "total": total}, output, text)


def _row(one: Estimate, currency: str) -> list[str]:
    more = "+" if one.incomplete else ""
    return [
        one.namespace,
        one.name,
        one.mode,
        shown(one.interval) if one.interval is not None else "",
        f"{one.reads}{more}",
        f"{one.calls:,.0f}{more}",
        f"{one.alone:,.0f}{more}",
        f"{one.cost:,.4f} {currency}",
    ]
