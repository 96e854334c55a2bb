from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.keeping import (
    Kept,
    Name,
    Rules,
    names_of,
    parse,
    prune,
    remove,
    segment_name,
    segments,
    surplus,
)
from tests.logfile.disk import FakeDisk

NOW = 1_795_282_200.0


def test_the_name_of_a_segment_says_when_it_was_ended_and_its_number() -> None:
    name = segment_name("log.txt", NOW + 0.9, 12)
    assert name == "log.txt.20261121T173000Z.000012"
    assert parse("log.txt", name) == Name(name, "20261121T173000Z", 12, "")
    assert Name(name, "20261121T173000Z", 12, "").ended == NOW


@pytest.mark.parametrize("ending", [".gz", ".zst", ".gz.part", ".zst.part", ".unsynced"])
def test_the_endings_of_a_name_are_told(ending: str) -> None:
    name = parse("log.txt", segment_name("log.txt", NOW, 1_234_567, ending))
    assert name is not None
    assert (name.ending, name.number) == (ending, 1_234_567)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log.txt",
        "log.txt.1",
        "log.txt.gz",
        "log.txt.torn",
        "log.txt.fresh",
        "log.txt.20261121T173000Z",
        "log.txt.20261121T173000Z.",
        "log.txt.20261121T173000Z.1",
        "log.txt.20261121T173000Z.00001",
        "log.txt.20261121T173000Z.000001.bak",
        "log.txt.20261121T173000Z.000001.gz.old",
        "log.txt.20261121T173000Z.000001.unsynced.gz",
        "log.txt.20261121T173000Z.000001\n",
        "log.txt.20261121T173000Z.\u0660\u0660\u0660\u0660\u0660\u0661",
        "log.txt.2026-11-21T17:30:00Z.000001",
        "xlog.txt.20261121T173000Z.000001",
        "log.txt.20261121T173000Z.000001/x",
        "log.txt.log.txt.20261121T173000Z.000001",
    ],
)
def test_what_only_looks_like_a_segment_is_none(text: str) -> None:
    assert parse("log.txt", text) is None


@given(st.text(), st.text())
def test_no_name_breaks_the_parser(log: str, text: str) -> None:
    name = parse(log, text)
    assert name is None or text.startswith(log + ".")


def test_a_day_that_does_not_exist_is_long_ago() -> None:
    name = parse("a", "a.20260631T000000Z.000001")
    assert name is not None
    assert name.ended == 0.0


def kept(*sizes: int, age: float = 0, step: float = 0) -> list[Kept]:
    """The oldest first; the youngest was ended `age` seconds ago, each other `step` before."""
    found = []
    for number, size in enumerate(sizes, 1):
        ended = NOW - age - step * (len(sizes) - number)
        name = parse("a", segment_name("a", ended, number))
        assert name is not None
        found.append(Kept(name, size))
    return found


def numbers(found: list[Kept]) -> list[int]:
    return [each.name.number for each in found]


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        (Rules(), []),
        (Rules(keep_count=4), []),
        (Rules(keep_count=3), [1]),
        (Rules(keep_count=1), [1, 2, 3]),
        (Rules(keep_count=0), [1, 2, 3, 4]),
        (Rules(keep_bytes=100), []),
        (Rules(keep_bytes=99), [1]),
        (Rules(keep_bytes=90), [1]),
        (Rules(keep_bytes=89), [1, 2]),
        (Rules(keep_bytes=0), [1, 2, 3, 4]),
        (Rules(keep_seconds=300), []),
        (Rules(keep_seconds=299), [1]),
        (Rules(keep_seconds=0), [1, 2, 3]),
        (Rules(keep_count=3, keep_bytes=70, keep_seconds=300), [1, 2]),
    ],
)
def test_the_oldest_are_not_kept(rules: Rules, gone: list[int]) -> None:
    assert numbers(surplus(kept(10, 20, 30, 40, step=100), rules, NOW)) == gone


def test_a_segment_that_is_there_twice_while_it_is_compressed_counts_once() -> None:
    one, two = kept(10, 10)
    packed = parse("a", one.name.text + ".gz")
    assert packed is not None
    found = [one, Kept(packed, 1), two]
    assert surplus(found, Rules(keep_count=2), NOW) == []
    assert surplus(found, Rules(keep_count=1), NOW) == [one, Kept(packed, 1)]


@given(
    st.lists(st.integers(0, 50), max_size=8),
    st.none() | st.integers(0, 8),
    st.none() | st.integers(0, 200),
)
def test_what_is_left_obeys_the_rules_and_is_the_youngest(
    sizes: list[int], count: int | None, size: int | None
) -> None:
    found = kept(*sizes, step=1)
    gone = surplus(found, Rules(keep_count=count, keep_bytes=size), NOW)
    left = found[len(gone) :]
    assert found[: len(gone)] == gone
    assert count is None or len(left) <= count
    assert size is None or sum(each.size for each in left) <= size


FOLDER = Path("/logs")
STRANGERS = [
    "here.log",
    "here.log.1",
    "here.log.20261121T173000Z.000001.bak",
    "here.log.20261121T173000Z.000009.unsynced",
    "here.log.torn",
    "other.log.20261121T173000Z.000001",
]


def test_segments_are_found_in_the_order_of_their_numbers() -> None:
    disk = FakeDisk()
    names = [
        "here.log.20990101T000000Z.000001",
        "here.log.20261121T173000Z.000002.gz",
        "here.log.20261121T173000Z.000010",
        "here.log.20261121T173001Z.1000000",
    ]
    for name in [*STRANGERS, *names]:
        disk.put(f"/logs/{name}", name.encode())
    found = segments(disk.folder(FOLDER), "here.log")
    assert [each.name.text for each in found] == names
    assert [each.size for each in found] == [len(name) for name in names]
    assert len(names_of(disk.folder(FOLDER), "here.log")) == 5


def test_only_segments_are_removed() -> None:
    disk = FakeDisk()
    own = [segment_name("here.log", NOW, number, ".gz" * (number % 2)) for number in (1, 2, 3)]
    for name in [*STRANGERS, *own]:
        disk.put(f"/logs/{name}", b"x")
    rules = Rules(keep_count=0, keep_bytes=0, keep_seconds=0)
    assert prune(disk.folder(FOLDER), "here.log", rules, NOW) == own
    assert disk.names() == STRANGERS


def test_without_rules_nobody_looks() -> None:
    disk = FakeDisk()
    disk.put(f"/logs/{segment_name('here.log', NOW, 1)}", b"x")
    assert prune(disk.folder(FOLDER), "here.log", Rules(), NOW) == []
    assert len(disk.names()) == 1


def test_what_somebody_else_removed_is_gone_as_well() -> None:
    disk = FakeDisk()
    disk.put("/logs/two", b"x")
    remove(disk.folder(FOLDER), ["one", "two"])
    assert disk.names() == []


def test_what_cannot_be_removed_is_told() -> None:
    disk = FakeDisk()
    disk.put(f"/logs/{segment_name('here.log', NOW, 1)}", b"x")
    disk.fail_step("unlink", errno.EACCES)
    with pytest.raises(PermissionError):
        prune(disk.folder(FOLDER), "here.log", Rules(keep_count=0), NOW)
