"""Flux's Kustomization as an AppRelease.

Invariant: pure. A Kustomization neither rolls back nor gives up, and is written so.
"""

from pierhead.cli.adopt import flux
from pierhead.cli.adopt.flux_sources import source_of
from pierhead.cli.adopt.translation import MOST_RETRIES, Fields, Translation, path_of, without_nothing
from pierhead.engine.resource import Object

_IN_GIT = ("commonMetadata", "components", "images", "namePrefix", "nameSuffix", "patches")


def translate(obj: Object, find: flux.Find) -> Translation:
    """The AppRelease that equals a Kustomization. Raises CommandError for a source that is not found."""
    metadata = obj["metadata"]
    spec = obj.get("spec") or {}
    home = metadata.get("namespace", "default")
    made = Translation(name=metadata["name"], namespace=spec.get("targetNamespace") or home)
    fields = Fields(spec, "spec", made)
    suspended = bool(fields.take("suspend"))
    if fields.take("targetNamespace"):
        made.warn("spec.targetNamespace: objects that name a namespace themselves keep theirs")
    source = source_of(flux.referred(find, fields.take("sourceRef", {}), home), made)
    path = path_of(fields.take("path"))
    made.spec |= {
        "source": source,
        "kustomize": {"path": path},
        "interval": fields.take("interval"),
        "prune": None if fields.take("prune") else False,
        "rollback": {"onFailure": False},
        "dependsOn": flux.dependencies(fields.take("dependsOn"), made) or None,
    }
    made.warn(f"the directory {path} needs a kustomization.yaml: Flux makes one up where there is none")
    for name in _IN_GIT:
        fields.without_equal(name, f"write it into the kustomization.yaml of {path}")
    _delivery(fields, made)
    fields.without_equal("postBuild", "variables are not substituted: use patches, replacements or a chart")
    fields.without_equal("decryption", "files are not decrypted: keep secrets as SyncedSecrets")
    fields.without_equal("kubeConfig", "an AppRelease works in its own cluster alone")
    fields.without_equal(
        "deletionPolicy", "deleting the AppRelease deletes its objects", unless="MirrorPrune"
    )
    fields.end()
    made.steps = flux.steps(made, "Kustomization", home, metadata["name"])
    # The suspension is the hand-over's; the AppRelease has to work.
    made.hold = "" if suspended else f"suspend the Kustomization first: {made.steps[0]}"
    return made


def _delivery(fields: Fields, made: Translation) -> None:
    spec = made.spec
    interval = fields.take("retryInterval", spec["interval"])
    spec["retry"] = {"limit": MOST_RETRIES, "interval": interval}
    made.warn(f"endless retries become {MOST_RETRIES}; a change of the source, or `reconcile`, tries again")
    health = {
        "timeout": fields.take("timeout"),
        "checks": flux.checks(fields.take("healthCheckExprs"), made),
    }
    spec["health"] = without_nothing(health) or None
    waits, named = fields.take("wait"), fields.take("healthChecks")
    if not waits:
        what = "all objects of the release" if named else "every object"
        made.warn(f"spec.wait: an AppRelease always waits for the health of {what}")
    rules = flux.ignore_rules(fields.take("ignore"), made)
    spec["objectRules"] = [*([{"force": True}] if fields.take("force") else []), *rules] or None
    spec["serviceAccountName"] = flux.account(fields, made)
