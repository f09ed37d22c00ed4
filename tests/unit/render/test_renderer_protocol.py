"""The frames of the renderer's pipe."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.render.errors import RendererFault, RenderInvalid
from pierhead.render.process import is_large
from pierhead.render.protocol import (
    Capabilities,
    Chart,
    LookupCall,
    Overlay,
    PlainManifests,
    Release,
    RenderedObject,
    RenderRequest,
    decode_answer,
    decode_lines,
    decode_lookup,
    encode_request,
    frame,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), values))
def test_a_frame_is_its_length_and_its_message_on_one_line(message: dict[str, Any]) -> None:
    encoded = frame(message)
    assert int.from_bytes(encoded[:4], "big") == len(encoded) - 4
    assert b"\n" not in encoded[4:]
    assert decode_lines(encoded[4:]) == [message]


@given(values)
def test_what_is_not_large_is_not_large_when_encoded(value: Any) -> None:
    message = {"value": value}
    if not is_large(message, limit=64):
        assert len(frame(message)) < 64 * 8


def test_large_is_told_without_looking_at_everything() -> None:
    looked = 0

    class Counting(list[str]):
        def __iter__(self) -> Any:
            nonlocal looked
            for item in super().__iter__():
                looked += 1
                yield item

    assert is_large({"a": "x" * 1000}, limit=1000)
    assert not is_large({"a": ["x"] * 10, "b": {"c": 1}}, limit=1000)
    assert is_large({"many": Counting(["x" * 100] * 20)}, limit=1000)


def decoded(request: RenderRequest) -> Any:
    return json.loads(encode_request("7", request, lookup=True)[4:])


def test_a_request_carries_what_the_renderer_reads() -> None:
    request = RenderRequest(
        chart=Chart(
            Path("/s/chart"),
            Release("demo", "shop", revision=3, is_upgrade=True),
            values={"a": 1},
            root=Path("/s"),
            include_crds=False,
        ),
        overlay=Overlay(path=Path("/o/prod"), root=Path("/o"), hooks=True),
        capabilities=Capabilities("v1.36.4", ("v1",)),
        namespace="shop",
    )
    assert decoded(request) == {
        "id": "7",
        "namespace": "shop",
        "helm": {
            "chart": "/s/chart",
            "root": "/s",
            "values": {"a": 1},
            "release": {
                "name": "demo",
                "namespace": "shop",
                "revision": 3,
                "isInstall": False,
                "isUpgrade": True,
            },
            "includeCRDs": False,
        },
        "kustomize": {"path": "/o/prod", "root": "/o", "inline": None, "hooks": True},
        "resources": None,
        "capabilities": {"kubeVersion": "v1.36.4", "apiVersions": ["v1"]},
        "lookup": True,
    }


def test_plain_manifests_are_a_text_or_a_path() -> None:
    text = decoded(RenderRequest(manifests=PlainManifests(text="a: b")))
    assert text["resources"] == {"text": "a: b", "path": "", "root": ""}
    path = decoded(RenderRequest(manifests=PlainManifests(path=Path("/s/m"))))
    assert path["resources"] == {"text": "", "path": "/s/m", "root": ""}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "bad", [{"a": object()}, {"a": float("inf")}, {"a": "\ud800"}, {("a",): 1}, nested(100_000)]
)
def test_values_that_json_cannot_carry_are_the_users_fault(bad: Any) -> None:
    request = RenderRequest(chart=Chart(Path("/c"), Release("demo", "shop"), values=bad))
    with pytest.raises(RenderInvalid, match="JSON cannot carry") as caught:
        encode_request("1", request, lookup=False)
    assert caught.value.source == "values"


HEAD: dict[str, Any] = {
    "id": "7",
    "objects": [{"source": "a.yaml"}, {"source": "b.yaml"}],
    "crds": [{"source": "crds/c.yaml"}],
    "hooks": [
        {
            "name": "h",
            "kind": "Job",
            "path": "h.yaml",
            "manifest": "kind: Job",
            "events": ["test"],
            "weight": 1,
            "deletePolicies": ["hook-succeeded"],
            "outputLogPolicies": [],
        }
    ],
    "notes": "n",
    "manifest": "m",
    "chart": None,
    "values": None,
}


def test_an_answers_bodies_follow_in_order() -> None:
    rendering = decode_answer("7", [HEAD, {"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}])
    assert rendering.objects == (RenderedObject({"n": 1}, "a.yaml"), RenderedObject({"n": 2}, "b.yaml"))
    assert rendering.crds == (RenderedObject({"n": 3}, "crds/c.yaml"),)
    assert rendering.hooks[0].object == {"n": 4}
    assert rendering.hooks[0].delete_policies == ("hook-succeeded",)
    assert rendering.chart_metadata is None


def test_errors_keep_what_they_mean() -> None:
    invalid = {"id": "7", "error": {"kind": "Invalid", "source": "kustomize", "message": "no such patch"}}
    with pytest.raises(RenderInvalid, match="no such patch") as caught:
        decode_answer("7", [invalid])
    assert caught.value.source == "kustomize"
    internal = {"id": "7", "error": {"kind": "Internal", "source": "renderer", "message": "nil map"}}
    with pytest.raises(RendererFault, match="nil map"):
        decode_answer("7", [internal])


def test_an_answer_to_another_request_is_a_fault() -> None:
    with pytest.raises(RendererFault, match="another request"):
        decode_answer("8", [HEAD])


def test_a_lookup_is_told_from_an_answer() -> None:
    call = {"apiVersion": "v1", "kind": "Secret", "namespace": "shop", "name": ""}
    assert decode_lookup({"lookup": call}) == LookupCall("v1", "Secret", "shop", "")
    assert decode_lookup(HEAD) is None
