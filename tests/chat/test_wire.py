from __future__ import annotations

from typing import get_args

import pytest

from proto.chat.events import (
    Emoted,
    Entered,
    Event,
    Joined,
    Left,
    Moved,
    Notice,
    Refused,
    Renamed,
    Said,
    Told,
    YouTold,
)
from proto.chat.wire import Encoder, encode_lines, encode_refusal, listed, shown
from proto.errors import PeerError

SHOWN: list[tuple[Event, str]] = [
    (Said("bob", "hello"), "bob says hello"),
    (Emoted("bob", "waves"), "* bob waves"),
    (Told("bob", "psst"), "[private] bob tells you psst"),
    (YouTold("bob", "psst"), "[private] you tell bob psst"),
    (Joined("bob"), "bob has joined the party."),
    (Moved("bob", "den"), "bob has left for den."),
    (Left("bob"), "bob has disconnected."),
    (Left("bob", "too slow"), "bob has disconnected (too slow)."),
    (Renamed("192.0.2.1", "bob"), "192.0.2.1 changed name to bob"),
    (Notice("one\ntwo"), "one\ntwo"),
    (Refused("No."), "! No."),
    (Entered("lobby", "bob", (), 0, ()), "You are bob, in lobby. Nobody else is here."),
    (
        Entered("den", "bob", ("al", "cy"), 7, (Said("al", "hi"), Emoted("cy", "nods"))),
        "You are bob, in den. Also here: al, cy and 7 more.\n"
        "Earlier here:\nal says hi\n* cy nods\nNow:",
    ),
]


@pytest.mark.parametrize(("event", "text"), SHOWN)
def test_each_event_has_its_words(event: Event, text: str) -> None:
    assert shown(event) == text
    assert Encoder().encode(event) == "".join(f"{line}\r\n" for line in text.split("\n")).encode()


def test_no_event_is_without_words() -> None:
    assert {type(event) for event, _ in SHOWN} == set(get_args(Event))


def test_one_event_is_encoded_once_and_its_bytes_are_shared() -> None:
    encoder = Encoder()
    event, equal = Said("bob", "hello"), Said("bob", "hello")
    first = encoder.encode(event)
    assert encoder.encode(event) is first
    assert encoder.encode(equal) is not first
    assert encoder.encode(Said("bob", "bye")) == b"bob says bye\r\n"


def test_text_goes_out_as_utf8_lines() -> None:
    assert encode_lines("caf\u00e9", "\ud800") == b"caf\xc3\xa9\r\n?\r\n"
    assert encode_lines() == b""
    assert encode_refusal(PeerError("The house is full.")) == b"! The house is full.\r\n"


def test_a_list_counts_whom_it_does_not_name() -> None:
    assert (listed(["a", "b"], 0), listed(["a"], 2)) == ("a, b", "a and 2 more")
