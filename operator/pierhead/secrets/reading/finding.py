"""What the `find` lines of a spec find.

Invariants: a name that the namespace may not read is not found; what was found before and is not in a list
is looked at by name, as a list proves nothing about what it lacks; a failure that passes is raised.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

from pierhead.aws.access import Access
from pierhead.aws.errors import AccessDenied, AwsError, NotFound
from pierhead.aws.parameterpaths import PAGE_SIZE as PARAMETERS_A_PAGE
from pierhead.aws.parameterpaths import PAGES as PARAMETER_PAGES
from pierhead.aws.secretlists import PAGE_SIZE, PAGES
from pierhead.engine.properties import Fault
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.reading.allowed import Allowed
from pierhead.secrets.reading.criteria import has_tags, names_that_match, narrowed, too_much
from pierhead.secrets.reading.found import Found, found_before
from pierhead.secrets.reading.readers import Readers, version_of
from pierhead.secrets.reading.references import Reference


async def find_all(
    readers: Readers,
    who: Access,
    spec: SyncedSecretSpec,
    stored: SyncedSecretStatus,
    allowed: Allowed,
    *,
    not_before: float,
) -> dict[str, Found]:
    """What each `find` of the spec finds now, and what became of what it found before.

    Raises Transient or Throttled when a call failed in a way that passes.
    """
    finds: dict[str, Found] = {}
    already: list[str] = []
    for index, entry in enumerate(spec.data_from or ()):
        if entry.find is None:
            continue
        before = found_before(entry.find, stored)
        look = _parameters if entry.find.path is not None else _secrets
        try:
            found = await look(readers, who, entry.find, before, allowed, not_before)
        except AwsError as error:
            if not error.terminal:
                raise
            found = Found(fault=_refused(error, entry.find))
        names = sorted({*found.names, *found.unknown, *found.gone})
        problem = found.fault or too_much(names, already, entries=len(spec.data or ()))
        already += names
        finds[f"spec.dataFrom[{index}]"] = replace(found, before=before, fault=problem)
    return finds


async def _secrets(
    readers: Readers,
    who: Access,
    find: FindSource,
    before: Mapping[str, str],
    allowed: Allowed,
    not_before: float,
) -> Found:
    """The secrets of the list, and those that were there before and exist all the same."""
    listed = await readers.lists.list(
        who.identity, who.region, narrowed(find, allowed.beginnings()), not_before=not_before
    )
    if not listed.complete:
        text = f"the list of secrets is longer than {PAGE_SIZE * PAGES}; a namePrefix makes it shorter"
        return Found(fault=Fault("TooMuchFound", text))
    secrets = {one.name: one for one in listed.secrets if allowed("secret", one.name, one.arn)}
    fitting = await _matching(find, secrets.keys() | before.keys())
    if isinstance(fitting, Fault):
        return Found(fault=fitting)
    names = [name for name in fitting if name in secrets and has_tags(find, secrets[name])]
    gone, unknown = set(), set()
    for name in (name for name in fitting if name not in secrets):
        if not allowed("secret", name):
            unknown.add(name)  # perhaps by its ARN, of which its name does not tell
            continue
        try:
            secret = await readers.lists.describe(who.identity, who.region, name)
        except AwsError as error:
            if not error.terminal:
                raise
            unknown.add(name)
            continue
        if secret is None:
            gone.add(name)
        elif allowed("secret", secret.name, secret.arn) and has_tags(find, secret):
            names.append(name)
    return Found(tuple(sorted(names)), frozenset(gone), frozenset(unknown))


async def _parameters(
    readers: Readers,
    who: Access,
    find: FindSource,
    before: Mapping[str, str],
    allowed: Allowed,
    not_before: float,
) -> Found:
    """The parameters below the path, with their values."""
    path = find.below.rstrip("/")
    below = await readers.paths.below(who.identity, who.region, path, not_before=not_before)
    if not below.complete:
        text = f"below the path are more than {PARAMETERS_A_PAGE * PARAMETER_PAGES} parameters"
        return Found(fault=Fault("TooMuchFound", text))
    versions = {one.name: version_of(one) for one in below.parameters if allowed("parameter", one.name)}
    fitting = await _matching(find, versions.keys() | before.keys())
    if isinstance(fitting, Fault):
        return Found(fault=fitting)
    gone, unknown = set(), set()
    for name in (name for name in fitting if name not in versions):
        try:
            parameter = await readers.parameters.read(who.identity, who.region, name, not_before=not_before)
        except NotFound:
            gone.add(name)
        except AwsError as error:
            if not error.terminal:
                raise
            unknown.add(name)
        else:
            versions[name] = version_of(parameter)
    names = tuple(name for name in fitting if name in versions)
    answers = {Reference(name, kind="parameter"): versions[name] for name in names}
    return Found(names, frozenset(gone), frozenset(unknown), answers=answers)


async def _matching(find: FindSource, names: Collection[str]) -> list[str] | Fault:
    """The names that match, off the event loop where there is a pattern: a list may be long."""
    if find.name_regexp is None:
        return names_that_match(find, names)
    return await asyncio.to_thread(names_that_match, find, names)


def _refused(error: AwsError, find: FindSource) -> Fault:
    if not isinstance(error, AccessDenied) or find.path is not None or error.operation != "ListSecrets":
        return Fault(error.reason, error.message)
    text = f'find needs secretsmanager:ListSecrets, which IAM gives on Resource "*" only: {error.message}'
    return Fault(error.reason, text)
