"""What each namespace may use of AWS.

Invariant: every value of AWS that a tenant chose passes `Policy.check` before any AWS call, because the
operator holds more rights than the people who write its objects. Without a rule a namespace may use what
carries its name (`{namespace}`, `{namespace}/…`, `{namespace}-…`) and the operator's own region.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pierhead.engine.outcome import Denied

Power = Literal[
    "region",
    "role",
    "secret",
    "parameter",
    "queue",
    "jobDefinition",
    "jobRole",
    "executionRole",
    "bucket",
    "repository",
    "topic",
    "eventBus",
    "eventQueue",
    "alarm",
    "consumableResource",
    "fileSystem",
    "logGroup",
    "host",
    "podReference",
]

# How the resource field of an ARN names it, by power.
_ARNS: Final[Mapping[str, re.Pattern[str]]] = {
    power: re.compile(rf"arn:[a-z-]+:{service}:[a-z0-9-]*:\d*:{resource}(.+)")
    for power, service, resource in (
        ("role", "iam", "role/"),
        ("jobRole", "iam", "role/"),
        ("executionRole", "iam", "role/"),
        ("secret", "secretsmanager", "secret:"),
        ("parameter", "ssm", "parameter/"),
        ("queue", "batch", "job-queue/"),
        ("jobDefinition", "batch", "job-definition/"),
        ("bucket", "s3", ""),
        ("repository", "ecr", "repository/"),
        ("topic", "sns", ""),
        ("eventBus", "events", "event-bus/"),
        ("eventQueue", "sqs", ""),
        ("alarm", "cloudwatch", "alarm:"),
        ("consumableResource", "batch", "consumable-resource/"),
        ("fileSystem", "(?:elasticfilesystem|s3files)", "file-system/"),
    )
}

_WILDCARD: Final = re.compile(r"[*?[]")


class PolicyDenied(Denied):
    """The namespace may not use this; the message says what would allow it."""

    default_reason = "PolicyDenied"


class PolicyRule(BaseModel):
    """One entry of the setting `aws_policy`: these namespaces may use these values for these powers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    namespaces: tuple[str, ...] = Field(min_length=1)
    """Names or patterns (`*`, `?`, `[…]`)."""

    powers: tuple[Power | Literal["*"], ...] = Field(min_length=1)
    """What kind of value; `*` is all of them."""

    values: tuple[str, ...] = Field(min_length=1)
    """Names or patterns, compared with the name and, where an ARN is given, with the ARN and the name in it.
    `{namespace}` stands for the namespace that asks."""

    def allows(self, namespace: str, power: Power, spellings: tuple[str, ...]) -> bool:
        """Whether this rule lets the namespace use the value, given in all its spellings."""
        return (
            any(fnmatchcase(namespace, pattern) for pattern in self.namespaces)
            and ("*" in self.powers or power in self.powers)
            and any(
                fnmatchcase(spelling, pattern.replace("{namespace}", namespace))
                for pattern in self.values
                for spelling in spellings
            )
        )


class Policy:
    """The rules of this operator."""

    def __init__(self, rules: Iterable[Mapping[str, object]], *, region: str) -> None:
        """Takes `settings.aws_policy` and `settings.aws_region`. Raises ValueError for a malformed rule."""
        self._rules = tuple(PolicyRule.model_validate(rule) for rule in rules)
        self._region = region

    def check(self, namespace: str, power: Power, value: str, *, field: str | None = None) -> None:
        """Returns when the namespace may use the value.

        `field` is the path of the spec field that names it. Raises PolicyDenied.
        """
        name = _name(power, value)
        if name is not None:
            if self._by_default(namespace, power, name):
                return
            if any(rule.allows(namespace, power, (name, value)) for rule in self._rules):
                return
        raise PolicyDenied(self._refusal(namespace, power, value, malformed=name is None), field=field)

    def allows(self, namespace: str, power: Power, value: str) -> bool:
        """Whether the namespace may use the value, of which it has not told us."""
        try:
            self.check(namespace, power, value)
        except PolicyDenied:
            return False
        return True

    def check_beginning(
        self, namespace: str, power: Power, beginning: str, *, field: str | None = None
    ) -> None:
        """Returns when the namespace may use every name that begins like this. Raises PolicyDenied."""
        name = beginning.removeprefix("/") if power == "parameter" else beginning
        if name.startswith((f"{namespace}/", f"{namespace}-")):
            return
        for pattern in self._patterns(namespace, power):
            # What a pattern with a star at its end matches, it matches with anything behind it too.
            if pattern.endswith("*") and (fnmatchcase(name, pattern) or fnmatchcase(beginning, pattern)):
                return
        raise PolicyDenied(self._refusal(namespace, power, f"{beginning}*", malformed=False), field=field)

    def beginnings(self, namespace: str, power: Power) -> tuple[str, ...]:
        """What every name begins with that the namespace may use, one of these each; one may be empty."""
        found = {namespace}
        for pattern in self._patterns(namespace, power):
            literal = _WILDCARD.split(pattern, maxsplit=1)[0]
            # A pattern for ARNs says nothing of the beginning of a name.
            found.add("" if "arn:".startswith(literal[:4]) else literal)
        return tuple(sorted(found))

    def _patterns(self, namespace: str, power: Power) -> Iterator[str]:
        """The patterns of the rules for this namespace and power."""
        for rule in self._rules:
            if any(fnmatchcase(namespace, pattern) for pattern in rule.namespaces) and (
                "*" in rule.powers or power in rule.powers
            ):
                yield from (value.replace("{namespace}", namespace) for value in rule.values)

    def _by_default(self, namespace: str, power: Power, name: str) -> bool:
        if power == "region":
            return name == self._region
        return name == namespace or name.startswith((f"{namespace}/", f"{namespace}-"))

    def _refusal(self, namespace: str, power: Power, value: str, *, malformed: bool) -> str:
        if malformed:
            return f"{value!r} is not the ARN of a {power}"
        rule = json.dumps({"namespaces": [namespace], "powers": [power], "values": [value]})
        by_default = (
            f"only {self._region}"
            if power == "region"
            else f"only names that are {namespace} or begin with {namespace}/ or {namespace}-"
        )
        return (
            f"namespace {namespace} may not use the {power} {value!r}: by default {by_default}. "
            f"An administrator can allow it with this rule in the setting PIERHEAD_AWS_POLICY: {rule}"
        )


def _name(power: Power, value: str) -> str | None:
    """The name that rules are about: of an ARN the name inside it; None for a foreign kind of ARN."""
    if not value.startswith("arn:"):
        return value.removeprefix("/") if power == "parameter" else value
    pattern = _ARNS.get(power)
    match = pattern.fullmatch(value) if pattern else None
    return match.group(1) if match else None
