from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proto.weblog.cursor import Cursor, encode
from proto.weblog.finding import Wanted
from proto.weblog.looking import LONGEST, MOST_TOLD, REMEMBERED, Effort
from proto.weblog.reading import CHUNK
from proto.weblog.stamp import time_in
from tests.weblog.files import BEGAN, Files


def numbered(first: int, last: int, width: int = 0) -> list[bytes]:
    return [b"line %d %s" % (each, b"x" * width) for each in range(first, last)]


def test_the_newest_lines_come_first_with_where_they_are(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(b"one", b"two")
    name = files.rotate()
    files.write(b"three", b"f\xffour")
    answer = files.look(Wanted())
    assert answer.lines == [
        {"text": "f\\xffour", "segment": "log.txt", "offset": 6},
        {"text": "three", "segment": "log.txt", "offset": 0},
        {"text": "two", "segment": name, "offset": 4},
        {"text": "one", "segment": name, "offset": 0},
    ]
    assert (answer.cursor, answer.complete, answer.scanned) == (None, True, 20)


def test_a_log_that_is_not_there_or_empty_holds_nothing(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert files.look(Wanted()).lines == []
    files.path.unlink()
    answer = files.look(Wanted())
    assert (answer.lines, answer.cursor, answer.complete) == ([], None, True)


def test_a_line_that_is_being_written_is_not_there_yet(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(b"one")
    with files.path.open("ab") as file:
        file.write(b"tw" + b"o" * (2 * CHUNK))
    assert files.texts(Wanted()) == ["one"]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_text_is_found_in_every_form_of_a_segment(tmp_path: Path, ending: str) -> None:
    files = Files(tmp_path)
    files.write(*numbered(0, 30_000, 20))
    name = files.rotate()
    if ending:
        files.compress(name, ending)
    files.write(*numbered(30_000, 30_010))
    answer = files.look(Wanted(b" 2999", limit=20))
    expected = [f"line {each} {'x' * 20}" for each in (*range(29_999, 29_989, -1), 2999)]
    assert [line["text"] for line in answer.lines] == expected
    assert {line["segment"] for line in answer.lines} == {name}
    text = b"".join(line + b"\n" for line in files.lines)
    for line in answer.lines:
        assert text[line["offset"] :].startswith(line["text"].encode() + b"\n")


class Steps:
    """A search with little effort, page by page, while the files change."""

    def __init__(self, files: Files, wanted: Wanted, size: int) -> None:
        self.files = files
        self.wanted = wanted
        self.size = size
        self.cursor: str | None = None
        self.found: list[bytes] = []
        self.pages = 0

    def step(self) -> bool:
        """One page; False after the last one."""
        effort = Effort(size=self.size)
        answer = self.files.look(self.wanted, self.cursor, effort)
        assert len(answer.lines) <= self.wanted.limit
        assert answer.unread == []
        self.found += [line["text"].encode() for line in answer.lines]
        self.cursor = answer.cursor
        self.pages += 1
        return self.cursor is not None


CHANGES = st.lists(st.sampled_from(["write", "rotate", "compress"]), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=5),
    st.integers(1, 40),
    st.sampled_from([b"", b"7", b"line 1", b"nowhere"]),
    st.sampled_from([1, 3000, 1 << 20]),
    CHANGES,
)
def test_page_by_page_every_line_comes_once_whatever_happens_to_the_files(
    counts: list[int], limit: int, text: bytes, size: int, changes: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder))
        for count in counts:
            files.write(*numbered(len(files.lines), len(files.lines) + count))
            files.rotate()
        files.write(*numbered(len(files.lines), len(files.lines) + 50))
        expected = [line for line in reversed(files.lines) if text in line]
        steps = Steps(files, Wanted(text, limit=limit), size)
        while steps.step():
            change = changes.pop() if changes else ""
            if change == "write":
                files.write(b"line 17 is new")
            elif change == "rotate":
                files.rotate()
            elif change == "compress":
                for name in files.segments:
                    files.compress(name)
        assert steps.found == expected


def test_a_large_file_is_looked_at_in_parts(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(b"first", *numbered(0, 40_000, 40))
    steps = Steps(files, Wanted(b"first"), 3 * CHUNK)
    assert steps.step()
    assert steps.found == []
    while steps.step():
        assert steps.pages < 20
    assert steps.found == [b"first"]
    assert steps.pages >= 4


def test_a_compressed_file_that_is_too_much_for_one_search_is_gone_on_with(
    tmp_path: Path,
) -> None:
    files = Files(tmp_path)
    files.write(*numbered(0, 40_000, 40))
    files.compress(files.rotate())
    steps = Steps(files, Wanted(b"line 1", limit=5), 3 * CHUNK)
    while not steps.found:
        assert steps.step()
    assert steps.found == [b"line %d %s" % (each, b"x" * 40) for each in range(19_999, 19_994, -1)]
    assert 5 <= steps.pages < 20


def test_what_was_seen_of_a_compressed_file_is_of_no_use_to_another_search(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(*numbered(0, 20_000, 40))
    files.compress(files.rotate())
    first = files.look(Wanted(b"line 1"), None, Effort(size=CHUNK))
    assert (first.lines, first.complete) == ([], False)
    (found,) = files.look(Wanted(b"line 19999 "), first.cursor).lines
    assert found["text"].startswith("line 19999 ")


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_cursor_that_somebody_made_up_ends_a_search_at_the_end_of_a_line(
    tmp_path: Path, ending: str
) -> None:
    files = Files(tmp_path)
    files.write(b"line 0", b"line 1", b"line 2")
    name = files.rotate()
    if ending:
        files.compress(name, ending)
    for offset in range(len(b"line 0\n") * 3 + 2):
        for wanted in (Wanted(b"line"), Wanted()):
            answer = files.look(wanted, encode(Cursor(1, offset)))
            whole = min(offset // 7, 3)
            told = [line["text"] for line in answer.lines]
            assert told == ["line 2", "line 1", "line 0"][3 - whole :]


def test_the_seconds_end_a_search_as_the_bytes_do_and_so_does_who_asked(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(*numbered(0, 40_000, 40))
    times = iter(range(100))
    answer = files.look(Wanted(b"nowhere"), None, Effort(seconds=3, now=lambda: next(times)))
    assert (answer.complete, answer.lines) == (False, [])
    assert 0 < answer.scanned < files.path.stat().st_size
    assert answer.cursor is not None
    stopped = files.look(Wanted(b"nowhere"), None, Effort(is_stopped=True))
    assert stopped.scanned <= CHUNK


def test_a_cursor_into_a_segment_that_is_gone_is_refused_as_gone(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(*numbered(0, 10))
    name = files.rotate()
    files.write(b"new")
    cursor = files.look(Wanted(limit=5)).cursor
    (tmp_path / name).unlink()
    with pytest.raises(Exception, match="is gone") as caught:
        files.look(Wanted(limit=5), cursor)
    assert getattr(caught.value, "status", None) == 410


def test_a_file_that_another_one_took_the_place_of_is_gone_too(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(*numbered(0, 10))
    cursor = files.look(Wanted(limit=5)).cursor
    files.path.write_bytes(b"another file\n" * 20)
    with pytest.raises(Exception, match="is gone"):
        files.look(Wanted(limit=5), cursor)


def test_a_segment_that_goes_away_before_it_is_reached_is_passed_over(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for number in range(4):
        files.write(b"in %d" % number)
        files.rotate()
    cursor = files.look(Wanted(limit=1)).cursor
    (tmp_path / files.segments[2]).unlink()
    (tmp_path / files.segments[1]).unlink()
    assert [line["text"] for line in files.look(Wanted(), cursor).lines] == ["in 0"]


def test_very_long_lines_are_shown_in_part_and_an_answer_is_bounded(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for each in range(100):
        files.write(b"%d" % each + b"x" * (3 * CHUNK))
    answer = files.look(Wanted())
    assert all(len(line["text"]) == LONGEST for line in answer.lines)
    assert all(line["left_out"] > 2 * CHUNK for line in answer.lines)
    assert MOST_TOLD <= sum(len(line["text"]) for line in answer.lines) < MOST_TOLD + 2 * LONGEST
    rest = files.look(Wanted(), answer.cursor)
    assert len(answer.lines) + len(rest.lines) == 100
    files.compress(files.rotate())
    packed = files.look(Wanted())
    assert [line["text"] for line in packed.lines] == [line["text"] for line in answer.lines]
    assert len(files.look(Wanted(), packed.cursor).lines) == len(rest.lines)


def test_what_is_no_segment_is_not_looked_at(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(b"one")
    name = files.rotate()
    for other in (f"{name}.unsynced", "log.txt.torn", f"{name}.gz.part", "log.txt.1", "other.txt"):
        (tmp_path / other).write_bytes(b"other\n")
    os.mkfifo(tmp_path / "log.txt.20261121T173000Z.000009")
    (tmp_path / "log.txt.20261121T173000Z.000010").symlink_to(tmp_path / "other.txt")
    assert files.texts(Wanted()) == ["one"]


def test_a_damaged_segment_is_named_and_the_others_are_looked_at(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for each in (b"one", b"two", b"three"):
        files.write(each)
        files.rotate()
    damaged = files.segments[1] + ".gz"
    files.compress(files.segments[1])
    (tmp_path / damaged).write_bytes(b"no gzip")
    answer = files.look(Wanted())
    assert [line["text"] for line in answer.lines] == ["three", "one"]
    assert answer.unread == [damaged]


def test_lines_without_times_are_as_old_as_their_segment(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for each in (b"one", b"two", b"three"):
        files.write(each)
        files.rotate()
    files.write(b"four")
    assert files.texts(Wanted(since=BEGAN + 1)) == ["four", "three", "two"]
    assert files.texts(Wanted(until=BEGAN + 59)) == ["two", "one"]
    assert files.texts(Wanted(since=BEGAN + 61, until=BEGAN + 100)) == ["three"]
    assert files.texts(Wanted(since=BEGAN + 1000)) == ["four"]


def stamped(second: int, format: str) -> bytes:
    time = b"2023-11-14T%02d:%02d:%02d.000000Z" % (second // 3600, second // 60 % 60, second % 60)
    return time + b" peer 1 - x" if format == "prefixed" else b'{"time":"%b","line":""}' % time


@pytest.mark.parametrize("format", ["prefixed", "json"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_lines_that_tell_their_time_are_chosen_by_it_without_reading_everything(
    tmp_path: Path, format: str, ending: str
) -> None:
    files = Files(tmp_path, time_in)
    files.write(*(stamped(each, format) for each in range(40_000)))
    if ending:
        files.compress(files.rotate())
    day = 1_699_920_000
    wanted = Wanted(since=day + 20_000, until=day + 20_010.5, limit=100)
    answer = files.look(wanted)
    expected = [stamped(each, format).decode() for each in range(20_010, 19_999, -1)]
    assert [line["text"] for line in answer.lines] == expected
    assert (answer.complete, answer.cursor) == (True, None)
    size = sum(len(line) + 1 for line in files.lines)
    assert answer.scanned < size * (0.75 if ending else 0.6)


def test_lines_that_are_a_little_out_of_order_are_found_by_their_time(tmp_path: Path) -> None:
    files = Files(tmp_path, time_in)
    files.write(*(stamped(each ^ 15, "prefixed") for each in range(20_000)), b"tells none")
    day = 1_699_920_000
    texts = files.texts(Wanted(b"2023", day + 9000, day + 9100, limit=1000))
    assert sorted(texts) == [stamped(each, "prefixed").decode() for each in range(9000, 9101)]


def test_only_so_many_searches_are_remembered_and_the_others_begin_anew(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(*numbered(0, 20_000, 40))
    files.compress(files.rotate())
    wanted = Wanted(b"line 19999 ")
    cursors = [files.look(wanted, None, Effort(size=CHUNK)).cursor for _ in range(REMEMBERED + 1)]
    scanned = []
    for cursor in (cursors[0], cursors[-1], cursors[-1]):
        answer = files.look(wanted, cursor)
        assert [line["text"][:11] for line in answer.lines] == ["line 19999 "]
        scanned.append(answer.scanned)
    assert scanned[0] == scanned[2] > scanned[1]
