"""What an import would do. Pure.

Invariants: a secret whose values are as the file says is not written, so that a second run makes no version;
one that is not ours, or that changed since we wrote it, is refused unless the very version is named that may
go. What is told of a plan names keys and never a value.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pierhead.aws.secretwriter import LONGEST_VALUE, StoredSecret
from pierhead.cli.failures import CommandError
from pierhead.cli.secrets.migration.env_file import EnvFile
from pierhead.engine.properties import Fault
from pierhead.secrets.model.limits import MOST_KEYS
from pierhead.secrets.reading.formats import PARSERS

Form = Literal["json", "dotenv", "each"]
"""One secret of a JSON object, one of the file's own text, or one secret for each variable."""

Change = Literal["create", "change", "unchanged", "remove"]

_SECRET_NAME_LIMIT: Final = 512


@dataclass(frozen=True, slots=True)
class Wanted:
    """A secret that AWS has to have. No representation of it has a value."""

    name: str
    text: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    """Its variables."""

    form: Form = "json"


@dataclass(frozen=True, slots=True)
class Step:
    """One secret: what becomes of it, and of each of its keys."""

    wanted: Wanted
    change: Change
    keys: Mapping[str, Change]
    stored: StoredSecret | None = None
    refusal: str | None = None
    """Why it must not be written."""


def wanted_of(file: EnvFile, name: str, form: Form) -> list[Wanted]:
    """The secrets that hold a file's variables. Raises CommandError where AWS would not take one."""
    variables = file.variables
    if form == "each":
        if len(variables) > MOST_KEYS:
            raise CommandError(f"{len(variables)} variables are more than the {MOST_KEYS} of a SyncedSecret")
        empty = [key for key, value in variables.items() if not value]
        if empty:
            raise CommandError(
                f"{', '.join(empty)}: Secrets Manager takes no empty value; leave it out, or use --as one"
            )
        found = [Wanted(f"{name}/{key}", value, {key: value}, form) for key, value in variables.items()]
    elif form == "dotenv":
        found = [Wanted(name, file.text, variables, form)]
    else:
        found = [Wanted(name, json.dumps(variables, ensure_ascii=False, indent=1), variables, form)]
    for wanted in found:
        if len(wanted.name) > _SECRET_NAME_LIMIT:
            raise CommandError(f"the name of a secret has at most {_SECRET_NAME_LIMIT} characters")
        size = len(wanted.text.encode())
        if size > LONGEST_VALUE:
            raise CommandError(
                f"secret {wanted.name} would have {size} bytes, {LONGEST_VALUE} is the most: use --as each"
            )
    return found


def step_of(wanted: Wanted, stored: StoredSecret | None, replace: Collection[str] = ()) -> Step:
    """What becomes of a secret; `replace` are ids of versions that may go whoever made them."""
    if stored is None:
        return Step(wanted, "create", dict.fromkeys(wanted.values, "create"))
    if stored.deleted:
        return Step(wanted, "change", {}, stored, f"is marked for deletion: {_restore(wanted.name)}")
    before = _values(wanted, stored)
    keys = dict(_changes(wanted.values, before))
    if before is not None and set(keys.values()) <= {"unchanged"}:
        return Step(wanted, "unchanged", keys, stored)
    return Step(wanted, "change", keys, stored, _refusal(stored, replace))


def manifest(
    secrets: Sequence[Wanted],
    *,
    name: str,
    namespace: str | None,
    region: str,
    target: str | None,
    adopt: bool,
) -> dict[str, Any]:
    """The SyncedSecret that takes the file's place."""
    spec: dict[str, Any] = {"aws": {"region": region}}
    if secrets[0].form == "each":
        spec["data"] = [
            {"key": key, "from": {"secret": secret.name}} for secret in secrets for key in secret.values
        ]
    else:
        spec["dataFrom"] = [{"extract": {"secret": secret.name, "format": secret.form}} for secret in secrets]
    if target is not None or adopt:
        spec["target"] = {
            **({"name": target} if target is not None else {}),
            **({"adopt": True} if adopt else {}),
        }
    return {
        "apiVersion": "pierhead.dev/v1alpha1",
        "kind": "SyncedSecret",
        "metadata": {"name": name, **({"namespace": namespace} if namespace is not None else {})},
        "spec": spec,
    }


def _values(wanted: Wanted, stored: StoredSecret) -> Mapping[str, str] | None:
    """The values that are in AWS by key; None where what is there is of another form."""
    if stored.value is None:
        return None
    if wanted.form == "each":
        return dict.fromkeys(wanted.values, stored.value)
    found = PARSERS[wanted.form](stored.value)
    if isinstance(found, Fault):
        return None
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _changes(wanted: Mapping[str, str], before: Mapping[str, str] | None) -> Iterator[tuple[str, Change]]:
    for key, value in wanted.items():
        if before is None or key not in before:
            yield key, "create"
        else:
            yield key, "unchanged" if before[key] == value else "change"
    for key in (before or {}).keys() - wanted.keys():
        yield key, "remove"


def _refusal(stored: StoredSecret, replace: Collection[str]) -> str | None:
    if stored.version_id and stored.version_id in replace:
        return None
    if stored.rotated:
        return "is rotated by AWS, which an import would undo"
    if stored.untouched:
        return None
    why = "was changed by somebody since it was imported" if stored.imported else "was not made by an import"
    version = f"--replace {stored.version_id}" if stored.version_id else "another --name"
    return f"{why}: look at what it holds, then choose another --name" + (
        f", or let this very version go with {version}" if stored.version_id else ""
    )


def _restore(name: str) -> str:
    return f"aws secretsmanager restore-secret --secret-id {name}, or choose another --name"
