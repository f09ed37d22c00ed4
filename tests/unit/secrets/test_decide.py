"""What happens to the Secret: one row a case."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.properties import Fault
from pierhead.secrets.decide import (
    Decision,
    Live,
    Lost,
    decide,
    lost,
    marker_of,
    may_be_gone,
    refusal,
    with_template,
)
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.reading.gathering import Gathered
from pierhead.secrets.reading.references import Reference, Version
from pierhead.secrets.reading.sources import Source, collect
from support.secret_specs import (
    DENIED,
    GONE,
    entry,
    extract,
    live_of,
    parameter_entry,
    parameters_of,
    sources_of,
    spec_of,
    status_of,
)

ONE = spec_of(data=[entry("A")])
MARKER = marker_of(sources_of(ONE, shop__db="x"), None)
OURS = live_of()


@pytest.mark.parametrize(
    ("live", "adopt", "reason"),
    [
        (None, False, None),
        (OURS, False, None),
        (live_of(ours=True, controller="SyncedSecret other"), False, None),
        (live_of(ours=False), False, "TargetNotOwned"),
        (live_of(ours=False), True, None),
        (live_of(ours=False, controller="SyncedSecret other"), False, "TargetNotOwned"),
        (live_of(ours=False, controller="SyncedSecret other"), True, "TargetNotOwned"),
        (live_of(ours=False, deleting=True), True, "TargetTerminating"),
    ],
)
def test_a_secret_that_is_not_ours_is_refused(live: Live | None, adopt: bool, reason: str | None) -> None:
    fault = refusal(spec_of(data=[entry("A")], target={"adopt": adopt}), live)

    assert (fault.reason if fault else None) == reason


@pytest.mark.parametrize(
    ("case", "live", "stored", "action", "restart"),
    [
        ("first sync", None, status_of(), "Write", False),
        ("adopted", live_of(ours=False), status_of(), "Write", False),
        ("settled", OURS, status_of(MARKER, live=OURS), "Keep", False),
        ("drifted", live_of(resource_version="8"), status_of(MARKER, live=OURS), "Write", False),
        ("made anew by hand", live_of(uid="s2"), status_of(MARKER, live=OURS), "Write", False),
        ("deleted by hand", None, status_of(MARKER, live=OURS), "Write", False),
        ("rotated", OURS, status_of("before", live=OURS), "Write", True),
        ("crash after the write", live_of(marker=MARKER), status_of("before", live=OURS), "Write", True),
        ("crash after the first write", live_of(marker=MARKER), status_of(), "Write", False),
        ("crash after the first write, then rotated", live_of(marker="before"), status_of(), "Write", True),
    ],
)
def test_what_was_read_is_written_unless_it_is_there(
    case: str, live: Live | None, stored: SyncedSecretStatus, action: str, restart: bool
) -> None:
    decision = decide(ONE, sources_of(ONE, shop__db="x"), live=live, stored=stored)

    assert (decision.action, decision.restart, decision.marker) == (action, restart, MARKER), case
    assert decision.data == {"A": b"x"}


def test_another_type_is_written() -> None:
    spec = spec_of(data=[entry("A")], target={"type": "example.com/own"})
    decision = decide(spec, sources_of(spec, shop__db="x"), live=OURS, stored=status_of(MARKER, live=OURS))

    assert (decision.action, decision.restart) == ("Write", False)


@pytest.mark.parametrize(
    ("fault", "optional", "policy", "action"),
    [
        (GONE, False, "Retain", "Leave"),
        (GONE, False, "Delete", "Leave"),
        (GONE, True, "Retain", "Write"),
        (GONE, True, "Delete", "Write"),
        (DENIED, False, "Retain", "Leave"),
        (DENIED, True, "Retain", "Leave"),
        (DENIED, True, "Delete", "Leave"),
        (Fault("NotJSON", "is not JSON"), True, "Delete", "Leave"),
    ],
)
def test_a_failing_key_leaves_the_last_good_secret(
    fault: Fault, optional: bool, policy: str, action: str
) -> None:
    spec = spec_of(
        data=[entry("A", "shop/a"), entry("B", "shop/b", optional=optional)], onSourceDelete=policy
    )
    decision = decide(
        spec, sources_of(spec, shop__a="x", shop__b=fault), live=OURS, stored=status_of("before", live=OURS)
    )

    assert decision.action == action
    if action == "Leave":
        assert decision.fault is not None
        assert decision.fault.reason == fault.reason
        assert decision.fault.message.startswith("spec.data[1] (B): ")
    else:
        assert decision.data == {"A": b"x"}
        assert decision.retained == (frozenset("B") if policy == "Retain" else frozenset())


def test_several_failing_keys_are_counted() -> None:
    spec = spec_of(data=[entry("A", "shop/a"), entry("B", "shop/b"), entry("C", "shop/c")])
    decision = decide(
        spec, sources_of(spec, shop__a=GONE, shop__b="x", shop__c=DENIED), live=None, stored=status_of()
    )

    assert decision.fault is not None
    assert decision.fault.reason == "SecretNotFound"
    assert decision.fault.message.endswith("and 1 more, see status.keys")


def test_an_optional_key_that_stays_changes_nothing_and_restarts_nothing() -> None:
    spec = spec_of(data=[entry("A", "shop/a"), entry("B", "shop/b", optional=True)])
    before = marker_of(sources_of(spec, shop__a="x", shop__b="y"), None)
    stored = status_of(
        before,
        live=OURS,
        keys=[{"key": "A", "versionId": "v1-shop/a"}, {"key": "B", "versionId": "v1-shop/b"}],
    )
    decision = decide(spec, sources_of(spec, shop__a="x", shop__b=GONE), live=OURS, stored=stored)

    assert (decision.action, decision.restart) == ("Keep", False)


def test_an_optional_source_of_many_keys_keeps_them_all() -> None:
    spec = spec_of(data=[entry("A", "shop/a")], dataFrom=[extract(optional=True)])
    decision = decide(
        spec, sources_of(spec, shop__a="x", shop__env=GONE), live=OURS, stored=status_of("b", live=OURS)
    )

    assert (decision.action, decision.retained_rest) == ("Write", True)


@pytest.mark.parametrize(
    ("policy", "found", "looked"),
    [
        ("Delete", {"shop__a": GONE, "shop__b": GONE}, True),
        ("Delete", {"shop__a": GONE, "shop__b": "x"}, False),
        ("Delete", {"shop__a": GONE, "shop__b": DENIED}, False),
        ("Retain", {"shop__a": GONE, "shop__b": GONE}, False),
    ],
)
def test_deletion_is_thought_of_only_when_all_sources_are_absent(
    policy: str, found: dict[str, Any], looked: bool
) -> None:
    spec = spec_of(data=[entry("A", "shop/a"), entry("B", "shop/b")], onSourceDelete=policy)

    assert may_be_gone(spec, sources_of(spec, **found)) is looked


@pytest.mark.parametrize(
    ("gone", "live", "stored", "action", "reason"),
    [
        (True, OURS, status_of("m", live=OURS), "Delete", "SourceDeleted"),
        (True, None, status_of("m"), "Leave", "SourceDeleted"),
        (True, None, status_of(), "Leave", "SecretNotFound"),
        (True, live_of(ours=False), status_of("m"), "Leave", "SourceDeleted"),
        (False, OURS, status_of("m", live=OURS), "Leave", "SecretNotFound"),
    ],
)
def test_only_a_secret_of_ours_goes_with_its_sources_and_only_if_that_is_proven(
    gone: bool, live: Live | None, stored: SyncedSecretStatus, action: str, reason: str
) -> None:
    spec = spec_of(data=[entry("A")], onSourceDelete="Delete")
    decision = decide(spec, sources_of(spec, shop__db=GONE), live=live, stored=stored, gone=gone)

    assert decision.action == action
    assert decision.fault is not None
    assert decision.fault.reason == reason


def marker(spec: SyncedSecretSpec, **found: str) -> str:
    return marker_of(sources_of(spec, **found), None)


def test_the_marker_is_made_of_versions_and_never_of_values() -> None:
    two = spec_of(data=[entry("A", "shop/a"), entry("B", "shop/b")])
    swapped = spec_of(data=[entry("B", "shop/b"), entry("A", "shop/a")])
    other = spec_of(data=[entry("A", "shop/b"), entry("B", "shop/a")])
    part = spec_of(data=[entry("A", "shop/a", property="p"), entry("B", "shop/b")])
    polled = spec_of(data=[entry("A", "shop/a"), entry("B", "shop/b")], refresh={"interval": "5s"})

    assert marker(two, shop__a="1", shop__b="2") == marker(two, shop__a="3", shop__b="4")
    assert marker(two, shop__a="1", shop__b="2") == marker(swapped, shop__a="1", shop__b="2")
    assert marker(two, shop__a="1", shop__b="2") == marker(polled, shop__a="1", shop__b="2")
    assert marker(two, shop__a="1", shop__b="2") != marker(other, shop__a="1", shop__b="2")
    assert marker(two, shop__a="{}", shop__b="2") != marker(part, shop__a='{"p": 1}', shop__b="2")


def test_the_marker_covers_the_text_of_templates_and_only_where_there_are_any() -> None:
    def of(**template: Any) -> str:
        spec = spec_of(data=[entry("A", "shop/a")], **({"template": template} if template else {}))
        return marker_of(sources_of(spec, shop__a="1"), None, spec.template)

    plain = spec_of(data=[entry("A", "shop/a")])
    assert of() == marker_of(sources_of(plain, shop__a="1"), None)
    markers = [
        of(),
        of(data={"B": "{{ A }}"}),
        of(data={"B": "{{ A }}\n"}),
        of(data={"C": "{{ A }}"}),
        of(data={"B": "{{ A }}"}, mergePolicy="Merge"),
    ]
    assert len(set(markers)) == len(markers)
    assert of(data={"B": "{{ A }}"}) == of(data={"B": "{{ A }}"}, mergePolicy="Replace")


def test_templates_replace_what_was_decided_to_be_written() -> None:
    read = Decision("Write", data={"A": b"1"}, retained=frozenset({"X"}), retained_rest=True, marker="m")

    replaced = with_template(read, {"B": b"2"}, merge=False)
    merged = with_template(read, {"A": b"1", "B": b"2"}, merge=True)
    failed = with_template(read, DENIED, merge=True)

    assert (replaced.data, replaced.retained, replaced.retained_rest) == ({"B": b"2"}, frozenset(), False)
    assert (merged.data, merged.retained, merged.retained_rest) == ({"A": b"1", "B": b"2"}, {"X"}, True)
    assert (replaced.marker, merged.marker) == ("m", "m")
    assert (failed.action, failed.fault, dict(failed.data)) == ("Leave", DENIED, {})


@pytest.mark.parametrize(
    ("policy", "versions", "expected"),
    [
        ("Retain", True, Lost(frozenset({"A"}), rest=True)),
        ("Delete", True, Lost()),
        ("Retain", False, Lost()),
    ],
)
def test_what_is_lost_was_there_and_was_not_to_be_given_up(
    policy: str, versions: bool, expected: Lost
) -> None:
    spec = spec_of(
        data=[entry("A", "shop/a", optional=True), entry("B", "shop/b")],
        dataFrom=[extract(optional=True)],
        onSourceDelete=policy,
    )
    version = {"versionId": "v1"} if versions else {}
    stored = status_of(
        keys=[{"key": "A", **version}, {"key": "B", **version}],
        extracts=[{"secret": "shop/env", **version}],
    )

    assert lost(spec, sources_of(spec, shop__a=GONE, shop__b="1", shop__env=GONE), stored) == expected


def test_what_a_find_has_lost_without_proof_is_lost_whatever_the_policy() -> None:
    spec = spec_of(dataFrom=[{"find": {"namePrefix": "shop/"}}], onSourceDelete="Delete")
    gathered = Gathered("secret", (), "v1", {"A": b"1"}, frozenset({"B"}))
    source = Source("spec.dataFrom[0]", "shop/", ("find",), kind="find", gathered=gathered)

    assert lost(spec, [source], status_of()) == Lost(frozenset({"B"}))


def test_no_upgrade_restarts_anything() -> None:
    """The marker of what there always was, as the first release made it."""
    spec = spec_of(
        data=[entry("A", "shop/a"), entry("B", "shop/b", property="p")],
        dataFrom=[extract(), extract("shop/more", format="dotenv")],
    )
    found = {"shop__a": "1", "shop__b": '{"p": 2}', "shop__env": "{}", "shop__more": ""}

    assert marker(spec, **found) == "9097eac87790bca9de24b6db83a8fb25"


@pytest.mark.parametrize(
    "more",
    [{"decode": "Base64"}, {"rewrite": [{"pattern": "a", "replace": "b"}]}],
    ids=["decoded", "rewritten"],
)
def test_another_way_to_read_the_same_version_is_another_marker(more: dict[str, Any]) -> None:
    plain, other = spec_of(dataFrom=[extract()]), spec_of(dataFrom=[extract() | more])

    assert marker(plain, shop__env="{}") != marker(other, shop__env="{}")


def test_a_parameter_made_anew_is_another_version() -> None:
    spec = spec_of(data=[parameter_entry("A")])
    name = Reference("/shop/p", kind="parameter")
    first = collect(spec, {name: Version("1@1.000", "x")})
    anew = collect(spec, {name: Version("1@2.000", "y")})

    assert marker_of(first, None) != marker_of(anew, None)


def test_an_optional_parameter_that_stays_changes_nothing() -> None:
    spec = spec_of(data=[parameter_entry("A", optional=True)])
    before = marker_of(collect(spec, parameters_of(p="x")), None)
    stored = status_of(before, live=OURS, keys=[{"key": "A", "versionId": "3@1.000", "version": 3}])
    decision = decide(spec, collect(spec, parameters_of(p=GONE)), live=OURS, stored=stored)

    assert (decision.action, decision.restart) == ("Keep", False)


FAULTS = st.sampled_from([GONE, DENIED, Fault("NotJSON", "is not JSON")])


@given(
    st.lists(st.tuples(st.booleans(), st.none() | FAULTS), min_size=1, max_size=4),
    st.sampled_from(["Retain", "Delete"]),
    st.sampled_from([None, OURS, live_of(ours=False)]),
    st.booleans(),
)
def test_laws_of_every_decision(
    lines: list[tuple[bool, Fault | None]], policy: str, live: Live | None, synced: bool
) -> None:
    names = [f"shop/s{index}" for index in range(len(lines))]
    spec = spec_of(
        data=[
            entry(f"K{index}", names[index], optional=optional) for index, (optional, _) in enumerate(lines)
        ],
        onSourceDelete=policy,
    )
    answers = {name.replace("/", "__"): fault or "x" for name, (_, fault) in zip(names, lines, strict=True)}
    stored = status_of("before" if synced else None, live=live if synced else None)
    decision = decide(spec, sources_of(spec, **answers), live=live, stored=stored)

    blocked = any(fault and not (optional and fault.absent) for optional, fault in lines)
    assert (decision.action == "Leave") is blocked
    assert decision.action != "Delete"  # nothing is proven
    assert (decision.fault is None) is not blocked
    if decision.restart:
        assert synced
    if policy == "Delete":
        assert not decision.retained
    if not blocked:
        assert decision.data.keys() | decision.retained >= {
            f"K{index}" for index, (_, fault) in enumerate(lines) if fault is None or policy == "Retain"
        }
