"""kopf watches and does nothing else."""

from itertools import islice
from random import Random

import kopf

from pierhead.engine.watching import quiet_settings


def test_kopf_has_nothing_to_write_and_nothing_to_remember() -> None:
    settings = quiet_settings(Random(1))
    body = kopf.Body({"metadata": {"name": "a"}, "spec": {"password": "hunter2"}})
    diffbase, progress = settings.persistence.diffbase_storage, settings.persistence.progress_storage
    assert diffbase.build(body=body) == {}
    assert diffbase.fetch(body=body) is None
    assert progress.clear(essence=kopf.BodyEssence()) == {}
    assert settings.persistence.finalizer != "pierhead.dev/cleanup"
    assert not settings.posting.enabled
    assert settings.peering.standalone


def test_streams_of_two_processes_end_at_different_times() -> None:
    timeouts = {quiet_settings(Random(seed)).watching.server_timeout for seed in range(20)}
    assert len(timeouts) > 10
    assert all(isinstance(timeout, int) and 300 <= timeout <= 600 for timeout in timeouts)


def test_kopf_never_gives_up_on_the_api_server_by_itself() -> None:
    backoffs = quiet_settings(Random(1)).networking.error_backoffs
    assert not isinstance(backoffs, float)
    waits = list(islice(backoffs, 1000))
    assert 0.25 <= waits[0] <= 0.5
    assert all(15.0 <= wait <= 30.0 for wait in waits[10:])
    assert next(iter(islice(backoffs, 3))) <= 0.5
