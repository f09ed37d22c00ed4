"""Temporary credentials that outlive the session they were fetched for.

Invariants: an identity is asked for once in its credentials' lifetime, however many identities there are and
however often its session, which is large, gives way to another's; nothing in here shows a key.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from pierhead.aws.assuming import Keys
from pierhead.aws.identity import AwsIdentity

MOST: Final = 4096
"""Identities whose credentials are kept; those fetched longest ago go first."""

_FRESH: Final = timedelta(minutes=15)
"""Remaining lifetime from which on botocore renews: a renewal must never get back what it has."""


class KeyRing:
    """The credentials of all identities. Used by the threads of `aws.session`."""

    def __init__(
        self, fetch: Callable[[AwsIdentity], Keys], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._kept: OrderedDict[AwsIdentity, Keys] = OrderedDict()

    def keys(self, identity: AwsIdentity) -> Keys:
        """The identity's credentials, good for a while. Raises what fetching raises."""
        kept = self._kept.get(identity)
        if kept is not None and datetime.fromisoformat(kept["expiry_time"]) - self._now() > _FRESH:
            return kept
        self._kept.pop(identity, None)
        fetched = self._kept[identity] = self._fetch(identity)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return fetched

    def drop(self, identity: AwsIdentity) -> None:
        """Forgets credentials that AWS takes no more."""
        self._kept.pop(identity, None)
