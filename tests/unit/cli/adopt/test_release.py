"""A Helm release as an AppRelease, and what of its takeover would restart pods."""

from datetime import UTC, datetime

import pytest

from pierhead.apps.history.release import Bookkeeping, Release, Status
from pierhead.cli.adopt.release import newest, removed, translate
from pierhead.cli.adopt.source_options import Chart, source_of
from pierhead.cli.failures import CommandError

AT = datetime(2026, 1, 1, tzinfo=UTC)


def release(status: str = "deployed", *, ours: bool = False, **fields) -> Release:
    return Release(
        name="shop",
        namespace="a",
        revision=3,
        status=Status(status),
        description="",
        manifest="",
        first_deployed=AT,
        last_deployed=AT,
        chart={"name": "shop", "version": "1.2.3"},
        bookkeeping=Bookkeeping("sha256:1", ()) if ours else None,
        **fields,
    )


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "there is no Helm release shop"),
        ([release("pending-upgrade")], "wait until helm is done"),
        ([release("failed")], "make it deployed first"),
        ([release(ours=True)], "belongs to an AppRelease already"),
    ],
)
def test_only_a_release_at_rest_is_adopted(found: list[Release], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        newest(found, "shop")


def test_hooks_that_the_takeover_runs_are_told() -> None:
    hooks = ({"name": "migrate", "events": ["pre-upgrade"]}, {"name": "check", "events": ["test"]})
    made = translate(release(hooks=hooks), {}, path=None, account="deployer", values_secret=None)
    assert made.warnings == ["the takeover is an upgrade, and runs these hooks: migrate"]


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ({"a": 1}, {"a": 2, "b": 3}, []),
        ({"a": {"b": 1, "c": None}}, {"a": {}}, ["/a/b"]),
        ({"env": [{"name": "X", "value": "1"}]}, {"env": [{"name": "Y"}]}, ["/env/X"]),
        ({"env": [{"name": "X", "value": "1"}]}, {"env": [{"name": "Y"}, {"name": "X"}]}, ["/env/X/value"]),
        ({"ports": [{"port": 1}, {"port": 2}]}, {"ports": [{"port": 2}]}, ["/ports/1"]),
        ({"args": ["a", "b"]}, {"args": ["a"]}, []),
    ],
)
def test_what_the_dry_run_does_not_know_to_go(old: dict, new: dict, gone: list[str]) -> None:
    """A list of plain values is replaced whole, which the dry run sees."""
    assert removed(old, new) == gone


@pytest.mark.parametrize(
    ("given", "chart", "source"),
    [
        (
            {"oci": "oci://registry.example.com/charts/shop"},
            Chart(),
            {"oci": {"url": "oci://registry.example.com/charts/shop", "tag": "1.2.3"}},
        ),
        (
            {"helmRepository": "https://charts.example.com"},
            Chart(name="other", version="1.x"),
            {"helmRepository": {"url": "https://charts.example.com", "chart": "other", "semver": "1.x"}},
        ),
        (
            {"git": "https://git.example.com/a.git"},
            Chart(branch="main", secret="login"),
            {
                "git": {
                    "url": "https://git.example.com/a.git",
                    "ref": {"branch": "main"},
                    "secret": {"name": "login"},
                }
            },
        ),
    ],
)
def test_a_source_is_filled_in_from_the_release(given: dict, chart: Chart, source: dict) -> None:
    assert source_of(given, None, chart, known={"name": "shop", "version": "1.2.3"}) == source


def test_two_sources_are_refused() -> None:
    with pytest.raises(CommandError, match="give one of"):
        source_of({"oci": "a", "git": "b"}, None, Chart(), known={})
