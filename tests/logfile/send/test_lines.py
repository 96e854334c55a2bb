from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.send.lines import Lines


def test_a_last_line_without_its_end_counts_too() -> None:
    lines = Lines()
    assert lines.feed(b"one\r\n\ntw") == [b"one\r", b""]
    assert lines.feed(b"o") == []
    assert lines.close() == [b"two"]
    assert lines.close() == []


def test_nothing_behind_the_last_end_is_no_line() -> None:
    lines = Lines()
    assert lines.feed(b"one\n") == [b"one"]
    assert lines.close() == []


def test_the_lines_before_one_that_is_too_long_are_good_and_it_is_named() -> None:
    lines = Lines(longest=4)
    assert lines.feed(b"a\nb\n") == [b"a", b"b"]
    assert lines.feed(b"four\nfive5\nsix\n") == [b"four"]
    assert str(lines.problem) == "line 4 is longer than 4 bytes"
    assert lines.feed(b"seven\n") == []
    assert lines.close() == []


def test_a_line_that_never_ends_is_given_up_when_it_is_too_long() -> None:
    lines = Lines(longest=10)
    assert lines.feed(b"x" * 10) == []
    assert lines.problem is None
    assert lines.feed(b"x") == []
    assert str(lines.problem) == "line 1 is longer than 10 bytes"


@given(st.lists(st.sampled_from([b"\n", b"a", b"bc\n", b"\r\n", b"\n\nd"])))
def test_any_chunks_give_the_lines_of_the_whole(chunks: list[bytes]) -> None:
    lines = Lines()
    found = [line for chunk in chunks for line in lines.feed(chunk)] + lines.close()
    *whole, last = b"".join(chunks).split(b"\n")
    assert found == whole + ([last] if last else [])
