"""One fault run of BatchJobs, drawn from a seed.

Invariant: equal seeds give equal scenarios; everything that is left to chance while one runs is drawn from
generators that begin with the seed too. Every fault ends at `calm`, and what users do ends there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

Spec = dict[str, Any]

CONTAINER = {"image": "example.com/work:1"}
EIGHT_DAYS = 8 * 86_400.0
"""Longer than Batch knows an ended job."""

SETTLE = 60.0
"""The operator's settle time: a late acceptance and the lag of lists together stay below it."""


@dataclass(frozen=True)
class Step:
    """What the user does to a BatchJob at one moment; `patch` None deletes it."""

    at: float
    job: str
    patch: Spec | None


@dataclass(frozen=True)
class Life:
    """One process of the operator: it dies at the `calls`-th moment before or after a call, or at `until`."""

    calls: int | None
    until: float
    down: float
    """Seconds until the next one starts."""


@dataclass(frozen=True)
class Weather:
    """Chances of each fault of a call, until `calm`."""

    throttled: float = 0.0
    refused: float = 0.0
    """A 500 of a call that did nothing."""
    lost: float = 0.0
    """A 500 or a timeout of a call that was carried out; of a submission also some time later."""
    storms: tuple[tuple[float, float], ...] = ()
    """When nearly every call to AWS is throttled: from, to."""
    api_lost: float = 0.0
    """A request to the API server without an answer, carried out or not."""
    meddling: float = 0.0
    """Somebody else writes the object before a write of the operator."""
    slow: bool = False
    watch_lost: float = 0.0
    watch_late: float = 0.0
    """Longest delay of a watch event."""


@dataclass(frozen=True)
class Telling:
    """Batch's events on their way into the queue."""

    lost: float
    doubled: float
    late: float
    """Longest delay: they come in any order within it."""


@dataclass(frozen=True)
class Scenario:
    """Everything that is fixed before a run."""

    seed: int
    specs: dict[str, Spec]
    steps: tuple[Step, ...]
    lives: tuple[Life, ...]
    calm: float
    weather: Weather
    telling: Telling | None
    pace: dict[str, Any] = field(default_factory=dict)
    """Of `BatchSettings`."""
    scripts: tuple[dict[str, Any], ...] = ()
    """Of `Script`."""
    poll: float = 15.0


def draw(seed: int, *, small: bool = False) -> Scenario:
    """The scenario of a seed; a `small` one has at most a few dozen indexes."""
    chance = Random(seed)
    specs = {"a": _spec(chance, _size(chance, small=small))}
    if chance.random() < 0.12:
        specs["b"] = _dependent(chance, specs["a"], small=small)
    calm = chance.choice((0.0, chance.uniform(60, 400), chance.uniform(60, 400), chance.uniform(400, 1500)))
    alone = len(specs) == 1
    steps = [step for name, spec in specs.items() for step in _steps(chance, name, spec, calm)]
    if alone:
        steps += _resizing(chance, specs["a"], calm)
    lives = tuple(_life(chance, calm) for _ in range(chance.choice((0, 0, 1, 1, 2, 3, 5))))
    if chance.random() < 0.03:
        lives = (Life(chance.randint(1, 30), 300.0, EIGHT_DAYS),)
        calm = EIGHT_DAYS + 600.0
    return Scenario(
        seed=seed,
        specs=specs,
        steps=tuple(sorted(steps, key=lambda step: step.at)),
        lives=lives,
        calm=calm,
        weather=_weather(chance, calm),
        telling=_telling(chance),
        pace=_pace(chance, max(spec["completions"] for spec in specs.values())),
        scripts=tuple(_scripts(chance)),
        poll=chance.choice((15.0, 30.0, 60.0)),
    )


def _size(chance: Random, *, small: bool) -> int:
    lot = chance.random()
    if lot < 0.12:
        return 1
    if lot < 0.65 or small:
        return chance.randint(2, 12)
    if lot < 0.94:
        return chance.randint(13, 60)
    if lot < 0.985:
        return chance.randint(61, 300)
    if lot < 0.9975:
        return chance.randint(300, 3_000)
    return chance.randint(10_001, 10_400)


def _spec(chance: Random, size: int) -> Spec:
    spec: Spec = {"completions": size}
    if chance.random() < 0.2:
        spec["jobDefinition"] = "work"
    else:
        spec["template"] = {"container": CONTAINER}
    given: tuple[tuple[str, float, Callable[[], Any]], ...] = (
        ("backoffLimitPerIndex", 0.6, lambda: chance.choice((0, 1, 1, 2, 3))),
        ("attempts", 0.35, lambda: {"limit": chance.choice((1, 2, 3))}),
        ("maxFailedIndexes", 0.12, lambda: chance.randint(0, min(size, max(1, size // 3)))),
        ("backoffLimit", 0.07, lambda: chance.randint(0, 10)),
        ("activeDeadlineSeconds", 0.1, lambda: chance.randint(30, 1_500)),
        ("ttlSecondsAfterFinished", 0.12, lambda: chance.choice((0, 30, 600))),
        ("successPolicy", 0.1 * (size > 1), lambda: {"rules": [_enough(chance, size)]}),
        ("parallelism", 0.2 * (size > 1), lambda: chance.randint(max(1, size // 6), size)),
        ("order", 0.06 * (size <= 12), lambda: chance.choice(("Sequential", "SequentialTolerant"))),
    )
    for name, share, value in given:
        if chance.random() < share:
            spec[name] = value()
    if chance.random() < 0.12:
        spec["failurePolicy"] = {"rules": _rules(chance, per_index="backoffLimitPerIndex" in spec)}
    return spec


def _enough(chance: Random, size: int) -> Spec:
    if chance.random() < 0.5:
        return {"succeededCount": chance.randint(1, size)}
    first = chance.randrange(size)
    last = chance.randrange(first, size)
    rule: Spec = {"succeededIndexes": str(first) if first == last else f"{first}-{last}"}
    if chance.random() < 0.5:
        rule["succeededCount"] = chance.randint(1, last - first + 1)
    return rule


def _rules(chance: Random, *, per_index: bool) -> list[Spec]:
    actions = ["FailJob", "Ignore", "Count"] + ["FailIndex"] * 3 * per_index
    return [
        {"action": chance.choice(actions), "onExitCodes": {"operator": "In", "values": [code]}}
        for code in chance.sample((1, 3, 42), chance.randint(1, 2))
    ]


def _dependent(chance: Random, first: Spec, *, small: bool) -> Spec:
    index_by_index = chance.random() < 0.6
    size = first["completions"] if index_by_index else _size(chance, small=True)
    spec = _spec(chance, size)
    spec["dependsOn"] = [{"name": "a", "type": "NToN" if index_by_index else "All"}]
    return spec


def _steps(chance: Random, name: str, spec: Spec, calm: float) -> list[Step]:
    steps: list[Step] = []

    def at() -> float:
        return chance.uniform(0, max(calm, 200.0))

    if chance.random() < 0.15:
        first, second = sorted((at(), at()))
        steps += [Step(first, name, {"spec": {"suspend": True}})]
        steps += [Step(second, name, {"spec": {"suspend": False}})]
    if chance.random() < 0.12:
        steps.append(Step(at(), name, None))
    for number in range(chance.choice((0, 0, 0, 1, 3))):
        mark = {"pierhead.dev/reconcile-at": f"{name}-{number}"}
        steps.append(Step(at(), name, {"metadata": {"annotations": mark}}))
    if "parallelism" in spec and chance.random() < 0.3:
        first, second = sorted((at(), at()))
        steps += [Step(first, name, {"spec": {"parallelism": chance.choice((0, 1))}})]
        steps += [Step(second, name, {"spec": {"parallelism": spec["parallelism"]}})]
    return steps


def _resizing(chance: Random, spec: Spec, calm: float) -> list[Step]:
    if not _elastic(spec) or chance.random() > 0.08:
        return []
    size = spec["completions"]
    spec["parallelism"] = size
    first, second = sorted(chance.uniform(0, max(calm, 200.0)) for _ in range(2))
    if size > 1 and chance.random() < 0.4:
        # Refused where an index that would go has been sent to Batch; the user takes it back.
        least = max(1, size // 2)
        return [
            Step(first, "a", {"spec": {"completions": least, "parallelism": least}}),
            Step(second, "a", {"spec": {"completions": size, "parallelism": size}}),
        ]
    more = size + chance.randint(1, 10)
    return [Step(first, "a", {"spec": {"completions": more, "parallelism": more}})]


def _elastic(spec: Spec) -> bool:
    return not {"parallelism", "successPolicy", "maxFailedIndexes", "dependsOn"} & spec.keys()


def _life(chance: Random, calm: float) -> Life:
    calls = chance.choice((None, chance.randint(1, 12), chance.randint(1, 40), chance.randint(10, 120)))
    down = chance.choice((0.0, chance.uniform(0, 20), chance.uniform(20, 600)))
    return Life(calls, chance.uniform(5, max(60.0, calm)), down)


def _weather(chance: Random, calm: float) -> Weather:
    if calm == 0:
        return Weather()

    def rate() -> float:
        return chance.choice((0.0, 0.02, 0.1, 0.3))

    storms = []
    for _ in range(chance.choice((0, 0, 1, 2))):
        begins = chance.uniform(0, calm)
        storms.append((begins, begins + chance.uniform(10, 300)))
    return Weather(
        throttled=rate(),
        refused=rate(),
        lost=rate(),
        storms=tuple(storms),
        api_lost=rate() / 2,
        meddling=rate() / 2,
        slow=chance.random() < 0.5,
        watch_lost=rate(),
        watch_late=chance.choice((0.0, 0.0, 5.0, 60.0)),
    )


def _telling(chance: Random) -> Telling | None:
    if chance.random() < 0.55:
        return None
    return Telling(
        lost=chance.choice((0.0, 0.1, 0.5)),
        doubled=chance.choice((0.0, 0.3)),
        late=chance.choice((0.0, 2.0, 30.0, 300.0)),
    )


def _pace(chance: Random, size: int) -> dict[str, Any]:
    few = size <= 30
    return {
        "submitted_seconds": chance.choice((0.02, 1.0, 10.0)),
        "runnable_seconds": chance.choice((0.0, 1.0, 30.0)),
        "starting_seconds": chance.choice((0.0, 1.0, 20.0)),
        "running_seconds": chance.choice((0.2, 5.0, 40.0, 200.0 if few else 40.0)),
        "stopping_seconds": chance.choice((0.05, 5.0, 30.0)),
        "cascade_seconds": chance.choice((0.05, 2.0, 20.0)),
        "queue_concurrency": chance.choice((3, 10, 1_000) if few else (size // 3, 20_000)),
        "describe_lag_seconds": chance.choice((0.0, 0.0, 3.0, 30.0)),
        "list_lag_seconds": chance.choice((0.0, 0.0, 3.0, 25.0)),
        "summary_lag_seconds": chance.choice((0.0, 0.0, 10.0, 90.0)),
    }


def _scripts(chance: Random) -> list[dict[str, Any]]:
    """What fails; from the fourth round on everything succeeds."""
    scripts: list[dict[str, Any]] = []
    if chance.random() < 0.35:
        return scripts
    for _ in range(chance.randint(1, 3)):
        script: dict[str, Any] = {
            "job_name": f"*-r{chance.choice((0, 0, 0, 1, 2))}-s*",
            "share": chance.choice((0.05, 0.3, 0.7, 1.0)),
            "exit_code": chance.choice((1, 1, 3, 42)),
        }
        lot = chance.random()
        if lot < 0.2:
            script |= {"exit_code": None, "status_reason": "Host EC2 (instance i-1) terminated."}
            script |= {"attempts": chance.choice(("1", "1-2"))}
        elif lot < 0.3:
            script |= {"seconds": chance.uniform(0, 300)}
        elif lot < 0.4:
            script |= {"exit_code": 0, "seconds": chance.uniform(200, 900)}
        scripts.append(script)
    return scripts
