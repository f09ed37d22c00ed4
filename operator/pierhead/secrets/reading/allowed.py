"""What a namespace may read.

Invariant: every name in a spec passes the operator's policy before anything is asked of AWS, and every name
that is found before it is read; a tenant never learns of one that its namespace may not read.
"""

from dataclasses import dataclass

from pierhead.aws.parameters import without_selector
from pierhead.aws.policy import Policy
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.reading.references import Findable, Reference, references


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one namespace may read of what is found."""

    policy: Policy
    namespace: str

    def __call__(self, kind: Findable, *names: str) -> bool:
        """Whether it may read the secret or parameter that has these names."""
        return any(self.policy.allows(self.namespace, kind, name) for name in names)

    def beginnings(self) -> tuple[str, ...]:
        """What every secret's name begins with that it may read, one of these each; one may be empty."""
        return self.policy.beginnings(self.namespace, "secret")


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
    for index, entry in enumerate(spec.data_from or ()):
        at = f"spec.dataFrom[{index}].find"
        if entry.find is not None and entry.find.name_prefix is not None:
            policy.check_beginning(namespace, "secret", entry.find.name_prefix, field=f"{at}.namePrefix")
        if entry.find is not None and entry.find.path is not None:
            policy.check_beginning(namespace, "parameter", entry.find.below, field=f"{at}.path")


def _without_version(reference: Reference) -> str:
    return without_selector(reference.name) if reference.kind == "parameter" else reference.name
