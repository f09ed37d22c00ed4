"""What an import writes, and what it refuses."""

import json
from typing import Any

import pytest

from pierhead.aws.secretwriter import MANAGED, VERSION, StoredSecret
from pierhead.cli.failures import CommandError
from pierhead.cli.secrets.migration.env_file import parse
from pierhead.cli.secrets.migration.plan import Form, manifest, step_of, wanted_of
from pierhead.secrets.model import RESOURCE

TEXT = "A=1\nB=two\n"


def stored(value: str | None, *, tagged: str | None = "v1", **fields: Any) -> StoredSecret:
    tags = {} if tagged is None else {MANAGED: "import", VERSION: tagged}
    return StoredSecret(arn="arn", version_id="v1", value=value, tags=tags, **fields)


def step(secret: StoredSecret | None, *replace: str, form: Form = "json", text: str = TEXT):
    (wanted,) = wanted_of(parse(text, ".env"), "shop/env", form)
    return step_of(wanted, secret, replace)


@pytest.mark.parametrize(
    ("secret", "change", "keys", "refused"),
    [
        (None, "create", {"A": "create", "B": "create"}, None),
        (stored('{"B": "two", "A": 1}'), "unchanged", {"A": "unchanged", "B": "unchanged"}, None),
        (
            stored('{"B": "two", "A": "1"}', tagged=None),
            "unchanged",
            {"A": "unchanged", "B": "unchanged"},
            None,
        ),
        (stored('{"A": "1"}'), "change", {"A": "unchanged", "B": "create"}, None),
        (
            stored('{"A": "1", "B": "x", "C": ""}'),
            "change",
            {"A": "unchanged", "B": "change", "C": "remove"},
            None,
        ),
        (stored("{}", tagged=None), "change", {"A": "create", "B": "create"}, "was not made by an import"),
        (stored("{}", tagged="v0"), "change", {"A": "create", "B": "create"}, "changed by somebody"),
        (stored("{}", rotated=True), "change", {"A": "create", "B": "create"}, "rotated by AWS"),
        (stored(None), "change", {"A": "create", "B": "create"}, None),
        (stored("no json", tagged=None), "change", {"A": "create", "B": "create"}, "was not made by"),
        (stored(None, deleted=True), "change", {}, "marked for deletion"),
    ],
)
def test_what_becomes_of_a_secret(
    secret: StoredSecret | None, change: str, keys: dict[str, str], refused: str | None
) -> None:
    found = step(secret)

    assert (found.change, dict(found.keys)) == (change, keys)
    assert (found.refusal is None) if refused is None else (refused in str(found.refusal))


@pytest.mark.parametrize(
    "secret", [stored("{}", tagged=None), stored("{}", tagged="v0"), stored("{}", rotated=True)]
)
def test_a_version_that_is_named_may_go_and_no_other(secret: StoredSecret) -> None:
    assert step(secret, "v1").refusal is None
    assert step(secret, "v0").refusal is not None


def test_a_secret_without_a_version_names_none() -> None:
    bare = StoredSecret(arn="arn", version_id="", value=None, tags={})

    assert "--replace" not in str(step(bare).refusal)
    assert step(bare, "").refusal is not None


@pytest.mark.parametrize(
    ("form", "names", "texts"),
    [
        ("json", ["shop/env"], ['{\n "A": "1",\n "B": "two"\n}']),
        ("dotenv", ["shop/env"], [TEXT]),
        ("each", ["shop/env/A", "shop/env/B"], ["1", "two"]),
    ],
)
def test_a_file_becomes_secrets_and_the_synced_secret_that_reads_them(
    form: Form, names: list[str], texts: list[str]
) -> None:
    wanted = wanted_of(parse(TEXT, ".env"), "shop/env", form)
    made = manifest(wanted, name="shop-env", namespace="shop", region="eu-west-1", target="env", adopt=True)
    spec = RESOURCE.parse(made)

    assert ([one.name for one in wanted], [one.text for one in wanted]) == (names, texts)
    assert [one.extract.secret for one in spec.data_from or ()] + [
        one.source.secret for one in spec.data or ()
    ] == names
    assert made["spec"]["target"] == {"name": "env", "adopt": True}
    assert "two" not in json.dumps(made) + repr(wanted)


@pytest.mark.parametrize(
    ("form", "text", "words"),
    [
        ("each", "A=", "no empty value"),
        ("each", "\n".join(f"K{number}=1" for number in range(101)), "more than the 100"),
        ("json", f"A={'x' * 65536}", "65536 is the most"),
        ("dotenv", f"A={'x' * 65536}", "65536 is the most"),
    ],
)
def test_what_aws_would_not_take_is_refused(form: Form, text: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        wanted_of(parse(text, ".env"), "shop/env", form)


def test_the_text_of_a_file_is_compared_by_its_variables() -> None:
    assert step(stored("# other\nB='two'\nA=1"), form="dotenv").change == "unchanged"
    assert step(stored("A=1"), form="dotenv").change == "change"
