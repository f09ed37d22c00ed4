"""What each object made, and what the demo claims, as tables.

Invariant: of a Secret the keys and lengths are shown, never a value.
"""

import base64
import io
from collections.abc import Mapping

from PIL import Image
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pierhead.kube.resources import DEPLOYMENTS, SECRETS
from pierhead_sandbox.demo import checks
from pierhead_sandbox.demo.claims import Claim, Finding
from pierhead_sandbox.demo.shop import NAME, SECRET
from pierhead_sandbox.demo.world import World


def made(world: World) -> RenderableType:
    """What each object made."""
    return Group(
        _heading("AppRelease shop", "helm list -A; helm history shop -n shop"),
        _releases(world),
        "",
        _revisions(world),
        "",
        _objects(world),
        _heading("SyncedSecret shop-db", "keys of the Secret; values are not shown"),
        _secret(world),
        _heading("BatchJob thumbnails", f"s3://{world.shop.bucket}/thumbnails/"),
        _thumbnails(world),
        "",
    )


def claimed(findings: Mapping[Claim, Finding | None]) -> Table:
    """Every claim with a tick, a cross, or a question mark for what was not reached."""
    table = Table("", "CLAIM", "FOUND", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for claim, finding in findings.items():
        if finding is None:
            table.add_row(Text("?", style="yellow"), claim.value, Text("not reached", style="yellow"))
        else:
            mark = Text("✓", style="bold green") if finding.holds else Text("✗", style="bold red")
            table.add_row(mark, claim.value, Text(finding.evidence, style="dim" if finding.holds else "red"))
    return table


def _heading(title: str, note: str) -> Text:
    return Text.assemble("\n", (title, "bold"), (f"  {note}", "dim"))


def _table(*columns: str) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)


def _releases(world: World) -> Table:
    table = _table("NAME", "NAMESPACE", "REVISION", "STATUS", "CHART", "APP VERSION")
    for entry in checks.releases(world):
        names = ("name", "namespace", "revision", "status", "chart", "app_version")
        table.add_row(*(str(entry[name]) for name in names))
    return table


def _revisions(world: World) -> Table:
    table = _table("REVISION", "UPDATED", "STATUS", "DESCRIPTION")
    for entry in checks.revisions_of(world):
        updated = str(entry["updated"]).partition(".")[0]
        table.add_row(str(entry["revision"]), updated, entry["status"], entry["description"])
    return table


def _objects(world: World) -> Table:
    deployment = world.observed.find(DEPLOYMENTS, NAME) or {"spec": {}, "status": {}, "metadata": {}}
    status = deployment["status"]
    generation, sets = checks.rollouts(world)
    table = _table("DEPLOYMENT", "READY", "UP TO DATE", "AVAILABLE", "GENERATION", "REPLICA SETS")
    table.add_row(
        NAME,
        f"{status.get('readyReplicas', 0)}/{deployment['spec'].get('replicas')}",
        str(status.get("updatedReplicas", 0)),
        str(status.get("availableReplicas", 0)),
        str(generation),
        str(sets),
    )
    return table


def _secret(world: World) -> Table:
    table = _table("KEY", "LENGTH")
    data = (world.observed.find(SECRETS, SECRET) or {}).get("data", {})
    for key, value in sorted(data.items()):
        table.add_row(key, f"{len(base64.b64decode(value))} bytes")
    return table


def _thumbnails(world: World) -> Table:
    table = _table("PICTURE", "BYTES", "THUMBNAIL", "BYTES", "SIZE")
    pictures = {picture.key: picture for picture in world.shop.pictures()}
    for thumbnail in world.shop.thumbnails():
        picture = pictures.get(thumbnail.key.removesuffix(".jpg"))
        width, height = Image.open(io.BytesIO(thumbnail.content)).size
        table.add_row(
            picture.key if picture else "?",
            f"{len(picture.content):,}" if picture else "?",
            thumbnail.key,
            f"{len(thumbnail.content):,}",
            f"{width}x{height}",
        )
    return table
