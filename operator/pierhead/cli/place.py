"""Where a command looks: the cluster and the namespace, as kubectl is told of them.

Invariant: as in `pierhead.cli.options`; every command that asks a cluster has the same.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pierhead.cli import options


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command looks, as it was given on the command line."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None


_OPTIONS = {
    "namespace": options.NamespaceOption,
    "context": options.ContextOption,
    "kubeconfig": options.KubeconfigOption,
}


def placed(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of its parameter `place: Place`, if it has one."""
    signature = inspect.signature(command)
    if "place" not in signature.parameters:
        return command

    @functools.wraps(command)
    def run(**given: Any) -> None:
        command(place=Place(**{name: given.pop(name) for name in _OPTIONS}), **given)

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name != "place"
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in _OPTIONS.items()
    ]
    made: Any = run
    made.__signature__ = signature.replace(parameters=[*own, *added])
    made.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    return run
