"""What a type asks for, and what names a Secret's form."""

from typing import Any

import pytest

from pierhead.secrets.writing.form import Form
from pierhead.secrets.writing.types import fault_of
from support.secret_specs import entry, spec_of


@pytest.mark.parametrize(
    ("secret_type", "data", "words"),
    [
        ("Opaque", {}, None),
        ("example.com/own", {}, None),
        ("kubernetes.io/tls", {"tls.crt": b"", "tls.key": b""}, None),
        ("kubernetes.io/tls", {"tls.key": b"x"}, "the key tls.crt"),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": b"x"}, None),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": b""}, "the key ssh-privatekey"),
        ("kubernetes.io/basic-auth", {"username": b""}, None),
        ("kubernetes.io/basic-auth", {"password": b""}, None),
        ("kubernetes.io/basic-auth", {"user": b"x"}, "username and password"),
        ("kubernetes.io/dockercfg", {".dockercfg": b"{}"}, None),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b'{"auths": {}}'}, None),
        ("kubernetes.io/dockerconfigjson", {".dockercfg": b"{}"}, "the key .dockerconfigjson"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"canary"}, "not JSON"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"[]"}, "not JSON"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"[" * 100_000}, "not JSON"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"\xff"}, "not JSON"),
    ],
)
def test_a_type_names_the_key_it_lacks(secret_type: str, data: dict[str, bytes], words: str | None) -> None:
    fault = fault_of(secret_type, data)

    assert (fault is None) == (words is None)
    if fault is not None:
        assert words is not None
        assert words in fault.message
        assert "canary" not in fault.message


def form(**target: Any) -> Form:
    return Form.of(spec_of(data=[entry("A")], target=target))


def test_a_form_is_named_by_all_that_is_asked_for_and_only_then() -> None:
    assert form(name="x", type="example.com/own", adopt=True).digest is None
    forms = [
        form(immutable=True),
        form(labels={"a": "b"}),
        form(annotations={"a": "b"}),
        form(labels={"a": "b", "c": "d"}),
        form(immutable=True, labels={"a": "b"}),
    ]
    assert len({one.digest for one in forms} - {None}) == len(forms)
    assert form(labels={"c": "d", "a": "b"}).digest == form(labels={"a": "b", "c": "d"}).digest
