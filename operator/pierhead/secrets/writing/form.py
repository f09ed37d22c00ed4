"""What a Secret is beside its data: type, labels, annotations, and whether it can change. Pure.

Invariant: it comes from the spec alone, so what names it tells nothing of a value.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.model.target import DEFAULT_TYPE, Target


@dataclass(frozen=True, slots=True)
class Form:
    """How a Secret has to be."""

    type: str = DEFAULT_TYPE
    immutable: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: SyncedSecretSpec) -> "Form":
        """As the spec asks."""
        target = spec.target or Target()
        return cls(
            target.type or DEFAULT_TYPE,
            bool(target.immutable),
            dict(target.labels or {}),
            dict(target.annotations or {}),
        )

    @property
    def digest(self) -> str | None:
        """Names everything but the type; None where nothing else is asked for."""
        if not (self.immutable or self.labels or self.annotations):
            return None
        asked = [self.immutable, sorted(self.labels.items()), sorted(self.annotations.items())]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
