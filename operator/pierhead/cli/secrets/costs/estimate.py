"""How many calls SyncedSecrets make in a month.

Invariant: pure. It counts what the operator does by itself while all goes well: one read an interval for each
distinct secret or parameter, and one for all objects that come due together, which are those whose specs name
the same first and have the same interval. Each secret of a batch counts as a call: AWS says nothing else.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pierhead.cli.secrets.costs.prices import Prices
from pierhead.cli.secrets.views import ONCE, Cadence, mode_of, swept
from pierhead.engine.resource import Object

MONTH: Final = 30 * 24 * 3600
_CALLS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Read:
    """One thing that is read, as somebody, somewhere. Equal reads can share a call."""

    kind: str
    name: str
    version: str
    reader: tuple[str, ...]
    region: str

    @property
    def listed(self) -> bool:
        """Whether a list of all secrets tells its version."""
        return self.kind == "secret" and self.version in {"", "AWSCURRENT"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """One object's calls in a month."""

    namespace: str
    name: str
    mode: str
    interval: float | None
    """Seconds between two reads; None where nothing is read by itself."""

    reads: int
    """Distinct secrets and parameters."""

    calls: float
    """Its share, where others share its reads."""

    alone: float
    """Its calls if nobody shared them."""

    cost: float
    incomplete: bool
    """Whether it also lists what it finds, or sweeps versions: those calls depend on how much the account
    has."""

    def data(self) -> dict[str, Any]:
        """It as `-o json` prints it."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "mode": self.mode,
            "intervalSeconds": self.interval,
            "reads": self.reads,
            "callsPerMonth": round(self.calls, 1),
            "callsPerMonthAlone": round(self.alone, 1),
            "costPerMonth": round(self.cost, 4),
            "incomplete": self.incomplete,
        }


def estimates(objects: Sequence[Object], *, cadence: Cadence, prices: Prices) -> list[Estimate]:
    """Each object's calls, among these, while events arrive for those that listen."""
    wanted = [frozenset(_reads(obj)) for obj in objects]
    turns = [_turn(obj, cadence) for obj in objects]
    sharers = Counter(
        (read, turn) for reads, turn in zip(wanted, turns, strict=True) if turn is not None for read in reads
    )
    found = []
    for obj, reads, turn in zip(objects, wanted, turns, strict=True):
        times = MONTH / turn[1] if turn is not None else 0.0
        again = [read for read in reads if turn is not None and not (swept(obj) and read.listed)]
        shares = [(read, times / sharers[read, turn]) for read in again if turn is not None]
        found.append(
            Estimate(
                namespace=obj["metadata"]["namespace"],
                name=obj["metadata"]["name"],
                mode=mode_of(obj),
                interval=turn[1] if turn is not None else None,
                reads=len(reads),
                calls=sum(calls for _, calls in shares),
                alone=times * len(again),
                cost=sum(calls * _price(read, prices) for read, calls in shares),
                incomplete=_selects(obj) or swept(obj),
            )
        )
    return found


def _turn(obj: Object, cadence: Cadence) -> tuple[str, float] | None:
    """What decides when an object is read, as `secrets.reading.due` has it; None: not by itself."""
    if mode_of(obj) == ONCE or (obj.get("spec") or {}).get("suspend"):
        return None
    sources = _sources(obj.get("spec") or {})
    names = {str(source[kind]) for source in sources for kind in ("secret", "parameter") if source.get(kind)}
    metadata = obj["metadata"]
    # What only finds has a turn of its own.
    return min(names, default=f"{metadata['namespace']} {metadata['name']}"), cadence.seconds_of(obj)


def _price(read: Read, prices: Prices) -> float:
    return (prices.secret_calls if read.kind == "secret" else prices.parameter_calls) / _CALLS


def _reads(obj: Object) -> Iterator[Read]:
    spec = obj.get("spec") or {}
    aws = spec.get("aws") or {}
    own = ("roleArn", "serviceAccountName")
    as_itself = any(aws.get(field) for field in own)
    reader = (
        (obj["metadata"]["namespace"], *(str(aws.get(field) or "") for field in (*own, "externalId")))
        if as_itself
        else ()
    )
    region = str(aws.get("region") or "")
    for source in _sources(spec):
        for kind in ("secret", "parameter"):
            if source.get(kind):
                version = str(source.get("versionId") or source.get("versionStage") or "")
                yield Read(kind, str(source[kind]), version, reader, region)
    for name in _found(obj):
        yield Read("secret", name, "", reader, region)


def _sources(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in spec.get("data") or ():
        yield entry.get("from") or {}
    for entry in spec.get("dataFrom") or ():
        yield entry.get("extract") or {}


def _found(obj: Object) -> Iterator[str]:
    """Secrets that were found by their names or tags when it was last read; parameters come with the list."""
    entries = (obj.get("spec") or {}).get("dataFrom") or ()
    by_path = {index for index, entry in enumerate(entries) if "path" in (entry.get("find") or {})}
    for index, line in enumerate((obj.get("status") or {}).get("extracts") or ()):
        if index not in by_path:
            yield from (str(found["name"]) for found in line.get("found") or ())


def _selects(obj: Object) -> bool:
    return any("find" in entry for entry in (obj.get("spec") or {}).get("dataFrom") or ())
