"""What is remembered of revisions is used until somebody else is known to have written."""

from datetime import UTC, datetime

import pytest

from pierhead.apps.history.release import Status
from pierhead.apps.history.revisions import Revisions
from pierhead.apps.history.secrets import StoredRevision
from pierhead.apps.situation import Revision
from pierhead.engine.resource import ObjectKey

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OWNER = ObjectKey("team-a", "shop")


def entry(revision: int, version: int) -> StoredRevision:
    return StoredRevision(
        revision=Revision(revision, Status.DEPLOYED, NOW, "digest"),
        bookkeeping=None,
        first_deployed=NOW,
        secret_name=f"sh.helm.release.v1.shop.v{revision}",
        resource_version=str(version),
    )


def secret(revision: int, version: int, release: str = "shop"):
    return {
        "metadata": {
            "name": f"sh.helm.release.v1.{release}.v{revision}",
            "namespace": "team-a",
            "resourceVersion": str(version),
            "labels": {"owner": "helm", "name": release},
        }
    }


@pytest.fixture
def woken():
    return []


@pytest.fixture
def revisions(woken):
    made = Revisions()
    made.start(woken.append)
    return made


def test_a_release_without_secrets_has_an_empty_history_without_a_read(revisions):
    assert revisions.of(OWNER, "shop").revisions == []


def test_a_release_with_secrets_has_to_be_read(revisions):
    revisions.handle("ADDED", secret(1, 10))
    assert revisions.of(OWNER, "shop").revisions is None


def test_another_release_does_not_count(revisions):
    revisions.handle("ADDED", secret(1, 10, release="other"))
    assert revisions.of(OWNER, "shop").revisions == []


@pytest.mark.parametrize("event_first", [True, False])
def test_our_own_write_is_not_taken_for_a_foreign_one(revisions, woken, event_first):
    memory = revisions.of(OWNER, "shop")
    if event_first:
        revisions.handle("ADDED", secret(1, 10))
        memory.store(entry(1, 10))
    else:
        memory.store(entry(1, 10))
        revisions.handle("ADDED", secret(1, 10))
        assert woken == []
    revisions.handle("MODIFIED", secret(1, 10))
    assert [kept.secret_name for kept in revisions.of(OWNER, "shop").revisions] == [
        "sh.helm.release.v1.shop.v1"
    ]


def test_a_foreign_write_wakes_the_owner_and_is_read(revisions, woken):
    revisions.of(OWNER, "shop").store(entry(1, 10))
    revisions.handle("ADDED", secret(2, 20))
    assert woken == [OWNER]
    assert revisions.of(OWNER, "shop").revisions is None


def test_a_foreign_delete_wakes_the_owner_and_is_read(revisions, woken):
    revisions.of(OWNER, "shop").remember([entry(1, 10), entry(2, 11)])
    revisions.handle("ADDED", secret(1, 10))
    revisions.handle("ADDED", secret(2, 11))
    revisions.handle("DELETED", secret(1, 30))
    assert woken == [OWNER]
    assert revisions.of(OWNER, "shop").revisions is None


def test_our_own_delete_is_not_news(revisions, woken):
    memory = revisions.of(OWNER, "shop")
    memory.remember([entry(1, 10), entry(2, 11)])
    revisions.handle("ADDED", secret(1, 10))
    revisions.handle("ADDED", secret(2, 11))
    memory.remember([entry(2, 11)])
    revisions.handle("DELETED", secret(1, 30))
    assert woken == []
    assert [kept.revision.revision for kept in memory.revisions] == [2]


def test_an_event_that_overtakes_its_answer_loses_no_history(revisions):
    memory = revisions.of(OWNER, "shop")
    memory.remember([entry(1, 10)])
    revisions.handle("ADDED", secret(1, 10))
    revisions.handle("ADDED", secret(2, 20))
    memory.store(entry(2, 20))
    assert [kept.revision.revision for kept in revisions.of(OWNER, "shop").revisions] == [1, 2]


def test_all_revisions_deleted_by_hand_is_an_empty_history(revisions):
    revisions.of(OWNER, "shop").remember([entry(1, 10)])
    revisions.handle("ADDED", secret(1, 10))
    revisions.handle("DELETED", secret(1, 30))
    assert revisions.of(OWNER, "shop").revisions is None
    assert revisions.of(OWNER, "shop").revisions == []


def test_an_old_event_is_not_news(revisions, woken):
    revisions.of(OWNER, "shop").store(entry(1, 10))
    revisions.handle("MODIFIED", secret(1, 9))
    assert woken == []


def test_any_change_wakes_who_does_not_know_its_history(revisions, woken):
    """A damaged Secret keeps the history from being read; its deletion, too, is worth another try."""
    revisions.handle("ADDED", secret(1, 10))
    assert revisions.of(OWNER, "shop").revisions is None
    revisions.handle("DELETED", secret(1, 30))
    assert woken == [OWNER]
    assert revisions.of(OWNER, "shop").revisions == []


def test_a_release_exists_while_anybody_has_a_revision_of_it(revisions):
    assert not revisions.exists("team-a", "shop")
    revisions.handle("ADDED", secret(1, 10))
    assert revisions.exists("team-a", "shop")
    assert not revisions.exists("team-b", "shop")
    assert not revisions.exists("team-a", "other")
    revisions.handle("DELETED", secret(1, 30))
    assert not revisions.exists("team-a", "shop")


def test_a_release_of_ours_exists_before_the_watch_shows_it(revisions):
    revisions.of(OWNER, "shop").store(entry(1, 10))
    assert revisions.exists("team-a", "shop")
    revisions.of(OWNER, "shop").remember([])
    assert not revisions.exists("team-a", "shop")
