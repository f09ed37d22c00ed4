"""No value of a Secret is shown."""

import base64

from pierhead.cli.masking import masked, masked_pair, scrubbed, texts_of, values_of, without


def secret(**values: str) -> dict:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": data}


def test_a_secrets_values_are_masked_and_its_keys_are_not() -> None:
    given = {**secret(a="one"), "stringData": {"b": "two"}}
    shown = masked(given)
    assert (shown["data"], shown["stringData"]) == ({"a": "***"}, {"b": "***"})
    assert given["stringData"] == {"b": "two"}


def test_what_kubectl_noted_of_a_secret_is_masked() -> None:
    noted = secret(a="one")
    noted["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "one", "x": "y"}
    annotations = masked(noted)["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/last-applied-configuration": "***", "x": "y"}


def test_anything_else_is_shown_as_it_is() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "one"}}
    foreign = {"apiVersion": "example.com/v1", "kind": "Secret", "data": {"a": "one"}}
    assert masked(config) == config
    assert masked(foreign) == foreign


def test_a_value_that_differs_says_so_and_not_what_it_is() -> None:
    before, after = masked_pair(secret(a="one", same="x", gone="y"), secret(a="two", same="x", new="z"))
    assert before is not None
    assert after is not None
    assert before["data"] == {"a": "*** (before)", "same": "***", "gone": "***"}
    assert after["data"] == {"a": "*** (after)", "same": "***", "new": "***"}
    assert masked_pair(None, secret(a="one"))[1] == masked(secret(a="one"))


def test_values_are_found_in_other_texts() -> None:
    values = values_of([secret(password="correct horse", short="abc"), {"kind": "ConfigMap"}])
    assert values == {"correct horse"}
    assert without("it is correct horse, abc", values) == "it is ***, abc"


def test_texts_anywhere_in_a_value_are_masked_anywhere_in_another() -> None:
    hidden = texts_of({"a": ["correct horse", {"b": 12345}], "c": True, "d": None, "e": "abc"})
    assert hidden == {"correct horse", "12345"}
    assert scrubbed({"x": ["a correct horse", 7], "y": {"z": "12345!"}}, hidden) == {
        "x": ["a ***", 7],
        "y": {"z": "***!"},
    }
