"""Custom resource definitions: made and brought up to date, never taken back.

Invariant: with a definition would go every object of its kind, and with a version in which objects are stored
those objects; so none is deleted, none loses a stored version, and a rollback leaves those that are there
alone. Those of a chart's own folder belong to no release: many may bring the same ones.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import NotFound, UnknownKind
from pierhead.kube.plan import Action, Plan
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS

_TRIES = 40
_PAUSE = 0.1
"""Seconds between two looks."""

Mode = Literal["Skip", "Create", "CreateReplace"]


async def to_bring(client: Client, crds: Sequence[Object], mode: Mode) -> list[Object]:
    """Those of a chart's own folder that belong before its objects: the missing ones, or all.

    Raises Invalid for one without a version in which objects are stored.
    """
    if mode == "Skip":
        return []
    found = []
    for crd in crds:
        live = await _live(client, crd["metadata"]["name"], metadata_only=mode == "Create")
        if live is not None and mode == "Create":
            continue
        if live is not None:
            refuse_dropped(crd, live)
        found.append(crd)
    return found


async def but_present(client: Client, objects: Sequence[Object]) -> tuple[Object, ...]:
    """The objects without the CRDs that the cluster has."""
    return tuple(
        [
            obj
            for obj in objects
            if not _is_definition(obj)
            or await _live(client, obj["metadata"]["name"], metadata_only=True) is None
        ]
    )


async def known(discovery: Discovery, crds: Sequence[Object]) -> None:
    """Returns when discovery tells of the kinds of these CRDs: established, they are served a moment later.

    Raises UnknownKind when it does not come about.
    """
    for crd in crds:
        spec = crd.get("spec") or {}
        kind = (spec.get("names") or {}).get("kind", "")
        for version in spec.get("versions") or ():
            if version.get("served"):
                await _known(discovery, f"{spec.get('group')}/{version.get('name')}", kind)


async def _known(discovery: Discovery, api_version: str, kind: str) -> None:
    for _ in range(_TRIES):
        try:
            await discovery.resource_for(api_version, kind)
        except UnknownKind:
            await asyncio.sleep(_PAUSE)
            discovery.invalidate()
        else:
            return
    await discovery.resource_for(api_version, kind)


def refuse_dropped(crd: Object, live: Object) -> None:
    """Raises Invalid when a CRD has not every version in which the live one's objects are stored."""
    kept = {version.get("name") for version in (crd.get("spec") or {}).get("versions") or ()}
    stored = (live.get("status") or {}).get("storedVersions") or ()
    missing = [version for version in stored if version not in kept]
    if missing:
        raise Invalid(
            f"CustomResourceDefinition {crd['metadata']['name']} would lose version {', '.join(missing)}, in "
            "which objects are stored: migrate them and take it out of status.storedVersions first, or set "
            "crds to Create",
            reason="CRDVersionDropped",
            field="spec.helm.crds",
        )


def separated(both: Plan, crds: Sequence[Object]) -> tuple[Plan, Plan]:
    """A plan's part for these CRDs, without those that are as they should be, and the rest."""
    if not crds:
        return Plan((), ()), both
    names = {crd["metadata"]["name"] for crd in crds}
    steps = [
        step
        for step in both.steps
        if step.entry.name in names
        and step.entry.kind == CUSTOM_RESOURCE_DEFINITIONS.kind
        and step.entry.group == CUSTOM_RESOURCE_DEFINITIONS.group
    ]
    first = tuple(step for step in steps if step.action is not Action.NOTHING)
    rest = tuple(step for step in both.steps if step not in steps)
    return replace(both, steps=first), replace(both, steps=rest)


def _is_definition(obj: Object) -> bool:
    group = str(obj.get("apiVersion", "")).partition("/")[0]
    return obj.get("kind") == CUSTOM_RESOURCE_DEFINITIONS.kind and group == CUSTOM_RESOURCE_DEFINITIONS.group


async def _live(client: Client, name: str, *, metadata_only: bool) -> Object | None:
    try:
        return await client.get(CUSTOM_RESOURCE_DEFINITIONS, name, metadata_only=metadata_only)
    except NotFound:
        return None
