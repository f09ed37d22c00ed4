"""`cost`: what reading SyncedSecrets costs in a month.

Invariant: it reads and never writes; what a figure leaves out is told with it.
"""

from pathlib import Path
from typing import Annotated

import typer

from pierhead.cli import options
from pierhead.cli.cluster import on
from pierhead.cli.failures import CommandError
from pierhead.cli.listing import Columns, Entry, objects_of, print_list
from pierhead.cli.output import show
from pierhead.cli.place import Place
from pierhead.cli.secrets.costs import prices as price_lists
from pierhead.cli.secrets.costs.estimate import estimates
from pierhead.cli.secrets.options import EventsIntervalOption, IntervalOption, OptionalNameArgument
from pierhead.cli.secrets.views import Cadence
from pierhead.kube.resources import SYNCED_SECRETS
from pierhead.secrets.freshness import shown


def cost(
    place: Place,
    name: OptionalNameArgument = None,
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
    # All of them also for one: who shares its reads decides what it costs.
    objects = on(place, lambda cluster: objects_of(cluster, SYNCED_SECRETS, all_namespaces=all_namespaces))
    found = estimates(objects, cadence=Cadence(interval, events_interval), prices=prices)
    if name is not None:
        found = [one for one in found if one.name == name]
        if not found:
            raise CommandError(f"there is no SyncedSecret {name} here")
    total = {
        "callsPerMonth": round(sum(one.calls for one in found), 1),
        "costPerMonth": round(sum(one.cost for one in found), 4),
    }
    entries = [one.data() for one in found]

    def text() -> None:
        print_list(SYNCED_SECRETS, entries, _columns(prices.currency), all_namespaces=all_namespaces)
        service = "Secrets Manager"
        typer.echo(
            f"in all {total['callsPerMonth']:,.0f} calls and {total['costPerMonth']:,.2f} {prices.currency} "
            f"in 30 days; prices of {prices.date}: {prices.secret_calls:g} for 10,000 calls of {service}. "
            "Not in it: storage, KMS with keys of yours, retries of what fails, and reads after rotations, "
            "changes and starts of the operator",
            err=True,
        )

    data = {"prices": prices.model_dump(by_alias=True), "objects": entries, "total": total}
    show(data, output, text)


def _columns(currency: str) -> Columns:
    def more(entry: Entry) -> str:
        return "+" if entry["incomplete"] else ""

    return {
        "MODE": lambda entry: entry["mode"],
        "INTERVAL": lambda entry: "" if entry["intervalSeconds"] is None else shown(entry["intervalSeconds"]),
        "READS": lambda entry: f"{entry['reads']}{more(entry)}",
        "CALLS/MONTH": lambda entry: f"{entry['callsPerMonth']:,.0f}{more(entry)}",
        "ALONE": lambda entry: f"{entry['callsPerMonthAlone']:,.0f}{more(entry)}",
        "COST/MONTH": lambda entry: f"{entry['costPerMonth']:,.4f} {currency}",
    }
