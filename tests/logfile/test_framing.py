from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proto.logfile.framing import KEPT_WHEN_CUT, LONGEST_LINE, Line, LineFraming, Piece, Run

LIMIT = 5
WIRE = st.lists(st.sampled_from([b"a", b"bc", b"\r", b"\n", b"\r\n", b"123456789"])).map(b"".join)


def feed(framing: LineFraming, *chunks: bytes) -> list[Piece]:
    return [piece for chunk in chunks for piece in framing.feed(chunk)]


def lines_of(pieces: list[Piece]) -> list[Line]:
    """The pieces with their runs taken apart."""
    lines = []
    for piece in pieces:
        if isinstance(piece, Run):
            texts = piece.text.split(b"\n")
            assert texts.pop() == b""
            assert len(texts) == piece.count
            lines += [Line(text) for text in texts]
        else:
            lines.append(piece)
    return lines


def slow_lines(wire: bytes, limit: int) -> list[Line]:
    """The specification, one line at a time."""
    *whole, last = wire.split(b"\n")
    lines = []
    for text in whole:
        line = text.removesuffix(b"\r")
        lines.append(Line(line[:limit], max(0, len(line) - limit)))
    if last:
        lines.append(Line(last[:limit], max(0, len(last) - limit), ended=False))
    return lines


def test_a_chunk_of_whole_lines_stays_one_run_and_the_same_object() -> None:
    chunk = b"one\ntwo\n\nfour\n"
    [run] = LineFraming().feed(chunk)
    assert run == Run(chunk, 4)
    assert isinstance(run, Run)
    assert run.text is chunk


def test_a_line_ends_at_lf_or_crlf_and_one_cr_before_lf_is_part_of_the_end() -> None:
    assert feed(LineFraming(), b"a\r\nb\nc\r\r\nd\re\n") == [Run(b"a\nb\nc\r\nd\re\n", 4)]


def test_a_line_waits_for_its_end() -> None:
    framing = LineFraming()
    assert framing.feed(b"be") == []
    assert framing.feed(b"gun\r") == []
    assert framing.feed(b"\nnext") == [Run(b"begun\n", 1)]
    assert framing.close() == Line(b"next", ended=False)
    assert framing.close() is None


def test_a_line_of_exactly_the_limit_is_whole_with_either_end() -> None:
    assert (
        feed(LineFraming(LIMIT), b"12345\n", b"12345\r", b"\n", b"12345", b"\r\n")
        == [Run(b"12345\n", 1)] * 3
    )


def test_a_longer_line_is_cut_and_the_next_one_is_read_as_usual() -> None:
    assert feed(LineFraming(LIMIT), b"a\nb\n1234567\r\nc\nd\n") == [
        Run(b"a\nb\n", 2),
        Line(b"12345", left_out=2),
        Run(b"c\nd\n", 2),
    ]


def test_a_long_line_over_many_reads_never_becomes_two() -> None:
    framing = LineFraming(LIMIT)
    pieces = feed(framing, b"1234", b"5678", b"90", b"", b"\r", b"\nnext\n")
    assert pieces == [Line(b"12345", left_out=5), Run(b"next\n", 1)]


def test_a_long_line_that_never_ends_is_kept_in_part_and_measured() -> None:
    framing = LineFraming(LIMIT)
    assert feed(framing, b"123456", b"78\r") == []
    assert framing.close() == Line(b"12345", left_out=4, ended=False)
    assert framing.feed(b"again\n") == [Run(b"again\n", 1)]


def test_nothing_is_unfinished_after_a_last_newline() -> None:
    framing = LineFraming()
    framing.feed(b"all\n")
    assert framing.close() is None


def test_an_endless_line_takes_no_more_memory_than_the_limit() -> None:
    framing = LineFraming()
    for _ in range(64):
        framing.feed(b"x" * 65536)
        assert framing.held <= LONGEST_LINE + 1
    assert framing.close() == Line(b"x" * LONGEST_LINE, 63 * 65536, ended=False)


def test_a_line_that_was_given_up_keeps_its_beginning_and_counts_the_rest() -> None:
    framing = LineFraming()
    framing.feed(b"first\n" + b"x" * 5000)
    assert framing.held == 5000
    framing.cut()
    assert framing.held == KEPT_WHEN_CUT
    assert feed(framing, b"y" * 100, b"yy\r\nnext\n") == [
        Line(b"x" * KEPT_WHEN_CUT, 5000 + 102 - KEPT_WHEN_CUT),
        Run(b"next\n", 1),
    ]
    assert not framing.begun


def test_a_line_one_byte_too_long_that_was_given_up_is_cut_at_the_limit() -> None:
    framing = LineFraming(LIMIT)
    framing.feed(b"123456")
    framing.cut()
    assert framing.feed(b"\n") == [Line(b"12345", left_out=1)]


def test_a_long_line_that_was_given_up_is_measured_to_its_end() -> None:
    framing = LineFraming()
    framing.feed(b"x" * 100_000 + b"\r")
    framing.cut()
    assert framing.held == KEPT_WHEN_CUT
    assert framing.feed(b"\n") == [Line(b"x" * KEPT_WHEN_CUT, 100_000 - KEPT_WHEN_CUT)]


@pytest.mark.parametrize("begin", [b"abc", b"abc\r", b"", b"\r"])
def test_a_line_that_ends_where_it_was_given_up_is_whole(begin: bytes) -> None:
    framing = LineFraming(LIMIT)
    framing.feed(begin)
    framing.cut()
    [piece] = framing.feed(b"\n")
    assert piece in (Line(begin.strip()), Run(begin.strip() + b"\n", 1))
    assert framing.close() is None


def test_a_line_of_one_cr_that_was_given_up_is_unfinished_all_the_same() -> None:
    framing = LineFraming(LIMIT)
    framing.feed(b"\r")
    framing.cut()
    assert framing.held == 0
    assert framing.begun
    assert framing.close() == Line(b"", left_out=1, ended=False)


@given(wire=WIRE, cuts=st.lists(st.integers(0, 200)), limit=st.integers(1, 12))
@example(wire=b"123456\r\n", cuts=[6], limit=5)
@example(wire=b"1234567\r", cuts=[6, 7], limit=5)
def test_any_split_of_the_same_bytes_gives_the_same_lines(
    wire: bytes, cuts: list[int], limit: int
) -> None:
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    framing = LineFraming(limit)
    pieces = feed(framing, *(wire[a:b] for a, b in itertools.pairwise(edges)))
    last = framing.close()
    if last is not None:
        pieces.append(last)
    assert lines_of(pieces) == slow_lines(wire, limit)
