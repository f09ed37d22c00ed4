"""What happens in the demo, in order.

Invariant: each step waits for what it needs to see and fails when it does not come; nothing is claimed here
that `checks` did not find.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from pierhead.kube.resources import (
    APP_RELEASES,
    BATCH_JOBS,
    DEPLOYMENTS,
    EVENT_TRIGGERS,
    REPLICA_SETS,
    SECRETS,
    SYNCED_SECRETS,
    ResourceType,
)
from pierhead_sandbox.demo import checks
from pierhead_sandbox.demo.claims import Claim, Ledger
from pierhead_sandbox.demo.display import Row, Stage
from pierhead_sandbox.demo.observed import Late, Observed, condition, is_true, rolled_out
from pierhead_sandbox.demo.shop import JOB, NAME, SECRET, Shop, make_repository, text_of
from pierhead_sandbox.demo.world import World
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.operator_process import OperatorProcess, install
from pierhead_sandbox.sandbox import Sandbox

SHOWN: tuple[tuple[ResourceType, str], ...] = (
    (APP_RELEASES, NAME),
    (SYNCED_SECRETS, SECRET),
    (BATCH_JOBS, JOB),
)
_READY_SECONDS = 90.0
_ROLLOUT_SECONDS = 30.0
_UPLOADED = 60
_ASK_SECONDS = 0.2
_READS = ("GetSecretValue", "BatchGetSecretValue")

After = Callable[[World, SandboxError | None], Awaitable[None]]
"""Given the world, and why the demo stopped before its end if it did."""


async def tell(stage: Stage, ledger: Ledger, after: After) -> None:
    """Runs the demo; `after` looks at the world before it goes. Raises SandboxError when a step fails."""
    with ExitStack() as stack:
        with stage.phase("Kubernetes and AWS") as say:
            sandbox = stack.enter_context(await asyncio.to_thread(Sandbox.start, audit=True))
            say("a real control plane, one node by kwok, AWS by moto and our own Batch")
        shop = Shop(sandbox)
        with stage.phase("The team's things in AWS") as say:
            pictures = await asyncio.to_thread(_furnish, sandbox, shop)
            say(f"secret {shop.secret_id}, queue {shop.queue}, {pictures} pictures in s3://{shop.bucket}")
        with stage.phase("The team's Git repository") as say:
            folder = sandbox.directory / "git"
            folder.mkdir()
            source = await asyncio.to_thread(make_repository, folder)
            say("examples/shop: a chart, and an overlay for production")
        with stage.phase("pierhead") as say:
            operator = OperatorProcess(sandbox)
            await asyncio.to_thread(install, sandbox)
            await asyncio.to_thread(operator.start)
            say("CRDs and rights of charts/pierhead; the operator runs as their ServiceAccount")
        watched = (*(resource for resource, _ in SHOWN), EVENT_TRIGGERS, DEPLOYMENTS, REPLICA_SETS, SECRETS)
        async with Observed(sandbox, watched, namespace=shop.namespace) as observed:
            observed.listen(lambda: stage.show(rows(observed)))
            world = World(sandbox, shop, operator, observed)
            try:
                await _become_ready(stage, ledger, world, source)
                await _rotate(stage, ledger, world)
                await _interfere(stage, ledger, world)
                await _pipeline(stage, ledger, world)
            except SandboxError as error:
                await after(world, error)
                raise
            await after(world, None)


async def _become_ready(stage: Stage, ledger: Ledger, world: World, source: str) -> None:
    sandbox, shop, observed = world.sandbox, world.shop, world.observed
    with stage.phase("kubectl apply -f examples/shop") as say:
        text = text_of([*shop.tenant(), *shop.objects(source)])
        await asyncio.to_thread(sandbox.kubectl, "apply", "-f", "-", stdin=text)
        say("an AppRelease, a SyncedSecret and a BatchJob")
    with stage.phase("Ready") as say:
        applied = time.monotonic()
        ready: dict[str, float] = {}

        def all_ready() -> bool:
            for resource, name in SHOWN:
                if resource.kind not in ready and is_true(observed.find(resource, name), "Ready"):
                    ready[resource.kind] = time.monotonic() - applied
            say(checks.job_progress(observed.find(BATCH_JOBS, JOB)))
            return len(ready) == len(SHOWN)

        await observed.until(all_ready, seconds=_READY_SECONDS, what="all three objects Ready")
        job = observed.find(BATCH_JOBS, JOB)
        times = ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in ready.items())
        ledger.settle(Claim.READY, is_true(job, "Complete"), times)
        say(times)
    with stage.phase("Looking at what they made") as say:
        await asyncio.to_thread(checks.deployed, world, ledger)
        await asyncio.to_thread(checks.secret, world, ledger, Claim.SECRET)
        await asyncio.to_thread(checks.thumbnails, world, ledger)
        say("by kubectl, helm and S3")


async def _rotate(stage: Stage, ledger: Ledger, world: World) -> None:
    shop, observed = world.shop, world.observed
    passwords = [shop.password]
    before = checks.rollouts(world)
    with stage.phase("The password is rotated in AWS") as say:
        began = time.monotonic()
        await asyncio.to_thread(shop.rotate)
        passwords.append(shop.password)
        await observed.until(
            lambda: _has_password(observed, shop.password), seconds=_READY_SECONDS, what="the new password"
        )
        followed = time.monotonic() - began
        await asyncio.to_thread(checks.secret, world, ledger, Claim.ROTATED, f", after {followed:.1f} s")
        say(f"the Secret followed after {followed:.1f} s")
    with stage.phase("The Deployment restarts") as say:
        say("rolling out")
        await observed.until(
            lambda: checks.rollouts(world) != before and rolled_out(observed.find(DEPLOYMENTS, NAME)),
            seconds=_ROLLOUT_SECONDS,
            what="the Deployment's rollout",
        )
        # A second restart would come with the next look at AWS: see that through.
        say("rolled out; waiting for the operator's next look at AWS")
        await _next_read(world)
        checks.one_restart(world, ledger, before)
        say("once")
    await asyncio.to_thread(checks.nothing_shown, world, ledger, passwords)


async def _interfere(stage: Stage, ledger: Ledger, world: World) -> None:
    """Somebody scales the Deployment down by hand."""
    observed = world.observed
    with stage.phase("Somebody scales the Deployment to 1") as say:
        command = ("scale", "-n", world.shop.namespace, f"deployment/{NAME}", "--replicas=1")
        generation = checks.rollouts(world)[0]
        began = time.monotonic()
        await asyncio.to_thread(world.kubectl, *command)
        await observed.until(
            lambda: (
                checks.rollouts(world)[0] > generation + 1 and rolled_out(observed.find(DEPLOYMENTS, NAME))
            ),
            seconds=_ROLLOUT_SECONDS,
            what="the replicas put back",
        )
        replicas = (observed.find(DEPLOYMENTS, NAME) or {})["spec"]["replicas"]
        took = time.monotonic() - began
        ledger.settle(
            Claim.CORRECTED,
            replicas == checks.REPLICAS,
            f"1 → {replicas} replicas, rolled out after {took:.1f} s",
        )
        say(f"put back to {replicas} after {took:.1f} s")


async def _pipeline(stage: Stage, ledger: Ledger, world: World) -> None:
    """Uploads start a validation, its result an array job, and so on to a notification."""
    pipeline, observed = world.shop.pipeline(), world.observed
    with stage.phase("kubectl apply -f examples/pipeline") as say:
        await asyncio.to_thread(pipeline.furnish)
        text = text_of(pipeline.objects())
        await asyncio.to_thread(world.sandbox.kubectl, "apply", "-f", "-", stdin=text)
        triggers = len(pipeline.objects())
        await observed.until(
            lambda: sum(is_true(one, "Ready") for one in observed.every(EVENT_TRIGGERS)) == triggers,
            seconds=_READY_SECONDS,
            what="the EventTriggers Ready",
        )
        say(f"{triggers} EventTriggers: validate, resize, publish")
    with stage.phase("Pictures are uploaded") as say:
        began = time.monotonic()
        wrong = await asyncio.to_thread(pipeline.upload, _UPLOADED)

        def published() -> bool:
            jobs = [one for one in observed.every(BATCH_JOBS) if checks.step_of(one)]
            say(
                ", ".join(
                    f"{checks.step_of(one)} {one.get('status', {}).get('progress', '')}" for one in jobs
                )
            )
            return any(checks.step_of(one) == "publish" and checks.is_announced(one) for one in jobs)

        await observed.until(published, seconds=_READY_SECONDS, what="the pipeline's end")
        await asyncio.to_thread(checks.pipeline, ledger, pipeline, _UPLOADED, wrong, time.monotonic() - began)


def rows(observed: Observed) -> list[Row]:
    """The three objects as they stand."""
    found = []
    for resource, name in SHOWN:
        obj = observed.find(resource, name)
        if obj is not None:
            ready = condition(obj, "Ready")
            message = ready.get("message", "")
            if resource is BATCH_JOBS and ready.get("status") != "True":
                message = f"{checks.job_progress(obj)} {message}"
            found.append(
                Row(
                    resource.kind,
                    name,
                    ready.get("status", ""),
                    ready.get("reason", ""),
                    message.split("\n")[0],
                )
            )
    return found


def _furnish(sandbox: Sandbox, shop: Shop) -> int:
    # The jobs really run: each child is a process here instead of a container there.
    sandbox.aws.batch.configure(execution="process")
    shop.create_secret()
    shop.create_queue()
    shop.create_pictures()
    return len(shop.pictures())


def _has_password(observed: Observed, password: str) -> bool:
    data = (observed.find(SECRETS, SECRET) or {}).get("data", {})
    return checks.decoded(data.get("DB_PASSWORD", "")) == password


async def _next_read(world: World) -> None:
    def reads() -> int:
        # Nobody else reads secrets while this waits.
        return sum(world.sandbox.aws.count("secretsmanager", operation) for operation in _READS)

    before = await asyncio.to_thread(reads)
    deadline = time.monotonic() + _READY_SECONDS
    while await asyncio.to_thread(reads) <= before:
        if time.monotonic() > deadline:
            raise Late(f"the operator's next look at AWS: not after {_READY_SECONDS:g} s")
        # The stand-in tells of its calls only when it is asked.
        await asyncio.sleep(_ASK_SECONDS)
