from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat import jsonwire
from proto.chat.events import (
    CameBack,
    Emoted,
    Entered,
    Event,
    Joined,
    Left,
    Missed,
    Moved,
    Notice,
    Pasted,
    People,
    Recalled,
    Refused,
    Renamed,
    Rooms,
    Said,
    TakenOver,
    Told,
    TopicSet,
    WentAway,
    YouTold,
)
from proto.chat.jsonwire import (
    Hello,
    Line,
    LookBack,
    Search,
    Tell,
    WhichRooms,
    Who,
    WrongShape,
    decode,
)
from tests.chat.doubles import AT, stored

LINE = {"type": "line", "sequence": 7, "at": AT, "kind": "said", "sender": "ann", "text": "hi"}
SEVENTH = stored(7, Said("ann", "hi"))


def written(event: Event, mark: int | str | None = None) -> Any:
    return json.loads(jsonwire.encode(event, mark))


@pytest.mark.parametrize(
    ("event", "shape"),
    [
        (SEVENTH, LINE),
        (stored(7, Emoted("ann", "hi")), {**LINE, "kind": "emoted"}),
        (stored(7, Pasted("ann", "a\nb")), {**LINE, "kind": "pasted", "text": "a\nb"}),
        (stored(7, TopicSet("ann", "")), {**LINE, "kind": "topic", "text": ""}),
        (Told("ann", "psst"), {"type": "told", "sender": "ann", "text": "psst"}),
        (YouTold("bob", "psst"), {"type": "youtold", "recipient": "bob", "text": "psst"}),
        (Joined("bob"), {"type": "joined", "name": "bob"}),
        (Moved("bob", "tea"), {"type": "moved", "name": "bob", "room": "tea"}),
        (Left("bob"), {"type": "left", "name": "bob", "reason": ""}),
        (Renamed("bob", "rob"), {"type": "renamed", "old": "bob", "new": "rob"}),
        (WentAway("bob", "tea"), {"type": "away", "name": "bob", "note": "tea"}),
        (CameBack("bob"), {"type": "back", "name": "bob"}),
        (TakenOver(), {"type": "takenover"}),
        (Notice("a\nb"), {"type": "notice", "text": "a\nb"}),
        (Refused("no"), {"type": "error", "text": "no", "field": None, "id": None}),
        (Refused("no", "q"), {"type": "error", "text": "no", "field": None, "id": "q"}),
        (Missed((SEVENTH,), True), {"type": "missed", "lines": [LINE], "more": True}),
        (
            Recalled("tea", (SEVENTH,), False, "hi", 4),
            {
                "type": "lines",
                "room": "tea",
                "lines": [LINE],
                "more": False,
                "words": "hi",
                "id": 4,
            },
        ),
        (
            People("tea", (("ann", None), ("bob", "")), 2),
            {
                "type": "people",
                "room": "tea",
                "people": [{"name": "ann", "away": None}, {"name": "bob", "away": ""}],
                "unlisted": 2,
            },
        ),
        (
            Rooms((("lobby", 3),), 1),
            {"type": "rooms", "rooms": [{"name": "lobby", "people": 3}], "unlisted": 1},
        ),
        (
            Entered("tea", "bob", ("ann",), 1, TopicSet("ann", "cups"), 7, (SEVENTH,), more=True),
            {
                "type": "entered",
                "room": "tea",
                "name": "bob",
                "topic": {"text": "cups", "by": "ann"},
                "people": ["ann"],
                "unlisted": 1,
                "newest": 7,
                "lines": [LINE],
                "resumed": False,
                "more": True,
            },
        ),
    ],
)
def test_every_event_is_one_object(event: Event, shape: dict[str, Any]) -> None:
    assert written(event) == shape


def test_a_room_without_a_topic_says_null() -> None:
    assert written(Entered("tea", "bob", (), 0, None, 0, ()))["topic"] is None


@pytest.mark.parametrize("mark", [0, -5, 1 << 53, "", "a" * 64])
def test_an_answer_carries_the_id_of_its_question(mark: int | str) -> None:
    assert written(Notice("x"), mark) == {"type": "notice", "text": "x", "id": mark}
    assert json.loads(jsonwire.encode_error("no", "text", mark)) == {
        "type": "error",
        "text": "no",
        "field": "text",
        "id": mark,
    }


def test_the_welcome_has_the_token_and_the_id_only_if_there_was_one() -> None:
    plain = {"type": "welcome", "name": "bob", "token": "t", "motd": ["Be kind."]}
    assert json.loads(jsonwire.encode_welcome("bob", "t", ["Be kind."])) == plain
    assert json.loads(jsonwire.encode_welcome("bob", "t", ["Be kind."], 0)) == {**plain, "id": 0}


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ('{"type":"hello"}', Hello()),
        (
            '{"type":"hello","token":"t","after":0,"room":"tea","name":"bob","id":1}',
            Hello(1, "t", 0, "tea", "bob"),
        ),
        ('{"type":"line","text":"a\\nb"}', Line("a\nb")),
        ('{"text":"x","id":"q","type":"line"}', Line("x", "q")),
        ('{"type":"tell","to":"bob","text":"psst"}', Tell("bob", "psst")),
        ('{"type":"history"}', LookBack(count=50)),
        ('{"type":"history","before":9,"count":200}', LookBack(before=9, count=200)),
        (f'{{"type":"history","after":{(1 << 63) - 1}}}', LookBack(after=(1 << 63) - 1)),
        ('{"type":"search","words":"tea"}', Search("tea")),
        ('{"type":"who","id":null}', Who()),
        ('{"type":"rooms"}', WhichRooms()),
        ('{"type":"rooms","of a newer page":[{}]}', WhichRooms()),
    ],
)
def test_every_message_of_a_client_is_understood(text: str, request_: object) -> None:
    assert decode(text) == request_


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    assert decode('{"type":"line","text":"a","id":1,"text":"b","id":2}') == Line("b", 2)


def test_a_type_that_comes_twice_has_to_be_the_same() -> None:
    assert decode('{"type":"who","type":"who"}') == Who()
    assert refusal('{"type":"line","type":"who","text":"x"}').field == "type"


def refusal(text: str) -> WrongShape:
    with pytest.raises(WrongShape) as caught:
        decode(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "field", "mark"),
    [
        ("", None, None),
        ("hello", None, None),
        ("NaN", None, None),
        ("[]", None, None),
        ("null", None, None),
        ("{}", "type", None),
        ('{"id":3}', "type", 3),
        ('{"type":5,"id":3}', "type", 3),
        ('{"type":"dance","id":"q"}', "type", "q"),
        ('{"type":"x - at `$.evil`","id":"q"}', "type", "q"),
        ('{"type":"line","id":7}', "text", 7),
        ('{"type":"line","text":["a"],"id":7}', "text", 7),
        ('{"type":"line","text":null,"id":7}', "text", 7),
        ('{"type":"tell","to":"bob","id":7}', "text", 7),
        ('{"type":"hello","after":-1,"id":7}', "after", 7),
        ('{"type":"hello","after":1.5,"id":7}', "after", 7),
        ('{"type":"hello","after":true}', "after", None),
        ('{"type":"history","count":0,"id":7}', "count", 7),
        ('{"type":"history","count":201}', "count", None),
        ('{"type":"history","count":1e400}', "count", None),
        ('{"type":"history","before":9223372036854775808}', "before", None),
        ('{"type":"history","before":' + "9" * 5000 + ',"id":7}', "before", 7),
        ('{"type":"search","words":"","id":7}', "words", 7),
        ('{"type":"search","words":"' + "a" * 301 + '"}', "words", None),
        ('{"type":"who","id":true}', "id", None),
        ('{"type":"who","id":1.0}', "id", None),
        ('{"type":"who","id":9007199254740993}', "id", None),
        ('{"type":"who","id":"' + "a" * 65 + '"}', "id", None),
        ('{"type":"line","text":"\\ud83d","id":7}', None, None),
        ('{"type":"line","text":"x","text', None, None),
        ("\ud800", None, None),
        ("[" * 60000, None, None),
        ('{"type":"who","deep":' + "[" * 20000 + "]" * 20000 + "}", None, None),
    ],
)
def test_a_wrong_shape_says_which_field_and_carries_the_id(
    text: str, field: str | None, mark: int | str | None
) -> None:
    wrong = refusal(text)
    assert (wrong.field, wrong.mark) == (field, mark)
    json.loads(jsonwire.encode_error(str(wrong), wrong.field, wrong.mark))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = ("id", "text", "to", "token", "after", "before", "count", "room", "name", "words")
TYPES = ("hello", "line", "tell", "history", "search", "who", "rooms")


def decoded_or_refused(text: str) -> object:
    """What came of it; what is refused can be told to the client."""
    try:
        return decode(text)
    except WrongShape as refused:
        wrong = refused
    told = json.loads(jsonwire.encode_error(str(wrong), wrong.field, wrong.mark))
    assert told["text"]
    assert told["id"] == wrong.mark
    return wrong


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_is_a_request_or_refused(text: str) -> None:
    decoded_or_refused(text)


@given(anything)
def test_any_json_is_a_request_or_refused(value: object) -> None:
    decoded_or_refused(json.dumps(value))


@given(st.sampled_from(TYPES) | st.text(), st.dictionaries(st.sampled_from(KEYS), anything))
def test_any_fields_are_a_request_or_refused_by_the_name_of_one(
    kind: str, fields: dict[str, object]
) -> None:
    outcome = decoded_or_refused(json.dumps({"type": kind, **fields}))
    if isinstance(outcome, WrongShape) and outcome.field is not None:
        assert outcome.field.split("[")[0] in (*KEYS, "type")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_comes_through_as_it_is(text: str) -> None:
    assert decode(json.dumps({"type": "line", "text": text})) == Line(text)
    assert written(Told("ann", text))["text"] == text
