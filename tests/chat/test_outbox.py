from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.chat.outbox import Outbox


def test_what_is_little_comes_whole() -> None:
    outbox = Outbox()
    outbox.put(b"ab")
    outbox.put(b"c")
    assert outbox.size == 3
    assert outbox.take(3) == b"abc"
    assert outbox.size == 0
    assert outbox.take(3) == b""


def test_what_is_much_comes_in_pieces_and_a_long_piece_whole() -> None:
    outbox = Outbox()
    for piece in (b"aaaa", b"b", b"cc", b"d"):
        outbox.put(piece)
    assert [outbox.take(3), outbox.take(3), outbox.take(3)] == [b"aaaa", b"bcc", b"d"]


def test_what_is_forgotten_is_not_counted() -> None:
    outbox = Outbox()
    outbox.put(b"abc")
    outbox.clear()
    assert (outbox.size, outbox.take(9)) == (0, b"")


@given(st.lists(st.binary(min_size=1, max_size=9)), st.integers(1, 12))
def test_everything_comes_out_once_in_order_and_counted(pieces: list[bytes], enough: int) -> None:
    outbox = Outbox()
    for piece in pieces:
        outbox.put(piece)
    taken = b""
    while outbox.size:
        before = outbox.size
        part = outbox.take(enough)
        assert part
        assert len(part) <= max(enough, 9)
        assert outbox.size == before - len(part)
        taken += part
    assert taken == b"".join(pieces)
