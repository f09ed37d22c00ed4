"""How many requests the API server answered, and whose.

Invariant: both sources speak the same words (API verbs, lower case), so counts can be compared and
subtracted. Totals come from the API server's own metrics and cost nothing; who asked is only in the
audit log. A watch counts once, when it begins in the log and when it ends in the metrics.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_SAMPLE = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_VERBS = {"post": "create", "put": "update", "apply": "patch"}


class RequestKind(NamedTuple):
    """What was asked of the API server, and the HTTP status of the answer."""

    verb: str
    """get, list, watch, create, update, patch (server-side apply too), delete, deletecollection."""

    group: str
    resource: str
    subresource: str
    dry_run: bool
    code: int

    @property
    def writes(self) -> bool:
        """Whether the request could change something."""
        return self.verb not in {"get", "list", "watch"} and not self.dry_run


def from_metrics(text: str) -> Counter[RequestKind]:
    """Requests of all clients since the API server started, from its `/metrics`.

    The control plane's own requests are among them; those for no resource (health, discovery) are not.
    """
    counts: Counter[RequestKind] = Counter()
    for sample in _SAMPLE.finditer(text):
        labels = dict(_LABEL.findall(sample["labels"]))
        if not labels.get("resource"):
            continue
        verb = labels["verb"].lower()
        kind = RequestKind(
            verb=_VERBS.get(verb, verb),
            group=labels.get("group", ""),
            resource=labels["resource"],
            subresource=labels.get("subresource", ""),
            dry_run=bool(labels.get("dry_run")),
            code=int(labels["code"]),
        )
        counts[kind] += int(float(sample["value"]))
    return counts


def from_audit_log(log: Path, user_agent: str) -> Counter[RequestKind]:
    """Requests whose user agent starts with `user_agent`, from a Metadata-level audit log."""
    return Counter(kind for event in audit_events(log, user_agent) if (kind := kind_of(event)) is not None)


def audit_events(log: Path, user_agent: str) -> Iterator[dict[str, Any]]:
    """The audit log's own account of requests whose user agent starts with `user_agent`, in its order.

    Each request once: a watch when its answer starts, others when they end; none that is for no resource.
    """
    # Most lines of a busy log are somebody else's, and need no parsing.
    wanted = json.dumps(user_agent)[1:-1]
    with log.open() as lines:
        for line in lines:
            if wanted not in line or not line.endswith("\n"):
                continue
            event: dict[str, Any] = json.loads(line)
            if kind_of(event) is not None and str(event.get("userAgent", "")).startswith(user_agent):
                yield event


def kind_of(event: dict[str, Any]) -> RequestKind | None:
    """What an event of the audit log was about; None where it is not counted."""
    verb, stage = event["verb"], event["stage"]
    # A watch is logged when its answer starts and again when it ends; others only when they end.
    counted = "ResponseStarted" if verb == "watch" else "ResponseComplete"
    reference = event.get("objectRef")
    if stage not in {counted, "Panic"} or reference is None:
        return None
    return RequestKind(
        verb=verb,
        group=reference.get("apiGroup", ""),
        resource=reference.get("resource", ""),
        subresource=reference.get("subresource", ""),
        dry_run="dryRun=All" in event["requestURI"],
        code=event.get("responseStatus", {}).get("code", 0),
    )
