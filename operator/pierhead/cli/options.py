"""The options that commands have in common.

Invariant: an option means the same wherever it stands, and the same as kubectl's of that name.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


_PANEL = "Cluster and namespace"


def checked_duration(text: str) -> str:
    """The text of a duration. Raises BadParameter for any other."""
    from pierhead.model import seconds  # noqa: PLC0415 (help needs no models)

    try:
        seconds(text)
    except ValueError:
        raise typer.BadParameter("a duration such as 90s or 5m") from None
    return text


NamespaceOption = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace; the context's by default.", rich_help_panel=_PANEL),
]
AllNamespacesOption = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="All namespaces.", rich_help_panel=_PANEL)
]
ContextOption = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig.", rich_help_panel=_PANEL)
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig", help="Kubeconfig; $KUBECONFIG or ~/.kube/config by default.", rich_help_panel=_PANEL
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How the result is printed.")]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until it is done, showing progress.")
]
TimeoutOption = Annotated[
    str,
    typer.Option(
        "--timeout",
        callback=checked_duration,
        metavar="DURATION",
        help="How long to wait; exit code 3 after that.",
    ),
]
RegionOption = Annotated[
    str | None, typer.Option("--region", help="Region in AWS; $AWS_REGION or the profile's by default.")
]
