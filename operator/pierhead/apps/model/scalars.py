"""What several parts of an AppRelease are written with.

Invariant: a reference is to an object of the AppRelease's own namespace, and a path never leads out of its
source.
"""

from typing import Annotated

from pydantic import StringConstraints

from pierhead.model import DNSSubdomain, Model

RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^/\\][^\\]*$")]
"""A path inside a source: relative, with `/` between its parts."""

ObjectDataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class SecretName(Model):
    """A Secret of the same namespace."""

    name: DNSSubdomain
    """The Secret's name."""
