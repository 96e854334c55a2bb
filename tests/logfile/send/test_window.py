from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.send.window import Window


def test_lines_are_taken_acknowledged_and_sent_again_in_their_order() -> None:
    window = Window()
    window.add([b"a", b"b", b"c"])
    assert window.take() == [b"a", b"b", b"c"]
    assert window.take() == []
    window.acknowledge(1)
    window.rewind()
    window.add([b"d"])
    assert window.take() == [b"b", b"c", b"d"]
    assert (window.sent, window.told, window.acknowledged) == (3, 4, 1)
    window.acknowledge(3)
    assert (window.empty, window.acknowledged) == (True, 4)


def test_no_more_lines_are_on_their_way_than_the_bound() -> None:
    window = Window(most_lines=2)
    window.add([b"a", b"b", b"c"])
    assert not window.wants
    assert window.take() == [b"a", b"b"]
    assert window.take() == []
    window.acknowledge(1)
    assert window.take() == [b"c"]


def test_no_more_bytes_are_on_their_way_than_the_bound_but_one_line_always_may() -> None:
    window = Window(most_bytes=5)
    window.add([b"123456789", b"12", b"345", b"6"])
    assert not window.wants
    assert window.take() == [b"123456789"]
    assert window.take() == []
    window.acknowledge(1)
    assert window.take() == [b"12", b"345"]
    window.acknowledge(1)
    assert window.take() == [b"6"]
    assert window.wants


def test_a_smaller_bound_may_be_asked_for() -> None:
    window = Window()
    window.add([b"123", b"456", b"7"])
    assert window.take(most_bytes=4) == [b"123"]


def test_what_was_too_much_at_once_is_halved_until_one_line_is_left() -> None:
    window = Window()
    window.add([b"12", b"34", b"56", b"78", b"90"])
    assert len(window.take()) == 5
    window.narrow()
    assert window.take() == [b"12", b"34"]
    window.narrow()
    assert window.take() == [b"12"]
    window.narrow()
    assert window.take() == [b"12"]


@given(st.lists(st.sampled_from(["add", "take", "acknowledge", "rewind"])))
def test_whatever_happens_each_line_is_acknowledged_once_and_in_order(
    steps: list[str],
) -> None:
    window = Window(most_lines=5, most_bytes=12)
    read, on_the_way, acknowledged = 0, list[bytes](), list[bytes]()
    for step in steps:
        if step == "add" and window.wants:
            window.add([b"%d" % read, b"%d" % (read + 1)])
            read += 2
        elif step == "take":
            on_the_way += window.take()
            assert len(on_the_way) <= 5
        elif step == "acknowledge" and on_the_way:
            acknowledged.append(on_the_way.pop(0))
            window.acknowledge(1)
        elif step == "rewind":
            on_the_way.clear()
            window.rewind()
        assert window.sent == len(on_the_way)
    assert acknowledged == [b"%d" % number for number in range(window.acknowledged)]
    assert window.empty == (window.acknowledged == read)
