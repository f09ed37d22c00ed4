"""The Secret that is written."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from pierhead.model import DNSSubdomain, Model, Rule

FORBIDDEN_TYPES = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")
"""Types that the control plane acts on: it writes tokens into the one and trusts the other."""

DEFAULT_TYPE = "Opaque"


class Target(Model):
    """The Secret that is written."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!has(self.type) || !(self.type in {list(FORBIDDEN_TYPES)})",
            f"type must not be one of {', '.join(FORBIDDEN_TYPES)}",
            lambda target: target.type not in FORBIDDEN_TYPES,
        ),
    )

    name: DNSSubdomain | None = None
    """Name of the Secret. Defaults to the SyncedSecret's own."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    """Type of the Secret, such as kubernetes.io/tls. A change makes the Secret anew. Defaults to Opaque."""

    adopt: bool | None = None
    """Whether a Secret of that name that is nobody's may be taken over, other keys in it removed.
    Defaults to false: it is left as it is and the SyncedSecret is not Ready."""
