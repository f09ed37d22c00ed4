"""Which tag a policy chooses, and what it never does by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.images.choice import Choice, Held, Nothing, Scan, candidates, choose, objection
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.images import ImageUpdate
from pierhead.engine.outcome import Invalid
from pierhead.model import parse

CLEAN = Scan(True, "COMPLETE", {})
BAD = Scan(True, "COMPLETE", {"HIGH": 2, "LOW": 9})


def policy(**more) -> ImageUpdate:
    return ImageUpdate.model_validate({"name": "web", "repository": "shop/web", **more})


def tags(*names: str) -> dict[str, str]:
    return {name: f"sha256:{name}" for name in names}


def present(tag: str) -> Choice:
    return Choice(tag, f"sha256:{tag}", "")


def judged(update: ImageUpdate, there: dict[str, str], now: str | None = None, **scans: Scan):
    found = {f"sha256:{name.replace('_', '.')}": scan for name, scan in scans.items()}
    return choose(update, there, present(now) if now else None, found.get)


ONE = policy(semver="1.x")
GATED = policy(semver="1.x", maxSeverity="MEDIUM")


@pytest.mark.parametrize(
    ("update", "there", "expected"),
    [
        (ONE, tags("1.0.0", "1.10.0", "1.9.0", "2.0.0", "latest"), ["1.10.0", "1.9.0", "1.0.0"]),
        (ONE, tags("v1.2.3", "1.2.0-rc.1"), ["v1.2.3"]),
        (policy(regexp={"pattern": r"^main-\d+"}), tags("main-9", "main-10", "dev-1"), ["main-9", "main-10"]),
        (
            policy(regexp={"pattern": r"^main-[0-9a-f]+-(\d+)$", "order": "Numerical"}),
            tags("main-ff-9", "main-aa-10", "main-bb", "main-00-x"),
            ["main-aa-10", "main-ff-9"],
        ),
        (policy(regexp={"pattern": "^(?:a|(b))$"}), tags("a", "b"), ["b"]),
    ],
)
def test_candidates_in_order(update, there, expected):
    assert candidates(update, there) == expected


def test_the_best_is_chosen():
    assert judged(ONE, tags("1.0.0", "1.1.0")).outcome == Choice(
        "1.1.0", "sha256:1.1.0", "highest version in 1.x"
    )


def test_a_tag_with_findings_is_held_and_the_next_one_used():
    found = judged(GATED, tags("1.1.0", "1.2.0"), **{"1_2_0": BAD, "1_1_0": CLEAN})

    assert isinstance(found.outcome, Choice)
    assert (found.outcome.tag, found.outcome.held) == ("1.1.0", (Held("1.2.0", "findings: 2 HIGH"),))
    assert found.scans == ("sha256:1.2.0", "sha256:1.1.0")


def test_a_scan_that_is_not_known_is_asked_for_while_the_present_choice_stands():
    first = judged(GATED, tags("1.1.0"))
    later = judged(GATED, tags("1.1.0", "1.2.0"), "1.1.0")

    assert (first.outcome, first.scans) == (None, ("sha256:1.1.0",))
    assert isinstance(later.outcome, Choice)
    assert (later.outcome.tag, later.scans) == ("1.1.0", ("sha256:1.2.0",))


def test_findings_in_the_present_choice_are_no_reason_to_go_back():
    found = judged(GATED, tags("1.0.0", "1.1.0"), "1.1.0", **{"1_1_0": BAD, "1_0_0": CLEAN})

    assert isinstance(found.outcome, Choice)
    assert found.outcome.tag == "1.1.0"


def test_a_present_choice_that_is_gone_makes_way_for_an_older_one():
    assert judged(ONE, tags("1.0.0"), "1.1.0").outcome == Choice(
        "1.0.0", "sha256:1.0.0", "highest version in 1.x"
    )


def test_a_present_choice_that_another_policy_made_does_not_bind():
    found = judged(ONE, tags("1.5.0", "2.0.0"), "2.0.0").outcome

    assert isinstance(found, Choice)
    assert found.tag == "1.5.0"


def test_a_tag_that_moved_is_followed_unless_what_it_stands_for_is_held():
    moved = {"1.0.0": "sha256:new"}
    free = choose(ONE, moved, present("1.0.0"), {}.get).outcome
    held = choose(GATED, moved, present("1.0.0"), {"sha256:new": BAD}.get).outcome

    assert isinstance(free, Choice)
    assert free.digest == "sha256:new"
    assert isinstance(held, Choice)
    assert (held.digest, held.reason) == ("sha256:1.0.0", "kept: 1.0.0 is held")


def test_a_digest_that_is_not_known_is_asked_for_while_the_present_choice_stands():
    there = {"1.0.0": "sha256:1.0.0", "1.1.0": None}
    first, later = choose(ONE, there, None, {}.get), choose(ONE, there, present("1.0.0"), {}.get)

    assert (first.outcome, first.tags) == (None, ("1.1.0",))
    assert isinstance(later.outcome, Choice)
    assert (later.outcome.tag, later.tags) == ("1.0.0", ("1.1.0",))


def test_nothing_matches_or_everything_is_held():
    assert judged(ONE, tags("2.0.0")).outcome == Nothing(matching=False)
    assert judged(GATED, tags("1.0.0"), **{"1_0_0": BAD}).outcome == Nothing(
        matching=True, held=(Held("1.0.0", "findings: 2 HIGH"),)
    )


@pytest.mark.parametrize(
    ("scan", "worst", "expected"),
    [
        (CLEAN, "NONE", None),
        (BAD, "HIGH", None),
        (BAD, "LOW", "findings: 2 HIGH"),
        (BAD, "NONE", "findings: 2 HIGH, 9 LOW"),
        (Scan(True, "ACTIVE", {"CRITICAL": 1}), "HIGH", "findings: 1 CRITICAL"),
        (Scan(True, "ACTIVE", {"CRITICAL": 1}), "CRITICAL", None),
        (Scan(True, "COMPLETE", {"DIRE": 1}), "HIGH", "findings: 1 DIRE"),
        (Scan(True, "COMPLETE", {"UNDEFINED": 1}), "INFORMATIONAL", None),
        (Scan(False, "IN_PROGRESS", {}), "CRITICAL", "its scan is not finished (IN_PROGRESS)"),
        (Scan(False, "NONE", {}), "CRITICAL", "its scan is not finished (NONE)"),
    ],
)
def test_what_a_scan_objects_to(scan, worst, expected):
    assert objection(scan, worst) == expected


VERSIONS = st.sampled_from([f"1.{minor}.0" for minor in range(6)] + ["2.0.0", "latest"])


@given(st.sets(VERSIONS), st.none() | VERSIONS, st.dictionaries(VERSIONS, st.sampled_from([CLEAN, BAD])))
def test_a_choice_never_comes_before_the_present_one_while_that_is_there(names, now, scans):
    there = tags(*names)
    known = {f"sha256:{name}": scan for name, scan in scans.items()}
    outcome = choose(GATED, there, present(now) if now else None, known.get).outcome
    order = candidates(GATED, there)

    if isinstance(outcome, Choice):
        assert outcome.tag in order
        if now in order:
            assert order.index(outcome.tag) <= order.index(now)
        assert outcome.tag == now or known[outcome.digest] is CLEAN
        assert all(held.tag != outcome.tag for held in outcome.held)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"semver": ">=one"}, "spec.images[0].semver"),
        ({"regexp": {"pattern": "("}}, "spec.images[0].regexp.pattern"),
        ({"regexp": {"pattern": "(?=x)"}}, "spec.images[0].regexp.pattern"),
        ({}, "spec.images[0]"),
        ({"semver": "1.x", "regexp": {"pattern": "x"}}, "spec.images[0]"),
        ({"semver": "1.x", "name": "web:1"}, "spec.images[0].name"),
        ({"semver": "1.x", "repository": "arn:aws:s3:::bucket"}, "spec.images[0].repository"),
        ({"semver": "1.x", "maxSeverity": "high"}, "spec.images[0].maxSeverity"),
        ({"semver": "1.x", "oci": {"url": "oci://example.com/web"}}, "spec.images[0]"),
        (
            {"semver": "1.x", "repository": None, "oci": {"url": "oci://e.com/web"}, "maxSeverity": "LOW"},
            "spec.images[0]",
        ),
    ],
)
def test_what_cannot_be_a_policy_is_refused_with_its_field(change, field):
    image = {"name": "registry.example.com/web", "repository": "shop/web", **change}
    image = {key: value for key, value in image.items() if value is not None}
    spec = {"source": {"inline": {"files": {"a.yaml": "{}"}}}, "images": [image]}

    with pytest.raises(Invalid) as caught:
        parse(AppReleaseSpec, spec)
    assert caught.value.field == field
