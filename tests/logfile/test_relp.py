"""RELP as bytes in and bytes out; a real omrelp meets it in tests/system/test_relp.py."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.framing import KEPT_WHEN_CUT, Line, Piece, Run
from proto.logfile.relp import (
    LAST_TXNR,
    LONGEST_HEADER,
    LONGEST_OFFERS,
    OFFERS,
    SERVERCLOSE,
    Batch,
    Frames,
    Session,
    answer,
    offers,
)

OPEN = b"relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog"
"""What Debian's omrelp says, byte for byte."""
OPENED = b"1 rsp %d %s\n" % (len(OFFERS), OFFERS)


def frame(txnr: int, command: bytes, data: bytes = b"") -> bytes:
    return b"%d %s %d%s%s\n" % (txnr, command, len(data), b" " if data else b"", data)


def messages(first: int, *texts: bytes) -> bytes:
    return b"".join(frame(first + at, b"syslog", text) for at, text in enumerate(texts))


def opened(limit: int = 64, data: bytes = OPEN) -> Session:
    session = Session(limit)
    assert session.receive(frame(1, b"open", data)).stored() == OPENED
    return session


def heard(pieces: Iterable[Piece]) -> list[bytes]:
    """The messages in those pieces, without what was left out."""
    found: list[bytes] = []
    for piece in pieces:
        found += piece.text.split(b"\n")[:-1] if isinstance(piece, Run) else [piece.head]
    return found


def test_an_open_is_answered_with_our_offers() -> None:
    batch = Session().receive(frame(1, b"open", OPEN))
    assert batch == Batch([], 0, [OPENED])
    assert offers(OFFERS.partition(b"\n")[2]) == {
        b"relp_version": [b"0"],
        b"relp_software": [b"proto"],
        b"commands": [b"syslog"],
    }


@pytest.mark.parametrize(
    "data",
    [
        b"relp_version=1\ncommands=syslog",
        b"relp_version=x,7\ncommands=eventlog,syslog",
        b"commands=syslog\nstarttls\nfuture=a,b,c\n\n",
    ],
)
def test_offers_of_a_later_version_or_of_more_are_taken_as_librelp_takes_them(data: bytes) -> None:
    assert opened(data=data).problem == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"relp_version=0", b"required command not supported by client"),
        (b"relp_version=0\ncommands=eventlog", b"required command not supported by client"),
        (b"relp_version\ncommands=syslog", b"relp_version is no number"),
        (b"relp_version=-1\ncommands=syslog", b"relp_version is no number"),
        (b"relp_version=0,x\ncommands=syslog", b"relp_version is no number"),
        (b"commands=syslog\n" + b"x" * 4096, b"too many offers"),
        (b"", b"required command not supported by client"),
    ],
)
def test_offers_that_do_not_fit_are_refused_and_end_the_session(data: bytes, why: bytes) -> None:
    session = Session(64)
    assert session.receive(frame(1, b"open", data)).stored() == (
        answer(1, b"500 protocol error: " + why) + SERVERCLOSE
    )
    assert (session.over, session.problem) == (True, why.decode())


def test_the_messages_of_a_chunk_are_one_piece_with_one_answer_each() -> None:
    batch = opened().receive(messages(2, b"one", b"", b"three"))
    assert batch.pieces == [Run(b"one\n\nthree\n", 3)]
    assert batch.count == 3
    assert batch.stored() == b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n"


def test_a_message_that_ends_in_a_line_end_loses_it_and_one_inside_is_kept() -> None:
    batch = opened().receive(messages(2, b"a", b"b\n", b"c\r\n", b"d\ne", b"\n", b"f\n\n", b"g\r"))
    assert batch.pieces == [
        Run(b"a\nb\nc\n", 3),
        Line(b"d\ne"),
        Run(b"\n", 1),
        Line(b"f\n"),
        Run(b"g\r\n", 1),
    ]
    assert batch.count == 7


def test_a_message_above_the_limit_is_cut_and_answered_like_any_other() -> None:
    session = opened(limit=64)
    data = messages(2, b"before", b"x" * 64, b"y" * 1000, b"after")
    batch = session.receive(data)
    assert batch.pieces == [
        Run(b"before\n" + b"x" * 64 + b"\n", 2),
        Line(b"y" * 64, 936),
        Run(b"after\n", 1),
    ]
    assert batch.stored() == b"".join(b"%d rsp 6 200 OK\n" % number for number in range(2, 6))


def test_of_a_giant_no_more_than_the_limit_is_held() -> None:
    session = opened(limit=1000)
    assert session.receive(b"2 syslog 999999999 ").count == 0
    left = 999_999_999
    chunk = b"z" * 1_000_000
    while left:
        part = chunk[:left]
        assert session.receive(part).count == 0
        assert session.held <= 1000
        left -= len(part)
    batch = session.receive(b"\n" + messages(3, b"next"))
    assert batch.pieces == [Line(b"z" * 1000, 999_998_999), Run(b"next\n", 1)]


def test_numbers_go_on_with_1_after_the_last() -> None:
    session = Session(first=LAST_TXNR - 2)
    session.receive(frame(LAST_TXNR - 2, b"open", OPEN))
    data = messages(LAST_TXNR - 1, b"a", b"b") + messages(1, b"c", b"d") + frame(3, b"close")
    batch = session.receive(data)
    assert heard(batch.pieces) == [b"a", b"b", b"c", b"d"]
    assert [text.split()[0] for text in batch.stored().splitlines()] == [
        b"999999998",
        b"999999999",
        b"1",
        b"2",
        b"3",
        b"0",
    ]


def test_a_command_that_carries_the_last_number_is_followed_by_1() -> None:
    session = Session(first=LAST_TXNR)
    batch = session.receive(frame(LAST_TXNR, b"open", OPEN) + messages(1, b"a"))
    assert (heard(batch.pieces), session.over) == ([b"a"], False)


def test_close_is_answered_after_the_messages_before_it_and_nothing_after_it_is_heard() -> None:
    session = opened()
    batch = session.receive(messages(2, b"a") + frame(3, b"close") + messages(4, b"b"))
    assert heard(batch.pieces) == [b"a"]
    assert batch.stored() == b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n0 serverclose 0\n"
    assert (session.over, session.problem) == (True, "")
    assert session.receive(messages(4, b"c")) == Batch()


def test_an_unknown_command_is_refused_in_its_place_and_the_session_goes_on() -> None:
    batch = opened().receive(messages(2, b"a") + frame(3, b"starttls") + messages(4, b"b"))
    assert heard(batch.pieces) == [b"a", b"b"]
    assert batch.stored() == (b"2 rsp 6 200 OK\n3 rsp 19 500 unknown command\n4 rsp 6 200 OK\n")


@pytest.mark.parametrize(
    ("data", "refused", "problem"),
    [
        (frame(1, b"syslog", b"x"), 1, "a command before open"),
        (frame(1, b"starttls"), 1, "a command before open"),
        (frame(2, b"open", OPEN), 2, "number 2 where 1 is next"),
        (frame(1, b"open", OPEN) * 2, 1, "number 1 where 2 is next"),
        (frame(1, b"open", OPEN) + frame(2, b"open", OPEN), 2, "already open"),
        (frame(1, b"open", OPEN) + messages(3, b"x"), 3, "number 3 where 2 is next"),
        (frame(0, b"syslog", b"x"), 0, "a command that comes as a hint"),
        (frame(0, b"open", OPEN), 0, "a command that comes as a hint"),
    ],
)
def test_a_command_out_of_order_is_told_so_and_the_session_ends(
    data: bytes, refused: int, problem: str
) -> None:
    session = Session()
    batch = session.receive(data + messages(3, b"not heard"))
    told = answer(refused, b"500 protocol error: " + problem.encode()) if refused else b""
    assert batch.stored().removeprefix(OPENED) == told + SERVERCLOSE
    assert (session.problem, batch.pieces) == (problem, [])


def test_an_unknown_hint_is_ignored() -> None:
    batch = opened().receive(frame(0, b"adviseclose") + messages(2, b"x"))
    assert batch.stored() == b"2 rsp 6 200 OK\n"


WRONG = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
    b"GET / HTTP/1.1\r\n\r\n",
    b"<13>Jan  1 00:00:00 host tag: a line\n",
    b"\x00" * 100,
    b"\n",
    b" 1 open 0\n",
    b"-1 open 0\n",
    b"12345678901234567890 syslog 1 x\n",
    b"2 " + b"a" * 33 + b" 1 x\n",
    b"2 sys_log 1 x\n",
    b"2 syslog 1234567890 x\n",
    b"2 syslog -1 x\n",
    b"2 syslog 1x\n",
    b"2  syslog 1 x\n",
    b"2 syslog x\n",
    b"2 syslog 3\nabc\n",
    b"2\x00syslog 1 x\n",
]
LIES = [b"2 syslog 2 abc\n3 syslog 1 a\n", b"2 syslog 5 abc\n3 syslog 1 a\n", b"2 close 0 x\n"]


@pytest.mark.parametrize("wrong", WRONG + LIES)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_no_frame_ends_the_session_and_what_came_before_is_still_stored(
    wrong: bytes, at_once: bool
) -> None:
    session = opened()
    before = frame(2, b"syslog", b"good")
    data = before + wrong.replace(b"2", b"3", 1)
    chunks = [data] if at_once else [data[at : at + 1] for at in range(len(data))]
    batches = [session.receive(chunk) for chunk in chunks]
    assert [text for batch in batches for text in heard(batch.pieces)] == [b"good"]
    assert b"".join(batch.stored() for batch in batches) == b"2 rsp 6 200 OK\n" + SERVERCLOSE
    assert session.problem in (
        "what came is no RELP frame",
        "a frame whose length is not what it says",
    )


def test_a_header_that_never_ends_is_given_up_at_its_longest() -> None:
    frames = Frames()
    for at in range(LONGEST_HEADER):
        frames.feed(b"1" if at < 9 else b" " if at == 9 else b"a")
        assert frames.held <= LONGEST_HEADER
    assert frames.broken


@given(
    st.lists(st.binary(max_size=30), max_size=20),
    st.data(),
)
def test_any_messages_in_any_chunks_are_heard_whole_in_order_and_answered_once(
    texts: list[bytes], data: st.DataObject
) -> None:
    session = Session()
    stream = frame(1, b"open", OPEN) + messages(2, *texts) + frame(len(texts) + 2, b"close")
    answers, pieces = b"", []
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, 40))
        batch = session.receive(stream[at : at + size])
        pieces += batch.pieces
        answers += batch.stored()
        at += size
    expected = [t[:-1].removesuffix(b"\r") if t.endswith(b"\n") else t for t in texts]
    assert heard(pieces) == expected
    numbers = b"".join(b"%d rsp 6 200 OK\n" % (at + 2) for at in range(len(texts) + 1))
    assert answers == OPENED + numbers + SERVERCLOSE
    assert (session.problem, session.held) == ("", 0)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_any_bytes_at_all_are_survived_in_bounded_memory(chunks: list[bytes]) -> None:
    session = Session(16)
    for chunk in chunks:
        session.receive(chunk)
        assert session.held <= LONGEST_OFFERS


@given(st.lists(st.binary(max_size=40), max_size=12), st.data())
def test_long_messages_are_cut_at_the_limit_however_they_arrive(
    texts: list[bytes], data: st.DataObject
) -> None:
    frames = Frames(10)
    stream = messages(1, *texts)
    found = []
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, 60))
        found += frames.feed(stream[at : at + size])
        at += size
    assert found == [
        (at + 1, b"syslog", text[:10], max(0, len(text) - 10)) for at, text in enumerate(texts)
    ]
    assert (frames.broken, frames.held) == ("", 0)


@pytest.mark.parametrize("size", [1000, 5000])
@pytest.mark.parametrize("at_once", [1, 700])
def test_a_message_that_is_cut_in_mid_frame_is_one_message_all_the_same(
    size: int, at_once: int
) -> None:
    session = opened(limit=4000)
    data = frame(2, b"syslog", b"x" * size) + frame(3, b"syslog", b"next")
    pieces: list[Piece] = []
    for begin in range(0, len(data), at_once):
        pieces += session.receive(data[begin : begin + at_once]).pieces
        if begin >= 2000:
            session.cut()
        assert session.held <= 4000 + LONGEST_HEADER
    first, *others = pieces
    if size == 1000:
        assert heard(pieces) == [b"x" * 1000, b"next"]
    else:
        assert first == Line(b"x" * KEPT_WHEN_CUT, size - KEPT_WHEN_CUT)
        assert heard(others) == [b"next"]
