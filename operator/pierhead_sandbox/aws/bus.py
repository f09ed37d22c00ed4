"""Events that AWS services put on EventBridge by themselves, and moto's services do not.

Invariant: a target that fails loses its event, as on AWS, and nobody else notices. Goes to the rules directly
and not through PutEvents, which AWS closes to `aws.*` sources, and so can leave disabled rules out.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.events.models import events_backends

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `at` in Unix seconds."""

    id: str
    account: str
    region: str
    source: str
    detail_type: str
    resources: tuple[str, ...]
    detail: dict[str, Any]
    at: float


class Bus:
    """The default event buses."""

    def has_rules(self, account: str | None = None, region: str | None = None) -> bool:
        """Whether any rule is on the default bus, there or anywhere."""
        if account is not None and region is not None:
            return bool(events_backends[account][region].event_buses["default"].rules)
        return any(
            backend.event_buses["default"].rules
            for account_backends in list(events_backends.values())
            for backend in list(account_backends.values())
        )

    def heard(self, account: str, region: str, known: Mapping[str, Any]) -> bool:
        """Whether an enabled rule could match an event of which so much is known.

        `known` has values by path, such as `detail.status`; None where it is known that there is none.
        """
        rules = events_backends[account][region].event_buses["default"].rules
        return any(
            possible(rule.event_pattern.get_pattern(), known)
            for rule in list(rules.values())
            if rule.state == "ENABLED"
        )

    def put(self, event: Event) -> None:
        """Hand an event to every enabled rule."""
        rules = events_backends[event.account][event.region].event_buses["default"].rules
        for rule in list(rules.values()):
            if rule.state != "ENABLED":
                continue
            # moto's default template drops the account and parses a path for every field.
            transformed = any("InputTransformer" in target for target in rule.targets)
            try:
                rule.send_to_targets(_message(event, transformed=transformed), transform_input=transformed)
            except Exception:
                _LOGGER.warning("rule %s lost an event", rule.name, exc_info=True)


def possible(pattern: Mapping[str, Any], known: Mapping[str, Any], prefix: str = "") -> bool:
    """Whether an event could match the pattern; False only where what is known rules it out."""
    for name, wanted in pattern.items():
        path = f"{prefix}{name}"
        if name == "$or":
            fits = any(possible(one, known, prefix) for one in wanted)
        elif isinstance(wanted, dict):
            fits = possible(wanted, known, f"{path}.")
        else:
            fits = path not in known or _admits(wanted, known[path])
        if not fits:
            return False
    return True


def _admits(filters: Sequence[Any], value: Any) -> bool:
    there = value is not None
    return any(
        one.get("exists", True) == there if isinstance(one, dict) else there and one == value
        for one in filters
    )


def _message(event: Event, *, transformed: bool) -> Any:
    message = {
        "version": "0",
        "id": event.id,
        "detail-type": event.detail_type,
        "source": event.source,
        "account": event.account,
        "time": event.at,
        "region": event.region,
        "resources": list(event.resources),
        "detail": event.detail,
    }
    return {**message, "ingestion-time": event.at} if transformed else message
