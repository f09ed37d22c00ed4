"""PKCS#12 gives its parts as PEM, is opened once, and cannot keep the operator busy."""

import pytest

from pierhead.engine.properties import Fault
from pierhead.secrets.templates import pkcs12, pkcs12_child
from pierhead.secrets.templates.budget import Refusal
from support.secret_templates import pem_parts, pkcs12_of, render, render_each


@pytest.mark.parametrize("password", [None, "p@ss wörd"])
def test_its_parts_come_out_as_pem(password: str | None) -> None:
    texts = {
        part: f'{{{{ STORE | pkcs12("{part}"{", PASSWORD" if password else ""}) }}}}' for part in pem_parts()
    }

    made = render_each(texts, {"STORE": pkcs12_of(password), "PASSWORD": password or ""})

    assert made == {part: text.encode() for part, text in pem_parts().items()}


def test_the_parts_of_pem_come_out_as_they_were() -> None:
    parts = pem_parts()
    texts = {part: f'{{{{ PEM | pem("{part}") }}}}' for part in parts}

    made = render_each(texts, {"PEM": f"# a comment\n{parts['chain']}\n{parts['key']}"})

    assert made == {part: text.encode() for part, text in parts.items()}
    twice = render('{{ PEM | pem("key") }}', {"PEM": parts["key"] * 2})
    assert isinstance(twice, Fault)
    assert "several private keys" in twice.message


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ('{{ STORE | pkcs12("key", "canary-5b1f") }}', "NotPKCS12", "or the password is wrong"),
        ('{{ STORE | pkcs12("key") }}', "NotPKCS12", "or the password is wrong"),
        ('{{ "canary-5b1f" | pkcs12("key") }}', "NotPKCS12", "is not PKCS#12"),
        ('{{ STORE | pkcs12("nonsense", PASSWORD) }}', "TemplateFailed", "takes one of key"),
    ],
)
def test_what_cannot_be_opened_is_told_without_a_value(text: str, reason: str, words: str) -> None:
    fault = render(text, {"STORE": pkcs12_of("right"), "PASSWORD": "right"})

    assert isinstance(fault, Fault)
    assert fault.reason == reason
    assert "line 1: filter pkcs12: " in fault.message
    assert words in fault.message
    assert "canary" not in repr(fault)


def test_a_file_is_opened_once_and_only_so_many_are() -> None:
    stores, packed = pkcs12.Stores(), pkcs12_of(None)

    assert stores.open(packed, "") is stores.open(packed, "")
    stores._opened.update({(bytes([index]), ""): stores.open(packed, "") for index in range(3)})
    with pytest.raises(Refusal, match="more than 4 files"):
        stores.open(b"another", "")


def test_a_file_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs12, "WALL_SECONDS", 0.001)

    with pytest.raises(Refusal, match="too long"):
        pkcs12.Stores().open(pkcs12_of(None), "")


def test_a_process_that_is_ended_by_its_limits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs12, "_CHILD", "pierhead.no_such_module")

    with pytest.raises(Refusal, match="too much memory"):
        pkcs12.Stores().open(pkcs12_of(None), "")


def test_a_file_without_a_key_or_certificate_is_empty() -> None:
    assert pkcs12_child.opened(b"\x30\x00", b"") == {"error": "password"}
