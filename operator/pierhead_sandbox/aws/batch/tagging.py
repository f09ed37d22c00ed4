"""Tags of whatever has an ARN here.

Invariant: at most 50 tags, keys to 128 and values to 256 characters, no key that begins with `aws:`.
Source: AWS Batch user guide, "Tag restrictions".
"""

from collections.abc import Mapping
from typing import Any

from pierhead_sandbox.aws.batch.errors import ClientError
from pierhead_sandbox.aws.batch.region import Region

_MOST = 50
_KEY = 128
_VALUE = 256


def check(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """The tags, if they are allowed. Raises ClientError."""
    found = dict(tags or {})
    if len(found) > _MOST:
        raise ClientError(f"tags: {len(found)} tags, at most {_MOST} are allowed")
    for key, value in found.items():
        if not 1 <= len(key) <= _KEY:
            raise ClientError(f"tags: a key is 1 to {_KEY} characters long")
        if key.lower().startswith("aws:"):
            raise ClientError(f"tags: {key} uses the reserved prefix aws:")
        if not isinstance(value, str) or len(value) > _VALUE:
            raise ClientError(f"tags: the value of {key} is at most {_VALUE} characters long")
    return found


def owner(region: Region, arn: str) -> dict[str, str]:
    """The tags of an ARN, to read or to change. Raises ClientError where nothing has it."""
    for queue in region.queues.values():
        if queue.arn == arn:
            return queue.tags
    for environment in region.environments.values():
        if environment.arn == arn:
            return environment.tags
    for revisions in region.definitions.values():
        for definition in revisions:
            if definition.arn == arn:
                return definition.tags
    found = region.find(arn.rpartition(":job/")[2])
    if found is not None:
        return found[0].tags
    raise ClientError(f"Resource {arn} does not exist")


def add(region: Region, arn: str, tags: Mapping[str, Any] | None) -> None:
    """TagResource."""
    tagged = owner(region, arn)
    tagged.update(check({**tagged, **check(tags)}))


def remove(region: Region, arn: str, keys: list[str]) -> None:
    """UntagResource."""
    tagged = owner(region, arn)
    for key in keys:
        tagged.pop(key, None)
