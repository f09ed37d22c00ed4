"""What reading costs."""

from pathlib import Path
from typing import Any

import pytest

from pierhead.cli.failures import CommandError
from pierhead.cli.secrets.costs.estimate import MONTH, estimates
from pierhead.cli.secrets.costs.prices import Prices, prices
from pierhead.cli.secrets.views import Cadence

HOURS = MONTH / 3600


def synced(name: str, *sources: dict[str, Any], namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    data = [{"key": f"K{number}", "from": source} for number, source in enumerate(sources)]
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"data": data, **spec}}


def calls(*objects: dict[str, Any], events: str = "0s") -> dict[str, tuple[float, float]]:
    found = estimates(objects, cadence=Cadence("1h", events), prices=Prices())
    return {one.name: (round(one.calls, 3), one.alone) for one in found}


DB, TLS = {"secret": "shop/db"}, {"secret": "shop/tls"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, HOURS),
        ({"refresh": {"interval": "30m"}}, 2 * HOURS),
        ({"refresh": {"mode": "Once"}}, 0),
        ({"suspend": True}, 0),
        ({"refresh": {"mode": "Events", "interval": "6h"}}, HOURS / 6),
    ],
)
def test_calls_follow_from_the_spec(spec: dict[str, Any], expected: float) -> None:
    assert calls(synced("a", DB, **spec)) == {"a": (expected, expected)}


def test_while_events_arrive_reads_are_rare() -> None:
    polled = synced("b", TLS, refresh={"mode": "Poll"})

    assert calls(synced("a", DB), polled, events="12h") == {"a": (60, 60), "b": (HOURS, HOURS)}


def test_what_a_sweep_tells_of_is_read_when_it_moves() -> None:
    flags = {"parameter": "/shop/flags"}
    (found,) = estimates(
        [synced("a", DB, flags, refresh={"versionSweep": True})],
        cadence=Cadence("1h", "12h"),
        prices=Prices(),
    )

    assert (found.calls, found.reads, found.incomplete) == (HOURS, 2, True)


def test_a_secret_is_read_once_for_all_keys_of_one_version() -> None:
    keys = [DB | {"property": "user"}, DB | {"property": "password"}, DB | {"versionStage": "AWSPREVIOUS"}]

    assert calls(synced("a", *keys)) == {"a": (2 * HOURS, 2 * HOURS)}


def test_what_comes_due_together_is_read_once() -> None:
    found = calls(
        synced("a", DB, TLS),
        synced("b", DB, namespace="other"),
        synced("later", DB, refresh={"interval": "2h"}),
        synced("elsewhere", DB, aws={"region": "eu-west-1"}),
        synced("as another", DB, aws={"roleArn": "arn:aws:iam::111122223333:role/x"}),
    )

    assert found == {
        "a": (1.5 * HOURS, 2 * HOURS),
        "b": (0.5 * HOURS, HOURS),
        "later": (HOURS / 2, HOURS / 2),
        "elsewhere": (HOURS, HOURS),
        "as another": (HOURS, HOURS),
    }


def test_what_was_found_last_is_read_again() -> None:
    finding = synced("a", dataFrom=[{"find": {"namePrefix": "shop/"}}, {"find": {"path": "/shop"}}])
    found = [{"name": "shop/db"}, {"name": "shop/tls"}]
    finding["status"] = {
        "extracts": [{"find": "x", "found": found}, {"find": "y", "found": [{"name": "/shop/p"}]}]
    }

    assert calls(finding, synced("b", DB)) == {"a": (2 * HOURS, 2 * HOURS), "b": (HOURS, HOURS)}


def test_a_role_is_not_shared_between_namespaces() -> None:
    role = {"aws": {"roleArn": "arn:aws:iam::111122223333:role/x"}}
    found = calls(
        synced("a", DB, **role), synced("b", DB, namespace="other", **role), synced("c", DB, **role)
    )

    assert found == {"a": (HOURS / 2, HOURS), "b": (HOURS, HOURS), "c": (HOURS / 2, HOURS)}


def test_parameters_and_selections_have_their_own_price() -> None:
    (one, two) = estimates(
        [
            synced("a", DB, {"parameter": "/shop/flags"}),
            synced("b", dataFrom=[{"extract": TLS}, {"find": {"namePrefix": "shop/"}}]),
        ],
        cadence=Cadence("1h", "0s"),
        prices=Prices(),
    )

    assert (one.reads, one.calls, one.incomplete) == (2, 2 * HOURS, False)
    assert one.cost == pytest.approx(HOURS * 0.05 / 10_000)
    assert (two.reads, two.incomplete) == (1, True)


def test_the_month_of_the_facts_costs_what_they_say() -> None:
    """5,000 secrets each minute: 216 million calls, $1,080."""
    objects = [synced(f"s{number}", {"secret": f"shop/{number}"}) for number in range(5000)]
    found = estimates(objects, cadence=Cadence("1m", "0s"), prices=Prices())

    assert sum(one.calls for one in found) == 216_000_000
    assert sum(one.cost for one in found) == pytest.approx(1080)


def test_prices_are_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("currency: EUR\nsecretCallsPer10000: 0.1\n")
    assert prices(path).secret_calls == 0.1
    assert prices(path).date == "as prices.yaml says"
    path.write_text("date: 2027-01-15")
    assert prices(path).date == "2027-01-15"
    for wrong in ("secretCalls: 1", "- 1", "secretCallsPer10000: -1", "{", ""):
        path.write_text(wrong)
        with pytest.raises(CommandError, match="no list of prices"):
            prices(path)
