from __future__ import annotations

import pytest

from proto.weblog.problems import WrongField
from proto.weblog.query import fields_of, number_of, text_of, time_of


def test_a_query_is_fields_whose_bytes_are_kept() -> None:
    fields = fields_of(b"text=%ff%C3%A4+b&limit=&text=a%20%ffb")
    assert text_of(fields, "text") == b"a \xffb"
    assert text_of(fields_of(b"text=%C3%A4+b"), "text") == "ä b".encode()
    assert text_of(fields, "name") == b""
    assert number_of(fields, "limit", 100, 1000) == 100
    assert fields_of(b"") == {}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14t22:13:20z", 1_700_000_000),
        ("2023-11-14 22:13:20.5Z", 1_700_000_000.5),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000.123456),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("2023-11-14T23:13:20 01:00", 1_700_000_000),
        ("2023-11-14T17:13:20-05:00", 1_700_000_000),
        ("1969-12-31T23:59:59Z", -1),
        ("", None),
    ],
)
def test_times_are_those_of_rfc_3339(text: str, seconds: float | None) -> None:
    assert time_of({"since": text}, "since") == seconds


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-13-14T22:13:20Z",
        "2023-11-14T25:13:20Z",
        "2023-11-14T22:13:20+25:00",
        "\uff12023-11-14T22:13:20Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(WrongField) as caught:
        time_of({"until": text}, "until")
    assert (caught.value.status, caught.value.field) == (400, "until")


@pytest.mark.parametrize("text", ["0", "1001", "-1", "x", "1.5", "9" * 5000, "٣"])
def test_numbers_are_bounded(text: str) -> None:
    with pytest.raises(WrongField, match="from 1 to 1000"):
        number_of({"limit": text}, "limit", 100, 1000)
    assert number_of({"limit": "1000"}, "limit", 100, 1000) == 1000


def test_texts_and_queries_are_bounded_too() -> None:
    for fields in ({"text": "x" * 301}, {"text": "a\nb"}):
        with pytest.raises(WrongField):
            text_of(fields, "text")
    with pytest.raises(WrongField):
        fields_of(b"&".join([b"a=b"] * 21))
