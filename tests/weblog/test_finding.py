from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.weblog.finding import SKEW, Wanted, found_in, is_newer, is_older


def stamp(record: bytes) -> float | None:
    digits = record.partition(b" ")[0].partition(b"\n")[0]
    return float(digits) if digits.isdigit() else None


def found(text: bytes, wanted: Wanted, *, timed: bool = False) -> list[bytes]:
    return [line for _, line in found_in((0, text), wanted, stamp if timed else None)]


@given(st.lists(st.text("ab ", max_size=5)), st.text("ab ", max_size=3), st.integers(0, 99))
def test_the_lines_that_hold_the_text_come_from_the_last_to_the_first(
    lines: list[str], text: str, begin: int
) -> None:
    block = "".join(f"{line}\n" for line in lines).encode()
    told = list(found_in((begin, block), Wanted(text.encode()), None))
    assert [line.decode() for _, line in told] == [each for each in lines[::-1] if text in each]
    for offset, line in told:
        assert block[offset - begin :].startswith(line + b"\n")


def test_case_counts_and_so_does_every_byte() -> None:
    assert found(b"Error\nerror\n\xff error\n", Wanted(b"error")) == [b"\xff error", b"error"]
    assert found(b"a\nb\n", Wanted(b"\xff")) == []


def test_times_bound_what_is_wanted_and_a_line_that_tells_none_may_be_from_any() -> None:
    text = b"10 a\n20 b\nnone\n30 c\n"
    assert found(text, Wanted(since=20), timed=True) == [b"30 c", b"none", b"20 b"]
    assert found(text, Wanted(until=20), timed=True) == [b"none", b"20 b", b"10 a"]
    assert found(text, Wanted(b"b", 15, 25), timed=True) == [b"20 b"]
    assert found(text, Wanted(since=99), timed=False) == [b"30 c", b"none", b"20 b", b"10 a"]


def test_a_block_tells_whether_older_or_newer_ones_can_be_wanted() -> None:
    block = (0, b"1000 x\n2000 y\n")
    assert is_older(block, Wanted(since=1000 + SKEW + 1), stamp)
    assert not is_older(block, Wanted(since=1000 + SKEW), stamp)
    assert is_newer(block, Wanted(until=1000 - SKEW - 1), stamp)
    assert not is_newer(block, Wanted(until=1000 - SKEW), stamp)
    for unknown in ((0, b""), (0, b"none\n")):
        assert not is_older(unknown, Wanted(since=9000), stamp)
        assert not is_newer(unknown, Wanted(until=0), stamp)
    assert not is_older(block, Wanted(since=9000), None)
    assert not is_newer(block, Wanted(until=0), None)
    assert not is_older(block, Wanted(), stamp)
    assert not is_newer(block, Wanted(), stamp)
