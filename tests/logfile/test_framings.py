from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proto.logfile.framing import KEPT_WHEN_CUT, Framing, Line, Piece, Run
from proto.logfile.framings import FRAMINGS, NulFraming, OctetFraming, SyslogFraming, framing
from proto.logfile.record import render

LIMIT = 5
KINDS = sorted(FRAMINGS)
WORDS = st.sampled_from(
    [b"a", b"<1>", b"2 ", b"4 ", b"11 ", b"30 ", b"0", b"7", b"\r", b"\n", b"\0", b"12345678", b" "]
)
WIRE = st.lists(WORDS).map(b"".join)
CUTS = st.lists(st.integers(0, 200))


def feed(one: Framing, *chunks: bytes) -> list[Piece]:
    return [piece for chunk in chunks for piece in one.feed(chunk)]


def everything(one: Framing, chunks: list[bytes]) -> list[Piece]:
    pieces = feed(one, *chunks)
    last = one.close()
    return pieces if last is None else [*pieces, last]


def records(pieces: list[Piece]) -> bytes:
    return b"".join(map(render, pieces))


def split(wire: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    return [wire[a:b] for a, b in itertools.pairwise(edges)]


def shown(message: bytes, limit: int, *, ended: bool = True) -> bytes:
    return render(Line(message[:limit], max(0, len(message) - limit), ended))


def nul_records(wire: bytes, limit: int) -> Iterator[bytes]:
    """The specification of NUL framing, one message at a time."""
    *whole, last = wire.split(b"\0")
    for message in whole:
        yield shown(message, limit)
    if last:
        yield shown(last, limit, ended=False)


def counted_records(wire: bytes, limit: int, ends: bytes, *, mixed: bool) -> Iterator[bytes]:
    """The specification of octet and syslog framing, one message at a time."""
    while wire:
        count, space, rest = wire.partition(b" ")
        if space and count.isdigit() and count[0] != ord("0") and len(count) <= 7:
            size = int(count)
            message, wire = rest[:size], rest[size:]
            whole = len(message) == size
            yield shown(message.removesuffix(b"\n") if whole else message, limit, ended=whole)
            continue
        size = min((wire.index(end) for end in map(bytes, zip(ends)) if end in wire), default=-1)
        if size < 0:
            yield shown(wire, limit, ended=mixed)
            return
        message, wire = wire[:size].removesuffix(b"\r"), wire[size + 1 :]
        if message:
            yield shown(message, limit)


def test_each_framing_has_a_name() -> None:
    assert [type(framing(kind, LIMIT)).__name__ for kind in KINDS] == [
        "LineFraming", "NulFraming", "OctetFraming", "SyslogFraming",
    ]  # fmt: skip


@given(wire=WIRE, cuts=CUTS, limit=st.integers(1, 12))
def test_messages_that_end_at_nul(wire: bytes, cuts: list[int], limit: int) -> None:
    pieces = everything(NulFraming(limit), split(wire, cuts))
    assert records(pieces) == b"".join(nul_records(wire, limit))


@given(wire=WIRE, cuts=CUTS, limit=st.integers(1, 12))
@example(wire=b"6 12345\n2 ab", cuts=[4], limit=5)
@example(wire=b"6 12345\n2 ab", cuts=[7], limit=5)
@example(wire=b"12345678 a\n2 ab", cuts=[7], limit=5)
def test_messages_behind_their_counts(wire: bytes, cuts: list[int], limit: int) -> None:
    pieces = everything(OctetFraming(limit), split(wire, cuts))
    assert records(pieces) == b"".join(counted_records(wire, limit, b"\n", mixed=False))


@given(wire=WIRE, cuts=CUTS, limit=st.integers(1, 12))
@example(wire=b"<1>a\02 ab<1>b\n7", cuts=[5, 6], limit=5)
def test_messages_as_syslog_senders_mix_them(wire: bytes, cuts: list[int], limit: int) -> None:
    pieces = everything(SyslogFraming(limit), split(wire, cuts))
    assert records(pieces) == b"".join(counted_records(wire, limit, b"\n\0", mixed=True))


@given(kind=st.sampled_from(KINDS), wire=WIRE, limit=st.integers(1, 12))
def test_one_byte_at_a_time_gives_the_same_records(kind: str, wire: bytes, limit: int) -> None:
    bytewise = everything(framing(kind, limit), [bytes([byte]) for byte in wire])
    assert records(bytewise) == records(everything(framing(kind, limit), [wire]))


@given(kind=st.sampled_from(KINDS), wire=WIRE, cuts=CUTS, limit=st.integers(1, 12))
def test_runs_hold_whole_lines_and_never_more_than_the_limit_of_each(
    kind: str, wire: bytes, cuts: list[int], limit: int
) -> None:
    for piece in everything(framing(kind, limit), split(wire, cuts)):
        if isinstance(piece, Line):
            assert len(piece.head) <= limit
        else:
            lines = piece.text.split(b"\n")
            assert lines.pop() == b""
            assert len(lines) == piece.count > 0
            assert max(map(len, lines)) <= limit


@given(
    kind=st.sampled_from(KINDS),
    wire=WIRE,
    cuts=CUTS,
    when=st.sets(st.integers(0, 20)),
    limit=st.integers(1, 12),
)
@example(kind="syslog", wire=b"\r\n", cuts=[1], when={0}, limit=5)
@example(kind="syslog", wire=b"abc\r\n", cuts=[4], when={0}, limit=5)
@example(kind="syslog", wire=b"7 ab\r\na7\n", cuts=[6], when={0}, limit=5)
def test_what_was_given_up_loses_the_rest_of_one_line_and_counts_it(
    kind: str, wire: bytes, cuts: list[int], when: set[int], limit: int
) -> None:
    one = framing(kind, limit)
    pieces: list[Piece] = []
    for number, chunk in enumerate(split(wire, cuts)):
        pieces += one.feed(chunk)
        if number in when:
            one.cut()
            one.cut()
    last = one.close()
    pieces += [last] if last else []
    assert sizes(pieces) == sizes(everything(framing(kind, limit), [wire]))


def sizes(pieces: list[Piece]) -> list[int]:
    """How long the lines are that are not empty, with what was left out of them."""
    found = []
    for piece in pieces:
        if isinstance(piece, Line):
            found.append(len(piece.head) + piece.left_out)
        else:
            found += map(len, piece.text.split(b"\n"))
    return [size for size in found if size]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("begin", [b"x", b"9000000 x", b"\0\r", b"12345678"])
def test_an_endless_message_takes_no_more_memory_than_the_limit(kind: str, begin: bytes) -> None:
    one = framing(kind, 100_000)
    one.feed(begin)
    for _ in range(20):
        one.feed(b"x" * 65_536)
        assert one.held <= 100_001
    one.cut()
    assert 0 < one.held <= KEPT_WHEN_CUT
    one.feed(b"x" * 65_536)
    assert one.held <= KEPT_WHEN_CUT
    last = one.close()
    assert last is not None
    assert len(last.head) <= KEPT_WHEN_CUT
    assert last.left_out >= 20 * 65_536
    assert one.held == 0
    assert one.close() is None


def test_nul_framing_keeps_messages_without_lf_together() -> None:
    assert feed(NulFraming(), b"one\0two\0", b"th", b"ree\r\0\0") == [
        Run(b"one\ntwo\n", 2),
        Run(b"three\r\n\n", 2),
    ]
    assert feed(NulFraming(), b"one\0t\nwo\0three\0") == [
        Run(b"one\n", 1),
        Line(b"t\nwo"),
        Run(b"three\n", 1),
    ]


def test_counted_messages_stay_together() -> None:
    """RFC 6587 section 3.4.1: SYSLOG-FRAME = MSG-LEN SP SYSLOG-MSG."""
    assert feed(OctetFraming(), b"5 first6 second3 th", b"i2 rd") == [
        Run(b"first\nsecond\n", 2),
        Run(b"thi\n", 1),
        Run(b"rd\n", 1),
    ]


def test_lf_inside_a_counted_message_does_not_end_it() -> None:
    for one in OctetFraming(), SyslogFraming():
        assert feed(one, b"8 one\ntwo\n", b"3 abc4 a\nb\n") == [
            Line(b"one\ntwo"),
            Run(b"abc\n", 1),
            Line(b"a\nb"),
        ]


def test_an_lf_behind_a_counted_message_is_no_message() -> None:
    assert records(feed(OctetFraming(), b"3 abc\n3 def\r\n3 ghi")) == b"abc\ndef\nghi\n"


def test_a_counted_message_above_the_limit_is_cut_and_skipped_by_its_count() -> None:
    assert feed(OctetFraming(LIMIT), b"12 123456789\n12", b"3 abc") == [
        Line(b"12345", left_out=7),
        Run(b"abc\n", 1),
    ]


def test_a_counted_message_that_was_given_up_keeps_what_came_and_the_next_one_is_whole() -> None:
    one = OctetFraming()
    assert one.feed(b"10 abc") == []
    one.cut()
    assert feed(one, b"de", b"fghij10 12345", b"67890") == [
        Line(b"abc", left_out=7),
        Run(b"1234567890\n", 1),
    ]


@pytest.mark.parametrize(
    "wrong", [b"0 ", b"007 ", b"x", b" 5 ", b"-5 ", b"+5 ", b"5x ", b"12345678 ", b"1_0 ", b"\xb2 "]
)
def test_what_cannot_be_a_count_is_a_line_and_the_next_message_is_read_as_usual(
    wrong: bytes,
) -> None:
    one = OctetFraming()
    assert feed(one, b"3 abc", wrong + b"3 def\n", b"3 ghi") == [
        Run(b"abc\n", 1),
        Run(wrong + b"3 def\n", 1),
        Run(b"ghi\n", 1),
    ]
    assert one.astray == 1


def test_a_limit_with_more_digits_allows_counts_with_as_many() -> None:
    one = OctetFraming(100_000_000)
    assert one.feed(b"10000000 x") == []
    assert one.close() == Line(b"x", ended=False)
    assert one.astray == 0


@pytest.mark.parametrize(
    ("wire", "last", "astray"),
    [
        (b"12", Line(b"12", ended=False), 1),
        (b"12 ", Line(b"", ended=False), 0),
        (b"12 abc", Line(b"abc", ended=False), 0),
        (b"12 123456", Line(b"12345", left_out=1, ended=False), 0),
        (b"abc", Line(b"abc", ended=False), 1),
        (b"3 abc", None, 0),
        (b"3 abc\n", None, 0),
    ],
)
def test_a_counted_message_that_never_ended_is_marked(
    wire: bytes, last: Line | None, astray: int
) -> None:
    one = OctetFraming(LIMIT)
    one.feed(wire)
    assert one.close() == last
    assert one.astray == astray
    assert one.close() is None


def test_each_syslog_message_is_told_by_its_first_byte() -> None:
    wire = b"<13>lf\n9 <13>count<13>nul\0\n12 <13>one\ntwo\n<13>crlf\r\n2026-11-21 date\n"
    one = SyslogFraming()
    assert records(one.feed(wire)) == (
        b"<13>lf\n<13>count\n<13>nul\n<13>one\\x0atwo\n<13>crlf\n2026-11-21 date\n"
    )
    assert one.astray == 0


def test_a_chunk_of_syslog_lines_stays_one_run_and_the_same_object() -> None:
    chunk = b"<13>one\n<14>two\n<15>12 three\n"
    [run] = SyslogFraming().feed(chunk)
    assert isinstance(run, Run)
    assert run.text is chunk


@pytest.mark.parametrize(
    ("wire", "last"),
    [
        (b"<13>only", Line(b"<13>only")),
        (b"<13>too long", Line(b"<13>too ", left_out=4)),
        (b"12", Line(b"12")),
        (b"9 <13>", Line(b"<13>", ended=False)),
        (b"<13>a\n", None),
        (b"<13>a\0", None),
    ],
)
def test_closing_ends_the_last_syslog_message_unless_it_was_counted(
    wire: bytes, last: Line | None
) -> None:
    one = SyslogFraming(limit=8)
    one.feed(wire)
    assert one.close() == last


def test_a_byte_order_mark_stays_in_its_message() -> None:
    message = b"<34>1 - - - - - - \xef\xbb\xbf\xe2\x82\xac"
    wire = b"%d %b%b\n" % (len(message), message, message)
    assert records(SyslogFraming().feed(wire)) == (message + b"\n") * 2
