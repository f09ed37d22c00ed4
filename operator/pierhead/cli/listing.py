"""Lists of the objects of a kind.

Invariant: a table has a line for each entry of the data that `-o json` prints, and says its namespace where
there may be several.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

from pierhead.cli.cluster import Cluster
from pierhead.cli.output import print_table
from pierhead.engine.resource import Object
from pierhead.kube.resources import ResourceType

Entry = Mapping[str, Any]
Columns = Mapping[str, Callable[[Entry], str]]
"""What stands in each column, by its header."""


async def objects_of(cluster: Cluster, resource: ResourceType, *, all_namespaces: bool) -> list[Object]:
    """All objects of a kind in the namespace that is meant, or in all of them."""
    where = None if all_namespaces else cluster.namespace
    return [item async for page in cluster.client.pages(resource, where) for item in page.items]


def print_list(
    resource: ResourceType, entries: Sequence[Entry], columns: Columns, *, all_namespaces: bool
) -> None:
    """The entries as a table of their names and these columns."""
    if not entries:
        typer.echo(f"no {resource.kind}s found", err=True)
        return
    names = ("namespace", "name") if all_namespaces else ("name",)
    rows = [
        [*(entry[name] for name in names), *(text(entry) for text in columns.values())] for entry in entries
    ]
    print_table([*map(str.upper, names), *columns], rows)
