"""Where a job's variables and overrides go, which each form of job definition has elsewhere.

Invariant: every container of a job, of every node, gets the variables by which it finds its index; the other
overrides go to one container. Shapes: Batch API reference, SubmitJob.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
Name = str | None


@dataclass(frozen=True, slots=True)
class Form:
    """What the containers of a job definition are."""

    kind: Literal["container", "ecs", "eks", "nodes"]
    names: tuple[Name, ...] = (None,)
    """Containers of a task or Pod; None where one has no name."""
    init_names: tuple[Name, ...] = ()
    """Containers of a Pod that run before the others."""
    ranges: tuple[tuple[str, "Form"], ...] = ()
    """Of several nodes: which, and what runs there."""

    @property
    def carriers(self) -> int:
        """How many containers of one job get the variables."""
        if self.ranges:
            return sum(form.carriers for _, form in self.ranges)
        return len(self.names) + len(self.init_names)


PLAIN = Form("container")


@dataclass(frozen=True, slots=True)
class Override:
    """What a job changes in its definition."""

    variables: tuple[tuple[str, str], ...]
    """For every container."""
    own: Mapping[str, Any]
    """For one container: `command`, `args`, `environment`, `resources`, as the form has them."""
    target: Name = None
    """That container; the first where None."""


def form_of(content: Mapping[str, Any]) -> Form:
    """The form of a registration, a described job definition or a node range."""
    if content.get("nodeProperties"):
        ranges = listed(mapped(content["nodeProperties"]).get("nodeRangeProperties"))
        parts = tuple((str(part.get("targetNodes")), form_of(part)) for part in map(mapped, ranges))
        return Form("nodes", (), (), parts)
    if content.get("eksProperties"):
        pod = mapped(mapped(content["eksProperties"]).get("podProperties"))
        return Form("eks", _names(pod.get("containers")) or (None,), _names(pod.get("initContainers")))
    if content.get("ecsProperties"):
        tasks = listed(mapped(content["ecsProperties"]).get("taskProperties")) or [{}]
        return Form("ecs", _names(mapped(tasks[0]).get("containers")) or (None,))
    return PLAIN


def overriding(form: Form, override: Override) -> Json:
    """The fields of a SubmitJob request that change the definition."""
    if form.kind == "nodes":
        return {"nodeOverrides": {"nodePropertyOverrides": _nodes(form, override)}}
    if form.kind == "eks":
        pod: Json = {"containers": _all(form.names, override, "env")}
        if form.init_names:
            bare = Override(override.variables, {})
            pod["initContainers"] = _all(form.init_names, bare, "env")
        return {"eksPropertiesOverride": {"podProperties": pod}}
    containers = _all(form.names, override, "environment")
    if form.kind == "ecs":
        return {"ecsPropertiesOverride": {"taskProperties": [{"containers": containers}]}}
    return {"containerOverrides": containers[0]}


def _nodes(form: Form, override: Override) -> list[Json]:
    found: list[Json] = []
    for targets, part in form.ranges:
        # What is meant for one container is meant for that of the first nodes.
        mine = override if not found else Override(override.variables, {})
        found.append({"targetNodes": targets, **overriding(part, mine)})
    return found


def _all(names: Sequence[Name], override: Override, environment: str) -> list[Json]:
    target = override.target if override.target in names else next(iter(names), None)
    found = []
    for name in names:
        own = dict(override.own) if name == target else {}
        variables = [*own.pop("environment", ()), *_environment(override.variables)]
        named = {"name": name} if name is not None else {}
        found.append({**named, **own, environment: variables})
    return found


def listed(value: Any) -> list[Any]:
    """The value where it is a list; what people wrote need not be one."""
    return value if isinstance(value, list) else []


def mapped(value: Any) -> Json:
    """The value where it is an object."""
    return value if isinstance(value, dict) else {}


def _names(containers: Any) -> tuple[Name, ...]:
    return tuple(mapped(container).get("name") for container in listed(containers))


def _environment(variables: Iterable[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in variables]
