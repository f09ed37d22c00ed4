"""Writing Secrets Manager, for a person at the command line; the operator never does.

Invariants: only what this wrote, and nobody has written since, is ever overwritten; a version's id is random,
because it is shown where values are not. Each call is sent again with the id it had, so that an answer which
got lost makes no second version.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pierhead.aws.errors import NotFound
from pierhead.aws.session import AwsClient

MANAGED: Final = "pierhead.dev/managed-by"
"""Tag of a secret that was imported."""

MANAGER: Final = "import"

VERSION: Final = "pierhead.dev/imported-version"
"""Tag with the id of the version that the last import made."""

LONGEST_VALUE: Final = 65536
"""Bytes of one version. Source: AWS Secrets Manager quotas."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret as it is in AWS. No representation of it has a value."""

    arn: str
    version_id: str
    """Id of the current version; empty where there is none."""

    value: str | None = field(repr=False)
    """Text of the current version; None where it is binary, or there is none."""

    tags: dict[str, str]
    deleted: bool = False
    rotated: bool = False
    """Whether AWS rotates it."""

    @property
    def imported(self) -> bool:
        """Whether an import made it."""
        return self.tags.get(MANAGED) == MANAGER

    @property
    def untouched(self) -> bool:
        """Whether its current version is the one that the last import made."""
        return self.imported and bool(self.version_id) and self.tags.get(VERSION) == self.version_id


class SecretWriter:
    """Secrets of one region, as one person."""

    def __init__(self, client: AwsClient, *, new_id: Callable[[], str] = lambda: str(uuid.uuid4())) -> None:
        self._client = client
        self._new_id = new_id

    async def look(self, name: str) -> StoredSecret | None:
        """The secret, its value included. Raises the classes of `pierhead.aws.errors`."""
        try:
            found = await self._client.call("describe_secret", SecretId=name)
        except NotFound:
            return None
        deleted = "DeletedDate" in found
        current: dict[str, Any] = {}
        if not deleted:
            try:
                current = await self._client.call(
                    "get_secret_value", SecretId=found["ARN"], VersionStage="AWSCURRENT"
                )
            except NotFound:
                current = {}
        return StoredSecret(
            arn=found["ARN"],
            version_id=current.get("VersionId", ""),
            value=current.get("SecretString"),
            tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", ())},
            deleted=deleted,
            rotated=bool(found.get("RotationEnabled")),
        )

    async def create(self, name: str, value: str, *, kms_key_id: str | None = None) -> str:
        """Creates the secret; returns the version's id. Raises BadRequest where it exists by now."""
        token = self._new_id()
        key = {"KmsKeyId": kms_key_id} if kms_key_id else {}
        answer = await self._client.call(
            "create_secret",
            Name=name,
            SecretString=value,
            ClientRequestToken=token,
            Tags=_tags(token),
            **key,
        )
        return str(answer["VersionId"])

    async def put(self, secret: StoredSecret, value: str) -> str:
        """Makes a new current version; returns its id."""
        token = self._new_id()
        answer = await self._client.call(
            "put_secret_value", SecretId=secret.arn, SecretString=value, ClientRequestToken=token
        )
        await self.mark(secret, token)
        return str(answer["VersionId"])

    async def mark(self, secret: StoredSecret, version_id: str) -> None:
        """Notes that an import made this version, or has found in it just what it would have written."""
        await self._client.call("tag_resource", SecretId=secret.arn, Tags=_tags(version_id))


def _tags(version_id: str) -> list[dict[str, str]]:
    return [{"Key": MANAGED, "Value": MANAGER}, {"Key": VERSION, "Value": version_id}]
