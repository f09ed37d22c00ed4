"""How secrets and parameters are named in events and in specs. Pure.

Invariant: whatever two ways name one secret, they have a name in common. The random suffix of an ARN is taken
off only where there is an ARN, since a plain name may end like one; and since an ARN may be given without its
suffix, the name with it counts as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Service = Literal["secretsmanager", "ssm"]

SERVICES: Final[Mapping[str, Service]] = {"secret": "secretsmanager", "parameter": "ssm"}
"""By the field that names a source in a spec."""

# Bounds: AWS's own of a secret's id and a parameter's name.
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:(?P<service>secretsmanager|ssm):(?P<region>[a-z0-9-]{1,32}):(?P<account>[0-9]{12}):"
    r"(?P<kind>secret:|parameter/)(?P<name>[-A-Za-z0-9/_+=.@!:]{1,2048})"
)
_KINDS: Final = {"secretsmanager": "secret:", "ssm": "parameter/"}
_NAME: Final = re.compile(r"[-A-Za-z0-9/_+=.@!:]{1,2048}")
_SUFFIX: Final = re.compile(r"-[A-Za-z0-9]{6}$")


@dataclass(frozen=True, slots=True)
class Named:
    """What an identifier may stand for."""

    names: frozenset[str]
    """Names that are meant; of an ARN with what looks like its suffix, both with and without."""

    region: str = ""
    account: str = ""
    """Of an ARN; empty for a plain name."""


def named(service: Service, identifier: object) -> Named | None:
    """What a name or ARN stands for; None for what is neither, or is another service's.

    A parameter's name has no leading slash here, and no version or label after it.
    """
    if not isinstance(identifier, str):
        return None
    region = account = ""
    name = identifier
    if identifier.startswith("arn:"):
        found = _ARN.fullmatch(identifier)
        if found is None or found["service"] != service or found["kind"] != _KINDS[service]:
            return None
        name, region, account = found["name"], found["region"], found["account"]
    elif not _NAME.fullmatch(identifier):
        return None
    if service == "ssm":
        return Named(frozenset({name.partition(":")[0].lstrip("/")}), region, account)
    names = {name}
    if region and _SUFFIX.search(name):
        names.add(_SUFFIX.sub("", name))
    return Named(frozenset(names), region, account)
