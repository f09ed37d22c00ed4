"""Whom an event concerns."""

import pytest

from pierhead.engine.resource import ObjectKey
from pierhead.secrets.events.hint import Hint
from pierhead.secrets.events.index import Index, watched
from pierhead.secrets.events.names import named
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.model.sources import DataFromEntry
from support.secret_specs import entry, spec_of

KEY = ObjectKey("shop", "one")
REGION, ACCOUNT = "eu-west-1", "111122223333"
PARTIAL = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:shop/db"
FULL = f"{PARTIAL}-AbCdEf"
ABROAD = {"aws": {"region": "us-east-1"}}
ROLE = {"aws": {"roleArn": "arn:aws:iam::999900001111:role/reader"}}


def spec(source, **more):
    return spec_of(data=[{"key": "A", "from": source}], **more)


def hint(name="shop/db", service="secretsmanager", **more):
    given = {"region": REGION, "account": ACCOUNT, "label": "AWSCURRENT", **more}
    names = named(service, name).names
    return Hint(service, names, **given)


ROWS = {
    "name": ({"secret": "shop/db"}, {}, hint(), True),
    "name, event by ARN": ({"secret": "shop/db"}, {}, hint(FULL), True),
    "partial ARN": ({"secret": PARTIAL}, {}, hint(), True),
    "full ARN": ({"secret": FULL}, {}, hint(), True),
    "full ARN, event by ARN": ({"secret": FULL}, {}, hint(FULL), True),
    "name that ends like an ARN": ({"secret": "shop/db-abcdef"}, {}, hint("shop/db"), False),
    "another name": ({"secret": "shop/other"}, {}, hint(), False),
    "another region": ({"secret": "shop/db"}, {}, hint(region="us-east-1"), False),
    "its own region": ({"secret": "shop/db"}, ABROAD, hint(region="us-east-1"), True),
    "a role of another account": ({"secret": "shop/db"}, ROLE, hint(), False),
    "a role of that account": (
        {"secret": "shop/db"},
        ROLE,
        hint(account="999900001111"),
        True,
    ),
    "an account that is not told": ({"secret": "shop/db"}, ROLE, hint(account=""), True),
    "another label": ({"secret": "shop/db"}, {}, hint(label="blue"), False),
    "its label": ({"secret": "shop/db", "versionStage": "blue"}, {}, hint(label="blue"), True),
    "a label that is not told": ({"secret": "shop/db"}, {}, hint(label=None), True),
    "pinned": ({"secret": "shop/db", "versionId": "1" * 32}, {}, hint(label=None), False),
    "pinned, deleted": (
        {"secret": "shop/db", "versionId": "1" * 32},
        {},
        hint(label=None, topic="Existence"),
        True,
    ),
    "tags": ({"secret": "shop/db"}, {}, hint(label=None, topic="Tags"), False),
    "password of a registry": ({"ecr": {}}, {}, hint(), False),
    "parameter": ({"parameter": "/shop/flags"}, {}, hint("shop/flags", "ssm", label=None), True),
    "parameter's label": ({"parameter": "/shop/a:blue"}, {}, hint("/shop/a", "ssm", label=None), True),
    "secret called like a parameter": ({"secret": "shop/flags"}, {}, hint("shop/flags", "ssm"), False),
}  # fmt: skip


@pytest.mark.parametrize(("source", "more", "told", "concerned"), ROWS.values(), ids=ROWS.keys())
def test_whom_an_event_concerns(source, more, told, concerned):
    index = Index()
    index.put(KEY, watched(spec(source, **more), region=REGION))
    assert index.concerned(told) == ({KEY} if concerned else set())


FINDS = {
    "prefix": ({"namePrefix": "shop/"}, hint(), True),
    "another prefix": ({"namePrefix": "bar/"}, hint(), False),
    "expression": ({"nameRegexp": "^shop/d.$"}, hint(), True),
    "another expression": ({"nameRegexp": "^db"}, hint(), False),
    "no expression": ({"namePrefix": "shop/", "nameRegexp": "("}, hint(), False),
    "tags, which an event does not tell": ({"tags": {"team": "shop"}}, hint(topic="Tags", label=None), True),
    "created": ({"namePrefix": "shop/"}, hint(topic="Existence", label=None), True),
    "another label": ({"namePrefix": "shop/"}, hint(label="blue"), False),
    "parameter below the path": ({"path": "/shop"}, hint("/shop/flags", "ssm", label=None), True),
    "parameter beside the path": ({"path": "/shop"}, hint("/shopping", "ssm", label=None), False),
    "parameter by its whole name": (
        {"path": "/shop", "nameRegexp": "^/shop/f"},
        hint("/shop/flags", "ssm", label=None),
        True,
    ),
    "secret below a path": ({"path": "/shop"}, hint(), False),
}


@pytest.mark.parametrize(("find", "told", "concerned"), FINDS.values(), ids=FINDS.keys())
def test_whom_an_event_concerns_that_searches(find, told, concerned):
    index = Index()
    index.put(KEY, watched(SyncedSecretSpec.model_construct(data_from=[found(find)]), region=REGION))
    assert index.concerned(told) == ({KEY} if concerned else set())
    assert index.searches(KEY, told) == (concerned or told.label == "blue")


def found(find):
    return DataFromEntry.model_construct(find=FindSource.model_construct(**_fields(find)))


def _fields(find):
    # Not through the model, which takes no expression that is none.
    return {name: find.get(alias) for name, alias in ALIASES.items()}


ALIASES = {"name_prefix": "namePrefix", "name_regexp": "nameRegexp", "tags": "tags", "path": "path"}


def test_what_no_event_tells_of_is_left_out():
    index = Index()
    index.put(KEY, watched(spec({"ecr": {}}), region=REGION))
    assert index.concerned(hint()) == set()


def test_a_spec_that_changed_is_found_by_its_new_names_only():
    index = Index()
    index.put(KEY, watched(spec({"secret": "shop/old"}), region=REGION))
    index.put(KEY, watched(spec({"secret": "shop/db"}), region=REGION))
    assert index.concerned(hint("shop/old")) == set()
    assert index.concerned(hint()) == {KEY}
    index.remove(KEY)
    index.remove(KEY)
    assert index.concerned(hint()) == set()
    assert index.keys() == ()


def test_what_was_read_is_known_again_by_its_label_and_version():
    index = Index()
    index.put(KEY, watched(spec_of(data=[entry("A", "shop/db")]), region=REGION))
    assert not index.has(KEY, hint(version_id="v1"))
    index.read(KEY, {("shop/db", "AWSCURRENT"): "v1"})
    assert index.has(KEY, hint(version_id="v1"))
    assert not index.has(KEY, hint(version_id="v2"))
    assert not index.has(KEY, hint(version_id="v1", label="blue"))
    assert not index.has(KEY, hint())
