"""Messages of S3, EventBridge and SNS tell what happened; anything else tells nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.aws.events import NotJSON
from pierhead.triggers.events import events_in


def record(name="ObjectCreated:Put", key="incoming/a.jpg", **fields):
    item = {"key": key, "size": 12, "eTag": "e1", "sequencer": "0A", **fields}
    return {
        "eventSource": "aws:s3",
        "eventName": name,
        "eventTime": "2026-01-01T00:00:00.000Z",
        "s3": {"bucket": {"name": "pictures"}, "object": item},
    }


def notification(*records):
    return json.dumps({"Records": list(records)})


def of_event_bridge(detail_type="Object Created", key="incoming/a.jpg", **fields):
    item = {"key": key, "size": 12, "etag": "e1", "sequencer": "0A", **fields}
    return json.dumps(
        {
            "id": "17793124",
            "source": "aws.s3",
            "detail-type": detail_type,
            "time": "2026-01-01T00:00:01Z",
            "detail": {"bucket": {"name": "pictures"}, "object": item},
        }
    )


def test_an_upload():
    (found,) = events_in(notification(record()))
    assert found.s3
    assert found.content == {
        "type": "Created", "bucket": "pictures", "key": "incoming/a.jpg",
        "encodedKey": "incoming/a.jpg", "size": 12, "etag": "e1", "versionId": "",
        "time": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip


def test_a_key_with_spaces_and_unicode_is_as_it_was_written():
    encoded = "incoming/Gr%C3%BC%C3%9Fe+aus%2BK%C3%B6ln+%281%29.jpg"
    (found,) = events_in(notification(record(key=encoded)))
    assert found.content["key"] == "incoming/Grüße aus+Köln (1).jpg"
    assert found.content["encodedKey"] == "incoming/Gr%C3%BC%C3%9Fe%20aus%2BK%C3%B6ln%20%281%29.jpg"
    plain = "incoming/Grüße aus+Köln (1).jpg"
    told = [one for one in events_in(of_event_bridge(key=plain)) if one.s3]
    assert [one.content["key"] for one in told] == [plain]


def test_what_goes_is_told_too():
    (found,) = events_in(notification(record("ObjectRemoved:Delete")))
    assert found.content["type"] == "Removed"


def test_several_records_are_several_events_in():
    found = events_in(notification(record(key="a"), record(key="b")))
    assert [one.content["key"] for one in found] == ["a", "b"]
    assert len({one.id for one in found}) == 2


def test_an_event_is_told_as_it_is_and_as_an_upload():
    event, uploaded = events_in(of_event_bridge())
    assert (event.s3, event.content["detail-type"]) == (False, "Object Created")
    assert (uploaded.s3, uploaded.content["key"]) == (True, "incoming/a.jpg")


def test_one_upload_is_the_same_by_whichever_way_it_is_told():
    by_s3, by_sns = (
        events_in(notification(record())),
        json.dumps({"Type": "Notification", "Message": notification(record())}),
    )
    assert events_in(by_sns) == by_s3
    assert events_in(of_event_bridge())[1].id == by_s3[0].id


@pytest.mark.parametrize("other", [{"key": "b"}, {"eTag": "e2"}, {"sequencer": "0B"}, {"versionId": "v2"}])
def test_another_upload_is_another_event(other):
    assert events_in(notification(record()))[0].id != events_in(notification(record(**other)))[0].id


def test_events_of_one_constant_id_are_told_apart():
    """As the stand-in for EventBridge sends them."""
    assert events_in(of_event_bridge(key="a"))[0].id != events_in(of_event_bridge(key="b"))[0].id


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "pictures"}),
        json.dumps({"Records": [{"eventSource": "aws:sqs"}, 3, {"eventSource": "aws:s3", "s3": 4}]}),
        json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ReducedRedundancyLostObject"}]}),
        "[]",
        "3",
        json.dumps({"source": "a"}),
    ],
)
def test_what_is_no_event_tells_nothing(body):
    assert events_in(body) == ()


@pytest.mark.parametrize(
    "body",
    ["", "{", "not json", "[" * 100_000, '{"Type": "Notification", "Message": "{"}'],
    ids=["nothing", "cut", "text", "deep", "in SNS"],
)
def test_what_is_no_json_is_told_without_its_text(body):
    with pytest.raises(NotJSON) as raised:
        events_in(body)
    assert str(raised.value) == "the body is no JSON"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["Records", "Type", "Message", "source", "detail", "detail-type", "eventSource",
                         "eventName", "s3", "bucket", "object", "key"]) | st.text(max_size=3),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(values)
def test_any_json_is_read(value):
    found = events_in(json.dumps(value))
    assert len({one.id for one in found}) <= len(found)
