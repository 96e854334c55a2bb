from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.paste import Paste
from proto.chat.talk import MOST_LINES, TooLong, check_paste


def pasted(lines: list[str]) -> Paste:
    paste = Paste()
    for line in lines:
        assert not paste.add(line)
    return paste


def test_lines_are_gathered_as_they_are_and_blank_ones_count() -> None:
    paste = pasted(["def f():", "", "    return 1", "  "])
    assert paste.text == "def f():\n\n    return 1\n  "
    assert not paste.is_dropped


@pytest.mark.parametrize(
    ("line", "ends"), [(".", True), (". ", True), ("..", False), (" .", False)]
)
def test_a_lone_dot_ends_it(line: str, ends: bool) -> None:
    assert Paste().add(line) is ends


def test_it_may_be_as_long_as_what_is_said_and_no_longer() -> None:
    line = "x" * 1023
    paste = pasted([line] * 16)
    check_paste(paste.text)
    with pytest.raises(TooLong):
        paste.add("")


def test_too_much_is_told_once_and_nothing_of_it_is_kept() -> None:
    paste = pasted(["x" * 4000] * 4)
    with pytest.raises(TooLong, match="16384 bytes and 1000 lines are the most"):
        paste.add("y" * 4000)
    assert [paste.add("z" * 4000) for _ in range(1000)] == [False] * 1000
    assert (paste.text, paste.is_dropped) == ("", True)
    assert paste.add(".")


def test_many_blank_lines_are_too_much_as_well() -> None:
    paste = pasted([""] * MOST_LINES)
    with pytest.raises(TooLong):
        paste.add("")


@given(st.lists(st.text(max_size=40).filter(lambda line: line.rstrip() != "."), max_size=20))
def test_whatever_fits_is_kept_whole(lines: list[str]) -> None:
    clean = [line.replace("\n", "") for line in lines if line.replace("\n", "").rstrip() != "."]
    assert pasted(clean).text == "\n".join(clean)
