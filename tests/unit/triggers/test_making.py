"""What is started follows from the template and the event, and from nothing else."""

from datetime import UTC, datetime

import pytest

from pierhead.engine.cache import ObjectCache
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Resource
from pierhead.expressions import LONGEST_VALUE, Expressions
from pierhead.triggers.making import Maker, Variables
from pierhead.triggers.model import EventTriggerSpec
from pierhead.triggers.starting import lines_in
from support.memory_store import MemoryStore

EVENT = {"type": "Created", "bucket": "pictures", "key": "in/My Holiday.csv", "size": 7}


def maker(called="thumbs", **spec) -> Maker:
    template = {"kind": "BatchJob", "spec": {"queue": "q", "template": {"container": {"env": []}}}}
    given = {
        "s3": {"bucket": "pictures", "countLines": True},
        "queue": "uploads",
        "template": template,
        **spec,
    }
    metadata = {"name": called, "namespace": "media", "uid": "u1", "generation": 1, "resourceVersion": "1"}
    obj = {"apiVersion": "pierhead.dev/v1alpha1", "kind": "EventTrigger", "metadata": metadata}
    resource = Resource(obj, store=MemoryStore(), cache=ObjectCache())
    return Maker(resource, EventTriggerSpec.model_validate(given), Expressions())


def assigned(*pairs, **spec):
    assign = [{"path": path, "expression": expression} for path, expression in pairs]
    return maker(assign=assign, **spec).made("n", Variables(EVENT, lines=3), {})


def test_values_follow_from_the_event():
    obj = assigned(
        ("/spec/completions", "lines"),
        ("/spec/outputUri", "'s3://out/' + event.key"),
        ("/spec/template/container/env/-", "{'name': 'KEY', 'value': event.key}"),
        ("/spec/attempts/limit", "event.size > 5 ? 2 : 1"),
        ("/metadata/labels/bucket", "event.bucket"),
        ("/metadata/annotations/example.com~1size", "event.size"),
    )
    assert obj["spec"] == {
        "queue": "q",
        "completions": 3,
        "outputUri": "s3://out/in/My Holiday.csv",
        "template": {"container": {"env": [{"name": "KEY", "value": "in/My Holiday.csv"}]}},
        "attempts": {"limit": 2},
    }
    assert obj["metadata"]["labels"] == {"bucket": "pictures", "pierhead.dev/event-trigger": "thumbs"}
    assert obj["metadata"]["annotations"] == {"example.com/size": "7"}
    (owner,) = obj["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("EventTrigger", "u1", True)


def test_there_is_a_sample_of_what_needs_no_event():
    now = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    given = [{"path": "/spec/parameters/at", "expression": "event.scheduledTime"}]
    nightly = maker(s3=None, queue=None, schedule="@daily", assign=given).sample(now)
    assert nightly is not None
    assert nightly["spec"]["parameters"] == {"at": "2026-11-23T01:30:00Z"}
    alike = maker(s3=None, eventPattern={"source": ["a"]}).sample(now)
    assert alike is not None
    assert alike["metadata"]["name"] == "thumbs-sample"
    assert maker(assign=[{"path": "/spec/completions", "expression": "lines"}]).sample(now) is None


def test_the_template_is_never_changed():
    one = maker(assign=[{"path": "/spec/template/container/env/-", "expression": "event.key"}])
    first = one.made("n", Variables(EVENT), {})
    assert one.made("n", Variables(EVENT), {}) == first


@pytest.mark.parametrize(
    ("path", "expression", "field", "fault"),
    [
        ("/spec/queue/name", "1", "spec.assign[0].path", "'name' is within something that has no parts"),
        ("/spec/queue/name/deep", "1", "spec.assign[0].path", "no parts"),
        ("/spec/template/container/env/3", "1", "spec.assign[0].path", "the list has 0 items"),
        ("/spec/template/container/env/x/a", "1", "spec.assign[0].path", "no 'x'"),
        ("/spec/new/-", "1", "spec.assign[0].path", "- adds to a list"),
        ("/spec/completions", "event.absent", "spec.assign[0].expression", "there is no"),
        ("/spec/completions", "int(event.key)", "spec.assign[0].expression", "int"),
        ("/spec/completions", "b'ab'", "spec.assign[0].expression", "is no JSON"),
        ("/spec/completions", "1 / 0", "spec.assign[0].expression", "(?i)zero"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(path, expression, field, fault):
    with pytest.raises(Invalid, match=fault) as raised:
        assigned((path, expression))
    assert raised.value.field == field


def test_a_value_is_bounded():
    long = "a" * LONGEST_VALUE
    one = maker(assign=[{"path": "/spec/x", "expression": "event.key"}])
    with pytest.raises(Invalid, match=f"at most {LONGEST_VALUE}"):
        one.made("n", Variables({"key": long}), {})


@pytest.mark.parametrize(
    "spec",
    [
        {"filter": "event."},
        {"filter": "lines > 1"},
        {"name": "evnt.key"},
        {"deduplication": {"key": "lines"}},
        {"assign": [{"path": "/spec/a", "expression": "secret"}]},
    ],
)
def test_expressions_are_judged_before_any_event(spec):
    with pytest.raises(Invalid) as raised:
        maker(**spec).check()
    assert raised.value.field.startswith(f"spec.{next(iter(spec))}")


@pytest.mark.parametrize("lifetime", [0, 899])
def test_what_an_event_started_lives_while_the_event_may_come_again(lifetime):
    """It would be started once more when its queue shows the event again."""
    template = {"kind": "BatchJob", "spec": {"queue": "q", "ttlSecondsAfterFinished": lifetime}}
    with pytest.raises(Invalid, match="has to be 900 at least") as raised:
        maker(template=template).check()
    assert raised.value.field == "spec.template.spec.ttlSecondsAfterFinished"
    with pytest.raises(Invalid, match="has to be 900 at least"):
        assigned(("/spec/ttlSecondsAfterFinished", str(lifetime)))
    daily = {"s3": None, "queue": None, "schedule": "@daily"}
    maker(template=template, **daily).check()
    maker(template={**template, "spec": {"queue": "q", "ttlSecondsAfterFinished": 900}}).check()


def test_without_counting_there_are_no_lines():
    with pytest.raises(Invalid, match="no variable lines"):
        maker(s3={"bucket": "pictures"}, name="string(lines)").check()


def test_names_follow_from_the_key_and_are_names():
    by_default = maker().name_for("k1", Variables(EVENT))
    assert by_default == maker().name_for("k1", Variables({**EVENT, "time": "later"}))
    assert by_default != maker().name_for("k2", Variables(EVENT))
    assert by_default.startswith("thumbs-")
    assert maker(name="event.key").name_for("k1", Variables(EVENT)).startswith("in-my-holiday-csv-")
    assert len(maker("x" * 253).name_for("k1", Variables(EVENT))) <= 63


def test_a_name_of_nothing_is_refused():
    with pytest.raises(Invalid, match="no letter or digit") as raised:
        maker(name="'!!!'").name_for("k", Variables(EVENT))
    assert raised.value.field == "spec.name"


def test_a_time_of_a_schedule_is_named_as_a_cronjob_names_it():
    moment = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
    assert maker("nightly").scheduled_name(moment) == "nightly-29454510"


def test_events_of_one_key_are_the_same():
    one = maker(deduplication={"key": "event.key"})
    assert one.key_of("id-1", EVENT) == one.key_of("id-2", {**EVENT, "size": 8})
    assert one.key_of("id-1", EVENT) != one.key_of("id-1", {**EVENT, "key": "other"})
    assert maker().key_of("id-1", EVENT) == "id-1"
    with pytest.raises(Invalid, match="no text, number or boolean"):
        maker(deduplication={"key": "event"}).key_of("id-1", EVENT)


@pytest.mark.parametrize(("content", "lines"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2)])
def test_lines_are_counted(content, lines):
    assert lines_in(content) == lines
