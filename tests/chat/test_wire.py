from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Spoken,
    Stored,
    TakenOver,
    Told,
    TopicSet,
    WentAway,
    YouTold,
)
from proto.chat.names import NameRefused, valid_name
from proto.chat.text import clean
from proto.chat.wire import (
    Encoder,
    colored,
    counted,
    encode_lines,
    encode_refusal,
    listed,
    shown,
)
from proto.errors import PeerError
from tests.chat.doubles import NOW, stored

ROOT: Final = Path(__file__).resolve().parents[2]
HI: Final = stored(7, Said("al", "hi"))
NODS: Final = stored(8, Emoted("cy", "nods"))
CODE: Final = stored(9, Pasted("al", "if x:\n\n  y"))
DAY: Final = time.strftime("%Y-%m-%d %H:%M", time.localtime(NOW))
CLOCK: Final = time.strftime("%H:%M", time.localtime(NOW))

LIVE: list[tuple[Event, str]] = [
    (stored(1, Said("bob", "hello")), "bob says hello"),
    (stored(1, Emoted("bob", "waves")), "* bob waves"),
    (stored(1, Pasted("bob", "a\n\nb")), "bob pastes 3 lines:\n| a\n| \n| b"),
    (stored(1, TopicSet("bob", "tea")), "bob set the topic: tea"),
    (stored(1, TopicSet("bob", "")), "bob took the topic away."),
    (Told("bob", "psst"), "[private] bob tells you psst"),
    (Told("bob", "a\nb"), "[private] bob tells you 2 lines:\n| a\n| b"),
    (YouTold("bob", "psst"), "[private] you tell bob psst"),
    (YouTold("bob", "a\nb"), "[private] you tell bob 2 lines:\n| a\n| b"),
    (Joined("bob"), "bob has joined the party."),
    (Moved("bob", "den"), "bob has left for den."),
    (Left("bob"), "bob has disconnected."),
    (Left("bob", "too slow"), "bob has disconnected (too slow)."),
    (Renamed("192.0.2.1", "bob"), "192.0.2.1 changed name to bob"),
    (WentAway("bob", ""), "bob is away."),
    (WentAway("bob", "tea"), "bob is away: tea"),
    (CameBack("bob"), "bob is back."),
]
ANSWERS: list[tuple[Event, str]] = [
    (Notice("one\ntwo"), "one\ntwo"),
    (Refused("No."), "! No."),
    (TakenOver(), "You went on elsewhere with your token. Goodbye."),
    (
        Entered("lobby", "bob", (), 0, None, 0, ()),
        "You are bob, in lobby. Nobody else is here.",
    ),
    (
        Entered("den", "bob", ("al", "cy"), 7, TopicSet("al", "tea"), 8, (HI, NODS)),
        "You are bob, in den. Also here: al, cy and 7 more.\nTopic: tea\n"
        "Earlier here:\nal says hi\n* cy nods\nNow:",
    ),
    (
        Entered("den", "bob", (), 0, TopicSet("al", ""), 9, (CODE,), resumed=True),
        "You are bob, in den. Nobody else is here.\n"
        "You missed:\nal pastes 3 lines:\n| if x:\n| \n|   y\nNow:",
    ),
    (
        Entered("den", "bob", (), 0, None, 9, (HI,), resumed=True, more=True),
        "You are bob, in den. Nobody else is here.\nYou missed:\nal says hi\n"
        "There is more; /HISTORY 200 7 shows what came next.\nNow:",
    ),
    (
        Entered("den", "bob", (), 0, None, 9, (), resumed=True),
        "You are bob, in den. Nobody else is here.",
    ),
    (Missed((), False), "You missed nothing."),
    (Missed((HI,), False), "You missed:\nal says hi\nNow:"),
    (
        Missed((HI,), True),
        "You missed:\nal says hi\nThere is more; /HISTORY 200 7 shows what came next.\nNow:",
    ),
    (Recalled("den", (), False), "Nothing was said here yet."),
    (Recalled("den", (), False, "x"), "Nothing was found."),
    (Recalled("den", (), False, after=7), "Nothing was said after that."),
    (
        Recalled("den", (HI,), True, after=6),
        f"The first 1 line of den after #6, there are newer ones:\n#7 {DAY} al says hi",
    ),
    (
        Entered("den", "bob", (), 0, None, 9, (), resumed=True, more=True),
        "You are bob, in den. Nobody else is here.\n"
        "What you missed cannot be read now; /HISTORY shows it later.",
    ),
    (Recalled("den", (HI,), False), f"The last 1 line of den:\n#7 {DAY} al says hi"),
    (
        Recalled("den", (HI, CODE), True, "x"),
        "The last 2 lines found in den, there are older ones:\n"
        f"#7 {DAY} al says hi\n#9 {DAY} al pastes 3 lines:\n| if x:\n| \n|   y",
    ),
    (
        People("den", (("al", None), ("bo", ""), ("cy", "tea")), 2),
        "In den: al, bo (away), cy (away) and 2 more.",
    ),
    (People("no room", (), 0), "Nobody is in no room."),
    (Rooms((("den", 2), ("lobby", 0)), 3), "Rooms: den (2), lobby (0) and 3 more."),
]
PLAIN: Final = Encoder(lambda: NOW)
TIMED: Final = Encoder(lambda: NOW, times=True)
COLORED: Final = Encoder(lambda: NOW, colors=True)


def lines(text: str) -> bytes:
    return "".join(f"{line}\r\n" for line in text.split("\n")).encode()


@pytest.mark.parametrize(("event", "text"), LIVE + ANSWERS)
def test_each_event_has_its_words(event: Event, text: str) -> None:
    assert shown(event) == text
    assert PLAIN.encode(event) == lines(text)


@pytest.mark.parametrize(("event", "text"), LIVE)
def test_what_happens_has_its_time_when_times_are_on(event: Event, text: str) -> None:
    assert TIMED.encode(event) == lines(f"[{CLOCK}] {text}")


@pytest.mark.parametrize(("event", "text"), ANSWERS)
def test_an_answer_has_no_time(event: Event, text: str) -> None:
    assert TIMED.encode(event) == lines(text)


@pytest.mark.parametrize(("event", "text"), LIVE + ANSWERS)
def test_with_colours_the_words_are_the_same(event: Event, text: str) -> None:
    assert re.sub(rb"\x1b\[\d*m", b"", COLORED.encode(event)) == lines(text)


def test_a_line_has_the_time_when_it_was_stored_and_other_news_the_present() -> None:
    encoder = Encoder(lambda: NOW, times=True)
    early = Stored(1, int(NOW - 7200) * 1000, Said("bob", "hi"))
    then = time.strftime("%H:%M", time.localtime(NOW - 7200))
    assert encoder.encode(early) == f"[{then}] bob says hi\r\n".encode()
    assert encoder.encode(Joined("bob")) == f"[{CLOCK}] bob has joined the party.\r\n".encode()


@pytest.mark.parametrize(
    ("zone", "clock", "day"),
    [
        ("UTC0", b"[00:00]", b"#7 2026-01-01 00:00 "),
        ("XXX+3", b"[21:00]", b"#7 2025-12-31 21:00 "),
        ("YYY-5:30", b"[05:30]", b"#7 2026-01-01 05:30 "),
    ],
)
def test_times_are_those_of_the_place_where_the_server_is(
    zone: str, clock: bytes, day: bytes
) -> None:
    code = (
        "import sys; from tests.chat.test_wire import HI, TIMED, Recalled\n"
        "sys.stdout.buffer.write(TIMED.encode(HI) + TIMED.encode(Recalled('den', (HI,), False)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TZ": zone, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    live, _, recalled = done.stdout.splitlines()
    assert live == clock + b" al says hi"
    assert recalled == day + b"al says hi"


def test_a_name_has_one_colour_wherever_it_stands_and_others_have_others() -> None:
    assert colored("bob") == colored("bob")
    assert len({colored(f"name{n}")[:5] for n in range(50)}) > 5
    said = COLORED.encode(stored(1, Said("bob", "bob is here")))
    assert said == f"{colored('bob')} says bob is here\r\n".encode()
    assert colored("bob").encode() in COLORED.encode(Entered("d", "me", ("bob",), 0, None, 0, ()))


def test_no_event_is_without_words() -> None:
    tested = [event for event, _ in LIVE + ANSWERS]
    assert {type(event) for event in tested} == set(get_args(Event))
    said = {type(event.event) for event in tested if isinstance(event, Stored)}
    assert said == set(get_args(Spoken))


_TEXTS = st.text(max_size=30).map(clean).filter(bool)
_PASTES = st.lists(st.text(max_size=20).map(clean), min_size=2, max_size=5).map("\n".join)
_SIGNS: Final = ("*", "[", "!", "#", "|")


@st.composite
def names(draw: st.DrawFn) -> str:
    """Whatever a person may be called."""
    wanted = draw(
        st.one_of(
            st.text(min_size=1, max_size=12),
            st.sampled_from(["Topic", "Earlier", "Now", "Rooms", "In", "Nobody", "Also", "More"]),
        )
    )
    try:
        return valid_name(wanted)
    except NameRefused:
        return "bob"


@settings(deadline=None)
@given(names(), _TEXTS, _PASTES)
def test_nothing_that_people_choose_makes_a_line_of_the_servers_own(
    name: str, text: str, paste: str
) -> None:
    chosen: list[Event] = [
        stored(1, Said(name, text)),
        stored(1, Pasted(name, paste)),
        stored(1, TopicSet(name, text)),
        Joined(name),
        Left(name),
        Renamed(name, name),
        WentAway(name, text),
        CameBack(name),
    ]
    for event in chosen:
        first, *others = PLAIN.encode(event).decode().split("\r\n")[:-1]
        assert first.startswith(f"{name} ")
        assert not first.startswith(_SIGNS)
        assert all(line.startswith("| ") for line in others)
        assert bool(others) is (isinstance(event, Stored) and isinstance(event.event, Pasted))
    marked: list[tuple[Event, str]] = [
        (stored(1, Emoted(name, text)), f"* {name} "),
        (Told(name, paste), f"[private] {name} tells you "),
        (YouTold(name, paste), f"[private] you tell {name} "),
    ]
    for event, start in marked:
        first, *others = PLAIN.encode(event).decode().split("\r\n")[:-1]
        assert first.startswith(start)
        assert all(line.startswith("| ") for line in others)


@settings(deadline=None)
@given(names(), _TEXTS)
def test_no_name_makes_a_heading(name: str, text: str) -> None:
    headings = ("Topic: ", "Earlier here:", "You missed:", "Now:", "In ", "Rooms: ", "You are ")
    for event in (
        stored(1, Said(name, text)),
        WentAway(name, text),
        stored(1, TopicSet(name, text)),
    ):
        line = shown(event)
        assert not line.startswith(tuple(head for head in headings if head.endswith((":", ": "))))
        assert line.split(" ")[0] == name


def test_text_goes_out_as_utf8_lines() -> None:
    assert encode_lines("caf\u00e9", "\ud800") == b"caf\xc3\xa9\r\n?\r\n"
    assert encode_lines() == b""
    assert encode_refusal(PeerError("The house is full.")) == b"! The house is full.\r\n"


def test_a_list_counts_whom_it_does_not_name() -> None:
    assert (listed(["a", "b"], 0), listed(["a"], 2)) == ("a, b", "a and 2 more")
    assert (counted(1, "line"), counted(2, "line"), counted(0, "line")) == (
        "1 line",
        "2 lines",
        "0 lines",
    )
