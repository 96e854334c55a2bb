from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from proto.webapi.problems import Refused
from proto.webapi.queries import MOST, read_query


class Query(Struct, kw_only=True):
    """What may be asked."""

    done: bool | UnsetType = UNSET
    count: Annotated[int, Meta(ge=1, le=10)] = 5
    text: Annotated[str, Meta(max_length=3)] = ""


def refusal(raw: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        read_query(raw, Query)
    return caught.value


def test_parameters_are_read_as_they_are_declared() -> None:
    assert read_query(b"", Query) == Query()
    assert read_query(b"done=true&count=10&text=a+%C3%A9", Query) == Query(
        done=True, count=10, text="a é"
    )
    assert read_query(b"done=false&text=", Query) == Query(done=False)
    assert read_query(b"&&count=007&", Query) == Query(count=7)


@pytest.mark.parametrize("value", ["", "True", "TRUE", "1", "yes", "null", "true "])
def test_only_true_and_false_are_true_or_false(value: str) -> None:
    assert refusal(f"done={value}".encode()).details[0].message == "Expected true or false."


@pytest.mark.parametrize(
    "value", ["", "1.0", "%2B1", "1_0", "0x1", "+1", "1e3", "9" * 19, "%D9%A1"]
)
def test_only_digits_are_a_number(value: str) -> None:
    assert refusal(f"count={value}".encode()).details[0].message == "Expected a whole number."


def test_all_that_is_wrong_is_told_in_the_order_of_the_query() -> None:
    error = refusal(b"text=long&x=1&count=0&done=2")
    assert (error.status, error.code) == (422, "invalid_query")
    assert [(each.where, each.field, each.message) for each in error.details] == [
        ("query", "text", "Expected `str` of length <= 3."),
        ("query", "x", "There is no such parameter."),
        ("query", "count", "Expected `int` >= 1."),
        ("query", "done", "Expected true or false."),
    ]


def test_a_parameter_is_given_once() -> None:
    error = refusal(b"count=1&text=a&count=1")
    assert (error.status, error.code, error.details[0].field) == (
        400,
        "repeated_parameter",
        "count",
    )


@pytest.mark.parametrize("raw", [b"text=%ff", b"text=\xff", b"&".join([b"a=1"] * (MOST + 1))])
def test_what_is_no_query_is_malformed(raw: bytes) -> None:
    assert (refusal(raw).status, refusal(raw).code) == (400, "malformed_query")


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(raw: bytes) -> None:
    try:
        found, status = read_query(raw, Query), 200
    except Refused as error:
        found, status = Query(), error.status
    assert status in (200, 400, 422)
    assert 1 <= found.count <= 10
    assert len(found.text) <= 3
