"""What is shown of an AppRelease, and which revision a rollback goes to."""

from datetime import UTC, datetime, timedelta

import pytest

from pierhead.apps.history.release import Bookkeeping, Release, Status
from pierhead.cli.apps.act import target_of
from pierhead.cli.apps.views import chart_of, details, revision_line, short_revision, summary
from pierhead.cli.failures import CommandError
from pierhead.cli.output import age, as_yaml
from pierhead.cli.progress import is_settled

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BARE = {"metadata": {"name": "shop", "namespace": "a", "generation": 1}, "spec": {"source": {}}}


def release(revision: int, status: str, **kept) -> Release:
    return Release(
        name="shop",
        namespace="a",
        revision=revision,
        status=Status(status),
        description="Upgrade complete",
        manifest="",
        first_deployed=AT,
        last_deployed=AT,
        chart={"name": "shop", "version": "1.2.3"},
        notes="the password is correct horse",
        bookkeeping=Bookkeeping("sha256:1", (), **kept) if kept else None,
    )


def with_ready(status: str, *, seen: int = 1, **others: str) -> dict:
    conditions = [{"type": "Ready", "status": status, "reason": "Deployed", "message": "revision 2"}]
    conditions += [{"type": kind, "status": value} for kind, value in others.items()]
    return {**BARE, "status": {"observedGeneration": seen, "conditions": conditions}}


def test_an_app_release_that_nobody_has_seen_has_a_line() -> None:
    line = summary(BARE)
    assert (line["ready"], line["reason"], line["revision"]) == ("Unknown", "Pending", None)
    assert details(BARE, None)["current"] is False


def test_details_mask_what_they_are_told_to() -> None:
    assert details(BARE, release(1, "deployed"), {"correct horse"})["notes"] == "the password is ***"


@pytest.mark.parametrize(
    ("spec", "chart"),
    [
        ({"source": {"git": {}}}, None),
        ({"source": {"git": {}}, "helm": {"path": "charts/shop"}}, "charts/shop"),
        ({"source": {"git": {}}, "helm": {}}, "."),
        ({"source": {"helmRepository": {"chart": "podinfo"}}, "helm": {}}, "podinfo"),
        ({"source": {"oci": {"url": "oci://registry.example.com/charts/shop"}}, "helm": {}}, "shop"),
    ],
)
def test_the_chart_is_told_from_the_spec(spec: dict, chart: str | None) -> None:
    assert chart_of(spec) == chart


def test_a_commit_is_shortened_and_nothing_else() -> None:
    assert short_revision(f"main@{'0123456789' * 4}") == "main@012345678901"
    assert short_revision("shop@1.2.3") == "shop@1.2.3"
    assert short_revision(None) == ""


def test_a_revision_says_who_made_it() -> None:
    assert revision_line(release(1, "deployed"))["by"] == "helm"
    line = revision_line(release(3, "deployed", rolls_back=1))
    assert (line["by"], line["rollsBack"], line["updated"]) == ("pierhead", 1, "2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize(
    ("obj", "settled"),
    [
        (BARE, False),
        (with_ready("Unknown"), False),
        (with_ready("True"), True),
        (with_ready("True", seen=0), False),
        (with_ready("False", Reconciling="True"), False),
        (with_ready("False", Stalled="True"), True),
    ],
)
def test_settled_is_what_nothing_is_under_way_for(obj: dict, settled: bool) -> None:
    assert is_settled(obj) is settled


@pytest.mark.parametrize(
    ("statuses", "wanted", "target"),
    [
        (["superseded", "deployed"], None, 1),
        (["superseded", "superseded", "failed", "deployed"], None, 2),
        (["superseded", "failed", "deployed"], 1, 1),
        (["deployed", "failed"], 1, 1),
    ],
)
def test_a_rollback_goes_to_a_revision_that_was_deployed(
    statuses: list[str], wanted: int | None, target: int
) -> None:
    found = [release(number + 1, status) for number, status in enumerate(statuses)]
    assert target_of(found, wanted) == target


@pytest.mark.parametrize(
    ("statuses", "wanted", "why"),
    [
        ([], None, "nothing was ever released"),
        (["deployed"], None, "no earlier revision"),
        (["failed", "deployed"], 1, "revision 1 is failed"),
        (["deployed"], 7, "there is no revision 7; kept are 1"),
    ],
)
def test_a_rollback_that_cannot_be_is_refused(statuses: list[str], wanted: int | None, why: str) -> None:
    found = [release(number + 1, status) for number, status in enumerate(statuses)]
    with pytest.raises(CommandError, match=why):
        target_of(found, wanted)


@pytest.mark.parametrize(
    ("passed", "text"), [(5, "5s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d"), (-3, "0s")]
)
def test_ages_are_kubectls(passed: int, text: str) -> None:
    assert age(AT.isoformat(), AT + timedelta(seconds=passed)) == text


def test_yaml_is_for_people() -> None:
    twice = {"x": 1}
    text = as_yaml({"b": "one\ntwo\n", "a": [twice, twice]})
    assert text == "b: |\n  one\n  two\na:\n- x: 1\n- x: 1\n"
