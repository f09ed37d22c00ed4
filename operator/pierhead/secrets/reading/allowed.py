"""What a namespace may read.

Invariant: every name in a spec passes the operator's policy before anything is asked of AWS.
"""

from pierhead.aws.parameters import without_selector
from pierhead.aws.policy import Policy
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.reading.references import Reference, references


def check(spec: SyncedSecretSpec, namespace: str, policy: Policy) -> None:
    """Returns when the namespace may read all that the spec names. Raises PolicyDenied with the field."""
    for reference, field in references(spec).items():
        if reference.kind == "ecr":
            if reference.region is not None:
                policy.check(namespace, "region", reference.region, field=f"{field}.region")
            # One password opens every repository that its identity may read, whatever registry it is for.
            policy.check(namespace, "repository", "*", field=field)
            continue
        policy.check(namespace, reference.kind, _without_version(reference), field=field)


def _without_version(reference: Reference) -> str:
    return without_selector(reference.name) if reference.kind == "parameter" else reference.name
