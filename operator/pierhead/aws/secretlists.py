"""Listing Secrets Manager.

Invariants: equal lists that are wanted at the same time are made once; an answer never serves another
identity; a list is of a bounded length, and says where it is not all. AWS's list may lag behind by minutes:
what is not in it may exist, and only `describe` proves that something does not.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pierhead.aws.errors import AwsError, NotFound, Throttling
from pierhead.aws.held import HeldAnswers
from pierhead.aws.rate import TokenBucket, TokenBuckets
from pierhead.aws.session import AwsClient, AwsIdentity, AwsSessions
from pierhead.aws.sharing import Lane, SharedReads, Wish, never_batched

PAGE_SIZE: Final = 100
PAGES: Final = 100
"""Most pages of one list, so most secrets are 10,000."""

# A quarter of AWS's quota for ListSecrets (100 calls a second), and a small share of that of DescribeSecret.
_LISTS_PER_SECOND: Final = 25.0
_DESCRIBES_PER_SECOND: Final = 50.0

_CURRENT: Final = "AWSCURRENT"


@dataclass(frozen=True, slots=True)
class Criteria:
    """What AWS narrows a list by: each that is given has one of its values as a beginning.

    The values of all are beginnings, case-sensitive; at most ten a field. AWS takes letters, digits, spaces
    and `:_@/+=.-` in them, and a `!` in front turns one round.
    """

    names: tuple[str, ...] = ()
    tag_keys: tuple[str, ...] = ()
    tag_values: tuple[str, ...] = ()

    def filters(self) -> list[dict[str, Any]]:
        """As ListSecrets takes them."""
        given = (("name", self.names), ("tag-key", self.tag_keys), ("tag-value", self.tag_values))
        return [{"Key": key, "Values": list(values)} for key, values in given if values]


@dataclass(frozen=True, slots=True)
class ListedSecret:
    """A secret, without its value."""

    name: str
    arn: str
    tags: Mapping[str, str]
    version_id: str | None
    """The current version, if it has one."""


@dataclass(frozen=True, slots=True)
class SecretList:
    """What a list has."""

    secrets: tuple[ListedSecret, ...]
    complete: bool
    """Whether that is all: a list ends after `PAGES` pages."""


@dataclass(frozen=True, slots=True)
class _Read:
    lane: Lane
    criteria: Criteria


_Wish = Wish[_Read, SecretList]


class SecretLister:
    """Lists for all objects of the operator."""

    def __init__(
        self,
        sessions: AwsSessions,
        *,
        lists_per_second: float = _LISTS_PER_SECOND,
        describes_per_second: float = _DESCRIBES_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._lists = TokenBuckets(lambda: TokenBucket(lists_per_second, lists_per_second))
        self._describes = TokenBuckets(lambda: TokenBucket(describes_per_second, describes_per_second))
        self._reads = SharedReads[_Read, SecretList](
            batch=never_batched,
            single=self._single,
            size=1,
            # Holds nothing, but knows when each call was begun.
            held=HeldAnswers(clock=clock),
        )

    async def list(
        self, identity: AwsIdentity, region: str, criteria: Criteria, *, not_before: float = -math.inf
    ) -> SecretList:
        """The secrets that are not deleted, by name, of a list begun at `not_before` or later.

        Raises the classes of `pierhead.aws.errors`.
        """
        return await self._reads.read(_Read(Lane(identity, region), criteria), not_before=not_before)

    async def describe(self, identity: AwsIdentity, region: str, secret_id: str) -> ListedSecret | None:
        """A secret without its value; None where it provably does not exist, or is marked for deletion.

        Raises the classes of `pierhead.aws.errors` where that cannot be told.
        """
        await self._describes[identity.account, region].take()
        try:
            answer = await self._client(Lane(identity, region)).call("describe_secret", SecretId=secret_id)
        except NotFound:
            return None
        return None if answer.get("DeletedDate") else _listed(answer, "VersionIdsToStages")

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._reads.close()

    async def _single(self, wish: _Wish) -> None:
        lane = wish.read.lane
        try:
            found = await self._pages(lane, wish.read.criteria)
        except AwsError as error:
            if isinstance(error, Throttling):
                self._lists[lane.identity.account, lane.region].hold(error.after)
            self._reads.settle(wish, error)
        else:
            self._reads.settle(wish, found)

    async def _pages(self, lane: Lane, criteria: Criteria) -> SecretList:
        found: dict[str, ListedSecret] = {}
        token: dict[str, str] = {}
        filters = criteria.filters()
        for _ in range(PAGES):
            await self._lists[lane.identity.account, lane.region].take()
            narrowed = {"Filters": filters} if filters else {}
            page = await self._client(lane).call("list_secrets", MaxResults=PAGE_SIZE, **narrowed, **token)
            found |= {one["Name"]: _listed(one, "SecretVersionsToStages") for one in _present(page)}
            # A page may be empty and still not be the last.
            if not page.get("NextToken"):
                return SecretList(_by_name(found), complete=True)
            token = {"NextToken": page["NextToken"]}
        return SecretList(_by_name(found), complete=False)

    def _client(self, lane: Lane) -> AwsClient:
        return self._sessions.client("secretsmanager", region=lane.region, identity=lane.identity)


def _present(page: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    return (one for one in page.get("SecretList", ()) if not one.get("DeletedDate"))


def _by_name(found: Mapping[str, ListedSecret]) -> tuple[ListedSecret, ...]:
    return tuple(found[name] for name in sorted(found))


def _listed(item: Mapping[str, Any], versions: str) -> ListedSecret:
    stages: Mapping[str, Sequence[str]] = item.get(versions) or {}
    return ListedSecret(
        name=item["Name"],
        arn=item["ARN"],
        tags={tag["Key"]: tag.get("Value", "") for tag in item.get("Tags") or ()},
        version_id=next((version for version, labels in stages.items() if _CURRENT in labels), None),
    )
