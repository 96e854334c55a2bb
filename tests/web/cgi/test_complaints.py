from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.web.cgi.complaints import MAX_LINE, MAX_LINES, Complaints


def told(*pieces: bytes) -> list[str]:
    lines: list[str] = []
    complaints = Complaints(lines.append)
    for piece in pieces:
        complaints.add(piece)
    complaints.end()
    return lines


def test_each_line_is_told_when_it_is_whole() -> None:
    lines: list[str] = []
    complaints = Complaints(lines.append)
    complaints.add(b"one\ntw")
    assert lines == ["one"]
    complaints.add(b"o\r\n\nlast")
    assert lines == ["one", "two"]
    complaints.end()
    assert lines == ["one", "two", "last"]


def test_nothing_in_a_line_can_be_taken_for_something_of_the_log() -> None:
    assert told(b"\x1b[2J\xc3\xa9\xff\tx\ry") == [r"\x1b[2J\xe9\\xff\tx\ry"]


def test_a_long_line_is_cut() -> None:
    assert told(b"a" * MAX_LINE) == ["a" * MAX_LINE]
    assert told(b"a" * MAX_LINE, b"b" * 10**6, b"\nnext\n") == ["a" * MAX_LINE + " ...", "next"]


def test_so_many_lines_are_told_and_then_that_there_are_more() -> None:
    lines = told(*[b"x\n" * 30] * 100)
    assert lines[:MAX_LINES] == ["x"] * MAX_LINES
    assert len(lines) == MAX_LINES + 1
    assert "more than 100 lines" in lines[-1]


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_it_makes_no_difference_how_the_bytes_came(pieces: list[bytes]) -> None:
    assert told(*pieces) == told(b"".join(pieces))
    assert all(line.isascii() and line.isprintable() for line in told(*pieces))
