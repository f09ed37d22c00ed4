"""What is restarted when values change, and how fast.

Invariant: everything named lives in the SyncedSecret's own namespace.
"""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.model import DNSSubdomain, Duration, Model, Rule, exactly_one, seconds

WorkloadKind = Literal["Deployment", "StatefulSet", "DaemonSet", "CronJob"]

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LabelValue = Annotated[str, StringConstraints(max_length=63, pattern=rf"^({_NAME})?$")]

_LABEL_NAME = rf"([a-z0-9][-a-z0-9.]{{0,252}}/)?{_NAME}"
_LONGEST_WINDOW = 24 * 3600.0


class Workload(Model):
    """What uses the Secret: a workload by its name, some by their labels, or all that mention the Secret."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("name", "matchLabels", "uses"),
        Rule(
            "has(self.uses) || has(self.kind)",
            "name and matchLabels need a kind",
            lambda workload: bool(workload.given() & {"uses", "kind"}),
        ),
        Rule(
            f"!has(self.matchLabels) || self.matchLabels.all(name, name.matches('^{_LABEL_NAME}$'))",
            "matchLabels must have names of labels",
            lambda workload: all(re.fullmatch(_LABEL_NAME, name) for name in workload.match_labels or ()),
        ),
    )

    kind: WorkloadKind | None = None
    """Kind of the workload. A CronJob's next Job starts with the new values; those that run are left alone.
    With `uses`, defaults to all four kinds."""

    name: DNSSubdomain | None = None
    """Its name."""

    match_labels: Annotated[dict[str, LabelValue], Field(min_length=1, max_length=10)] | None = None
    """Labels of the workloads themselves, all of which they have at the moment the values change."""

    uses: Literal["Secret"] | None = None
    """`Secret`: every workload whose pod template mentions the target Secret in env, envFrom or a volume at
    the moment the values change. Image pull secrets do not count: pods that run have pulled."""


class RestartPolicy(Model):
    """How fast restarts follow changes."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!has(self.window) || duration(self.window) <= duration('{_LONGEST_WINDOW:.0f}s')",
            "window must be at most 24h",
            lambda policy: policy.window is None or seconds(policy.window) <= _LONGEST_WINDOW,
        ),
    )

    window: Duration | None = None
    """Time from the first change to the restart: all changes within it, of all SyncedSecrets that restart the
    same workload, are one rollout. `0s` restarts at once. Defaults to the operator's setting."""

    max_concurrent: Annotated[int, Field(ge=1, le=100)] | None = None
    """Most workloads of this SyncedSecret that roll out at once; with 1, a rollout that fails stops all that
    come after it. Defaults to what the operator's settings allow."""
