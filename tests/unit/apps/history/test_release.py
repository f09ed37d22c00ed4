"""Helm's release format: what is written is what is read, and damage is named."""

import base64
import contextlib
import gzip
import json
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.history.release import INFLATED_LIMIT, Bookkeeping, Release, Status, decode, encode
from pierhead.engine.outcome import Invalid

AT = datetime(2026, 11, 23, 12, 0, 1, 250000, tzinfo=UTC)


def release(**more) -> Release:
    defaults = {
        "name": "shop",
        "namespace": "team-a",
        "revision": 3,
        "status": Status.DEPLOYED,
        "description": "Upgrade complete",
        "manifest": "---\n# Source: shop/templates/cm.yaml\napiVersion: v1\nkind: ConfigMap\n",
        "first_deployed": AT,
        "last_deployed": AT,
        "chart": {"name": "shop", "version": "1.2.3", "apiVersion": "v2"},
        "values": {"replicas": 3},
        "notes": "hello",
        "bookkeeping": Bookkeeping(
            "sha256:1",
            ("team-a_shop__ConfigMap_v1",),
            rolls_back=1,
            rejected=True,
            reconcile_at="x",
            failed_at=AT,
            removed=True,
            baking_since=AT,
            order="1@2026-11-23T12:00:00Z",
            instead_of="sha256:2",
        ),
    }
    return Release(**{**defaults, **more})


def payload(secret):
    return json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))


def test_labels_say_what_the_payload_says():
    secret = encode(release(), at=AT)
    labels = secret["metadata"]["labels"]
    held = payload(secret)
    assert secret["metadata"]["name"] == "sh.helm.release.v1.shop.v3"
    assert secret["type"] == "helm.sh/release.v1"
    assert labels["owner"] == "helm"
    assert (labels["name"], labels["version"], labels["status"]) == (
        held["name"],
        str(held["version"]),
        held["info"]["status"],
    )


def test_what_is_written_is_read():
    written = release()
    read = decode(encode(written, at=AT))
    assert read.bookkeeping == written.bookkeeping
    assert read.last_deployed == AT
    assert (read.manifest, read.values, read.chart, read.notes) == (
        written.manifest,
        written.values,
        written.chart,
        written.notes,
    )


def test_the_same_release_has_the_same_bytes():
    assert encode(release(), at=AT) == encode(release(), at=AT)


def test_a_revision_that_helm_wrote_has_no_bookkeeping():
    held = payload(encode(release(), at=AT))
    del held["pierhead"]
    held["info"]["last_deployed"] = "2026-11-23T13:00:01.123456789+01:00"
    body = base64.b64encode(gzip.compress(json.dumps(held).encode()))
    read = decode({"metadata": {"name": "x"}, "data": {"release": base64.b64encode(body).decode()}})
    assert read.bookkeeping is None
    assert read.last_deployed == datetime(2026, 11, 23, 12, 0, 1, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"release": "%%%"},
        {"release": base64.b64encode(b"not base64 again!").decode()},
        {"release": base64.b64encode(base64.b64encode(b"\x1f\x8bnot gzip")).decode()},
        {"release": base64.b64encode(base64.b64encode(b"{}")).decode()},
        {"release": base64.b64encode(base64.b64encode(b"[]")).decode()},
        {"release": base64.b64encode(base64.b64encode(b"[" * 100_000)).decode()},
        {"release": base64.b64encode(base64.b64encode(gzip.compress(b"{}")[:-6])).decode()},
        {"release": 1},
        encode(release(bookkeeping=Bookkeeping("sha256:1", ("not_an_entry",))), at=AT)["data"],
    ],
)
def test_damage_names_the_secret(data):
    with pytest.raises(Invalid, match=r"sh\.helm\.release\.v1\.shop\.v3") as raised:
        decode({"metadata": {"name": "sh.helm.release.v1.shop.v3"}, "data": data})
    assert raised.value.reason == "DamagedRelease"


def test_a_release_over_the_limit_of_a_secret_is_refused():
    noise = base64.b64encode(random.Random(1).randbytes(1_200_000)).decode()
    with pytest.raises(Invalid) as raised:
        encode(release(manifest=noise), at=AT)
    assert raised.value.reason == "ReleaseTooLarge"


@given(st.binary(max_size=200))
def test_any_payload_is_read_or_refused(body):
    secret = {
        "metadata": {"name": "x"},
        "data": {"release": base64.b64encode(base64.b64encode(body)).decode()},
    }
    with pytest.raises(Invalid):
        decode(secret)


def test_a_secret_that_inflates_without_end_is_damage_and_costs_little():
    body = base64.b64encode(gzip.compress(b" " * (INFLATED_LIMIT + 1)))
    with pytest.raises(Invalid, match="cannot be read"):
        decode({"metadata": {"name": "x"}, "data": {"release": base64.b64encode(body).decode()}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*payload(encode(release(), at=AT)), "x"]), JSON, max_size=5))
def test_whatever_a_payload_holds_it_is_read_or_called_damaged(changes):
    """Anybody who may write Secrets in a namespace may write these."""
    held = {**payload(encode(release(), at=AT)), **changes}
    body = base64.b64encode(base64.b64encode(json.dumps(held).encode())).decode()
    with contextlib.suppress(Invalid):
        read = decode({"metadata": {"name": "x"}, "data": {"release": body}})
        assert all(isinstance(text, str) for text in (read.manifest, read.description, read.notes))
        assert all(isinstance(found, dict) for found in (read.chart, read.values))
