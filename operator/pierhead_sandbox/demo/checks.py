"""The demo's claims checked against the API server, Helm and AWS.

Invariant: a check asks somebody other than the operator: the API server by kubectl or a watch, helm, S3, or
the stand-in's own record of what was submitted. Secret values are compared and never shown.
"""

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image

from pierhead.engine.resource import Object
from pierhead.kube.resources import DEPLOYMENTS, REPLICA_SETS, SECRETS
from pierhead.model import GROUP
from pierhead_sandbox.demo.claims import Claim, Ledger
from pierhead_sandbox.demo.observed import rolled_out
from pierhead_sandbox.demo.pipeline import Pipeline
from pierhead_sandbox.demo.shop import ACCOUNT, JOB, KEYS, NAME, SECRET
from pierhead_sandbox.demo.world import World
from pierhead_sandbox.operator_process import USER, USER_AGENT

REPLICAS = 3
"""What the overlay says; the chart alone says one."""

EDGE = 128


def deployed(world: World, ledger: Ledger) -> None:
    """What the AppRelease made."""
    deployment = world.observed.find(DEPLOYMENTS, NAME) or {}
    replicas = deployment.get("status", {}).get("availableReplicas", 0)
    container = deployment.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])[0]
    references = [entry.get("secretRef", {}).get("name") for entry in container.get("envFrom", ())]
    budget = world.get("poddisruptionbudgets", "-n", world.shop.namespace)["items"]
    labels = deployment.get("metadata", {}).get("labels", {})
    ledger.settle(
        Claim.CHART_THEN_OVERLAY,
        replicas == REPLICAS
        and SECRET in references
        and len(budget) == 1
        and labels.get("environment") == "production"
        and rolled_out(deployment),
        f"{replicas} of {REPLICAS} replicas available (the chart alone says 1), {len(budget)} "
        "PodDisruptionBudget, label environment=production",
    )
    history(world, ledger)
    rights(world, ledger)


def history(world: World, ledger: Ledger) -> None:
    """What helm knows of the release."""
    place = (NAME, world.shop.namespace)
    listed = [entry for entry in releases(world) if (entry["name"], entry["namespace"]) == place]
    revisions = revisions_of(world)
    ledger.settle(
        Claim.HISTORY,
        len(listed) == 1
        and listed[0]["status"] == "deployed"
        and [entry["status"] for entry in revisions] == ["deployed"],
        "; ".join(f"revision {entry['revision']} {entry['status']} {entry['chart']}" for entry in revisions)
        or "no release",
    )


def releases(world: World) -> list[dict[str, Any]]:
    """`helm list -A`."""
    found: list[dict[str, Any]] = json.loads(world.helm("list", "--all-namespaces", "--output", "json"))
    return found


def revisions_of(world: World) -> list[dict[str, Any]]:
    """`helm history shop`."""
    text = world.helm("history", NAME, "--namespace", world.shop.namespace, "--output", "json")
    found: list[dict[str, Any]] = json.loads(text)
    return found


def rights(world: World, ledger: Ledger) -> None:
    """Whom the API server saw write the Deployment, and that the operator itself may not."""
    namespace = world.shop.namespace
    question = ("auth", "can-i", "create", "deployments.apps", "-n", namespace, "--as", USER)
    own = world.sandbox.kubectl(*question, check=False).stdout.strip()
    writers = {
        event.get("impersonatedUser", event["user"])["username"]
        for event in world.sandbox.audit_events(USER_AGENT)
        if event["verb"] == "patch" and event["objectRef"]["resource"] == "deployments"
    }
    ledger.settle(
        Claim.RIGHTS,
        own == "no" and writers == {f"system:serviceaccount:{namespace}:{ACCOUNT}"},
        f"the audit log names {', '.join(sorted(writers)) or 'nobody'}; may the operator itself: {own}",
    )


def secret(world: World, ledger: Ledger, claim: Claim, evidence: str = "") -> None:
    """Whether the Kubernetes Secret holds exactly what AWS holds."""
    data = (world.observed.find(SECRETS, SECRET) or {}).get("data", {})
    keys = ", ".join(sorted(data)) or "no keys"
    holds = sorted(data) == sorted(KEYS) and secret_is_current(world)
    ledger.settle(claim, holds, f"{keys} (values compared, not shown){evidence}")


def secret_is_current(world: World) -> bool:
    """Whether the Secret has the password that AWS has."""
    data = (world.observed.find(SECRETS, SECRET) or {}).get("data", {})
    wanted = json.loads(world.shop.secret_text())
    found = {key: decoded(value) for key, value in data.items()}
    return found == {"DB_USER": wanted["username"], "DB_PASSWORD": wanted["password"]}


def thumbnails(world: World, ledger: Ledger) -> None:
    """Whether each picture has a thumbnail of the right size, and the jobs that made them were one."""
    wanted = {picture.key for picture in world.shop.pictures()}
    made = world.shop.thumbnails()
    sizes = [Image.open(io.BytesIO(thumbnail.content)).size for thumbnail in made]
    ledger.settle(
        Claim.THUMBNAILS,
        bool(wanted)
        and {thumbnail.key.removesuffix(".jpg") for thumbnail in made} == wanted
        and all(max(size) == EDGE for size in sizes),
        f"{len(made)} of {len(wanted)}, the longer side {EDGE} pixels",
    )
    submitted = [
        submission
        for submission in world.sandbox.aws.batch.submissions()
        if submission.queue.endswith(world.shop.queue)
    ]
    ledger.settle(
        Claim.ONE_SUBMISSION,
        [submission.array_size for submission in submitted] == [len(wanted)],
        ", ".join(f"an array of {submission.array_size}" for submission in submitted) or "none",
    )


def rollouts(world: World) -> tuple[int, int]:
    """The Deployment's generation and how many ReplicaSets it has had."""
    deployment = world.observed.find(DEPLOYMENTS, NAME) or {"metadata": {}}
    owned = [one for one in world.observed.every(REPLICA_SETS) if _is_owned(one, deployment)]
    return int(deployment["metadata"].get("generation", 0)), len(owned)


def one_restart(world: World, ledger: Ledger, before: tuple[int, int]) -> None:
    """Whether there was one rollout since, no more and no less, and it is complete."""
    now = rollouts(world)
    ledger.settle(
        Claim.ONE_RESTART,
        now == (before[0] + 1, before[1] + 1) and rolled_out(world.observed.find(DEPLOYMENTS, NAME)),
        f"Deployment generation {before[0]} → {now[0]}, ReplicaSets {before[1]} → {now[1]}",
    )


def pipeline(
    ledger: Ledger, pipeline: Pipeline, uploaded: int, wrong: Mapping[str, str], seconds: float
) -> None:
    """Whether each good picture was published and each other one moved aside, and the end told once."""
    manifest, told = pipeline.manifest(), pipeline.notifications()
    published, rejected = manifest["pictures"], manifest["rejected"]
    good = uploaded + 1 - len(wrong)
    ledger.settle(
        Claim.PIPELINE,
        len(published) == good
        and rejected.keys() == wrong.keys()
        and all(reason.startswith(wrong[key]) for key, reason in rejected.items()),
        f"{len(published)} of {good} published, {len(rejected)} of {len(wrong)} rejected with a reason, "
        f"after {seconds:.1f} s",
    )
    ledger.settle(
        Claim.NOTIFIED,
        [one["detail"]["eventTrigger"] for one in told] == ["publish"],
        ", ".join(one["detail-type"] for one in told) or "nothing",
    )


def step_of(job: Object) -> str:
    """Which EventTrigger started a BatchJob; empty for none."""
    return str((job["metadata"].get("labels") or {}).get(f"{GROUP}/event-trigger", ""))


def is_announced(job: Object) -> bool:
    """Whether a BatchJob's end was told."""
    return f"{GROUP}/announced" in (job["metadata"].get("annotations") or {})


def nothing_shown(world: World, ledger: Ledger, values: list[str]) -> None:
    """Whether a secret value is anywhere that people look."""
    namespace = world.shop.namespace
    custom = "appreleases.pierhead.dev,syncedsecrets.pierhead.dev,batchjobs.pierhead.dev"
    places = {
        "log": world.operator.log.read_text(),
        "custom resources": json.dumps(world.get(custom, "-n", namespace)),
        "workloads": json.dumps(world.get("deployments,replicasets,pods,configmaps", "-n", namespace)),
        "Events": json.dumps(world.get("events", "--all-namespaces")),
    }
    forms = [form for value in values for form in (value, base64.b64encode(value.encode()).decode())]
    found = sorted(place for place, text in places.items() if any(form in text for form in forms))
    looked = f"looked for {len(values)} values in {', '.join(places)}"
    ledger.settle(Claim.NO_VALUE_SHOWN, not found, f"found in: {', '.join(found)}" if found else looked)


def decoded(value: str) -> str:
    """Text of a Secret's value."""
    return base64.b64decode(value).decode()


def job_progress(obj: Object | None) -> str:
    """How far the BatchJob is."""
    status = (obj or {}).get("status") or {}
    return f"{JOB} {status.get('progress', '')}".strip()


def _is_owned(obj: Object, owner: Object) -> bool:
    references = obj["metadata"].get("ownerReferences") or ()
    return any(reference["uid"] == owner["metadata"].get("uid") for reference in references)
