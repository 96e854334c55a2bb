from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proto.weblog.excerpt import LINES, SCAN, SIZE, Allowance, Batch, View

EVERYTHING = View()


def batch_of(*portions: bytes, name: str = "", kept: int = SIZE) -> Batch:
    batch = Batch(kept)
    for each in portions:
        batch.add(name, each, each.count(b"\n"))
    batch.gather()
    return batch


def lines_of(events: bytes) -> list[Any]:
    lines = []
    for each in events.decode().split("\n\n")[:-1]:
        kind, data = each.split("\n")
        assert kind == "event: line"
        lines.append(json.loads(data.removeprefix("data: ")))
    return lines


def test_a_batch_is_shown_in_its_order() -> None:
    events, dropped = batch_of(b"a\nb\n", b"c\n").excerpt(EVERYTHING, Allowance())
    assert (lines_of(events), dropped) == ([{"text": each} for each in "abc"], 0)
    assert batch_of().excerpt(EVERYTHING, Allowance()) == (b"", 0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "one", "two"]), st.lists(st.text("ab", max_size=3))),
        max_size=10,
    ),
    st.text("ab", max_size=2),
    st.sampled_from([None, "", "one"]),
    st.integers(0, 12),
    st.integers(0, 60),
    st.sampled_from([4, 20, SIZE]),
)
def test_nothing_is_shown_that_should_not_be_and_nothing_is_missing_that_is_not_counted(
    portions: list[tuple[str, list[str]]],
    text: str,
    name: str | None,
    lines: int,
    scan: int,
    kept: int,
) -> None:
    batch, came = Batch(kept), []
    for of, texts in portions:
        if texts:
            batch.add(of, "".join(f"{each}\n" for each in texts).encode(), len(texts))
            came += [(of, each) for each in texts if name in (None, of)]
    batch.gather()
    events, dropped = batch.excerpt(View(text.encode(), name), Allowance(lines, SIZE, scan))
    shown = [(line.get("name", ""), line["text"]) for line in lines_of(events)]
    wanted = [each for each in came if text in each[1]]
    assert len(shown) <= lines
    iterator = iter(wanted)
    assert all(each in iterator for each in shown)  # in their order, each once
    if text:
        assert len(wanted) - len(shown) <= dropped <= len(came) - len(shown)
    else:
        assert dropped == len(came) - len(shown)
        assert shown == wanted[len(wanted) - len(shown) :]


def test_what_is_kept_is_bounded_and_what_came_is_counted() -> None:
    batch = Batch(1000)
    for _ in range(10_000):
        batch.add("", b"x" * 99 + b"\n", 1)
    assert len(batch._held) == 10
    assert batch.came(EVERYTHING) == 10_000


def test_the_part_of_a_view_is_taken_from_the_whole_and_what_it_leaves_is_given_back() -> None:
    whole = Allowance()
    part, rest = whole.share(4), whole.share(4)
    batch_of(b"abc\n" * 10).excerpt(EVERYTHING, rest)
    whole.spend(part, rest)
    assert (whole.lines, whole.size, whole.scan) == (LINES - 10, SIZE - 40, SCAN)
    part, rest = whole.share(1), whole.share(1)
    batch_of(b"abc\n" * 10).excerpt(View(b"x"), rest)
    whole.spend(part, rest)
    assert (whole.lines, whole.scan) == (LINES - 10, SCAN - 40)


def test_a_line_that_would_be_cut_to_almost_nothing_is_not_shown() -> None:
    events, dropped = batch_of(b"x" * 5000 + b"\n").excerpt(EVERYTHING, Allowance(size=100))
    assert (events, dropped) == (b"", 1)
    events, dropped = batch_of(b"x" * 5000 + b"\n").excerpt(EVERYTHING, Allowance(size=300))
    assert (lines_of(events), dropped) == ([{"text": "x" * 300, "left_out": 4700}], 0)
