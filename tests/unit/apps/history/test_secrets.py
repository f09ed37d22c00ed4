"""The Secret that need not be read: that of the last deployed revision, at the version it was written."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pierhead.apps.history.release import Release, Status, decode, encode
from pierhead.apps.history.secrets import LastDeployed, StoredRevision

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def release(status: Status = Status.DEPLOYED, revision: int = 1, **more: Any) -> Release:
    made = Release(
        name="shop",
        namespace="team-a",
        revision=revision,
        status=status,
        description="",
        manifest="---\nkind: ConfigMap\n",
        first_deployed=NOW,
        last_deployed=NOW,
        chart={"name": "shop", "version": "1", "apiVersion": "v2"},
    )
    return replace(made, **more)


def written(kept: LastDeployed, made: Release, version: str) -> StoredRevision:
    kept.take(encode(made, at=NOW), {"metadata": {"resourceVersion": version}})
    return StoredRevision.of(replace(made, resource_version=version))


def test_what_was_deployed_is_known_as_it_was_written():
    kept = LastDeployed()
    stored = written(kept, release(labels={"team": "a"}), "5")
    secret = kept.secret(stored)
    assert secret is not None
    assert decode(secret) == release(
        labels=decode(secret).labels, resource_version="5", hooks=decode(secret).hooks
    )
    assert decode(secret).labels["team"] == "a"


def test_another_version_of_it_has_to_be_read():
    kept = LastDeployed()
    stored = written(kept, release(), "5")
    assert kept.secret(replace(stored, resource_version="6")) is None
    assert kept.secret(StoredRevision.of(release(revision=2, resource_version="5"))) is None


@pytest.mark.parametrize("status", [Status.SUPERSEDED, Status.FAILED, Status.UNINSTALLING])
def test_what_is_no_longer_deployed_is_forgotten(status):
    kept = LastDeployed()
    written(kept, release(), "5")
    assert kept.secret(written(kept, release(status), "6")) is None


def test_the_one_before_may_change_without_that():
    kept = LastDeployed()
    newest = written(kept, release(revision=2), "6")
    written(kept, release(Status.SUPERSEDED), "7")
    assert kept.secret(newest) is not None


def test_what_is_large_is_not_held():
    kept = LastDeployed()
    noise = "".join(chr(33 + (number * number) % 89) + str(number) for number in range(20_000))
    assert kept.secret(written(kept, release(manifest=noise), "5")) is None
