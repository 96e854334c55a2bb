from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.web.proxy.cache.codec import encode
from proto.web.proxy.cache.entry import Entry, Terms
from proto.web.proxy.cache.folder import Folder, Ticket
from tests.system.programs import ROOT, environment

KEYS: Final = [b"%064x" % n for n in range(12)]
BLOCK: Final = 4096


def entry(size: int) -> Entry:
    return Entry(200, b"OK", (), b"x" * size, 0, 0, Terms(1))


def put(folder: Folder, key: bytes, size: int) -> bool:
    return folder.write(key, entry(size), Ticket())


def files(path: Path) -> dict[str, int]:
    """The names of the records, and the bytes of their blocks."""
    found = [each for each in path.iterdir() if each.name != ".lock"]
    return {each.name: -(-each.stat().st_size // BLOCK) * BLOCK for each in found}


def test_what_was_written_is_read_by_this_process_and_the_next(tmp_path: Path) -> None:
    assert put(Folder(tmp_path, 1 << 20), KEYS[0], 10_000)
    other = Folder(tmp_path, 1 << 20)
    assert other.read(KEYS[0]) == entry(10_000)
    assert other.read(KEYS[1]) is None
    other.remove(KEYS[0])
    other.remove(KEYS[0])
    assert other.read(KEYS[0]) is None
    assert files(tmp_path) == {}


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 8 * BLOCK)
    for number, key in enumerate(KEYS[:8]):
        assert put(folder, key, 10)
        os.utime(tmp_path / key.decode(), (number, number))
    assert folder.read(KEYS[0])
    assert put(folder, KEYS[8], 10)
    kept = {key for key in KEYS[:9] if folder.read(key)}
    assert {KEYS[0], KEYS[8]} <= kept
    assert KEYS[1] not in kept
    assert len(kept) == 7  # one more goes, so that the next need not look


def test_what_is_larger_than_the_folder_is_not_written(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 8 * BLOCK)
    assert put(folder, KEYS[0], 10)
    assert not put(folder, KEYS[1], 9 * BLOCK)
    assert folder.read(KEYS[0])


@pytest.mark.parametrize("bad", [b"", b"foreign", encode(KEYS[1], entry(9)),
                                 encode(KEYS[0], entry(9000))[:5000],
                                 encode(KEYS[0], entry(9000))[:5000] + bytes(4000)])  # fmt: skip
def test_a_torn_or_foreign_file_is_no_record_and_goes(tmp_path: Path, bad: bytes) -> None:
    folder = Folder(tmp_path, 1 << 20)
    (tmp_path / KEYS[0].decode()).write_bytes(bad)
    assert folder.read(KEYS[0]) is None
    assert files(tmp_path) == {}


def test_a_link_is_no_record_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(encode(KEYS[0], entry(9)))
    (tmp_path / KEYS[0].decode()).symlink_to("mine")
    assert Folder(tmp_path, 1 << 20).read(KEYS[0]) is None
    assert set(files(tmp_path)) == {"mine"}


def test_files_of_other_names_are_left_alone_and_what_was_begun_is_cleared(
    tmp_path: Path,
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    (tmp_path / "new-letter").write_text("dear")
    (tmp_path / f"new-{KEYS[0].decode()}").write_bytes(b"half")
    (tmp_path / KEYS[1].decode()).write_bytes(encode(KEYS[1], entry(5000)))
    folder = Folder(tmp_path, 1 << 20)
    folder.sweep()
    assert set(files(tmp_path)) == {"letter.txt", "new-letter", KEYS[1].decode()}
    assert (folder.size, folder.entries) == (2 * BLOCK, 1)


def test_a_folder_that_is_too_full_at_the_start_is_made_to_fit(tmp_path: Path) -> None:
    for key in KEYS:
        put(Folder(tmp_path, 1 << 20), key, 10)
    folder = Folder(tmp_path, 8 * BLOCK)
    folder.sweep()
    assert folder.size == sum(files(tmp_path).values()) <= 8 * BLOCK


def test_a_write_that_was_called_off_leaves_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 1 << 20)
    ticket = Ticket()
    ticket.is_off = True
    assert not folder.write(KEYS[0], entry(9), ticket)
    assert files(tmp_path) == {}


def test_a_count_that_was_lost_is_made_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 8 * BLOCK)
    for key in KEYS[:6]:
        put(folder, key, 10)
    (tmp_path / ".lock").write_bytes(b"nonsense")
    for key in KEYS[6:]:
        assert put(folder, key, 10)
        assert sum(files(tmp_path).values()) <= 8 * BLOCK


def test_a_write_that_fails_takes_no_room(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 8 * BLOCK)
    put(folder, KEYS[0], 10)
    (tmp_path / KEYS[1].decode()).mkdir()  # nothing can be renamed to that
    for _ in range(20):
        with pytest.raises(OSError):
            put(folder, KEYS[1], 10)
    assert put(folder, KEYS[2], 10)
    assert folder.read(KEYS[0])
    assert folder.size == 2 * BLOCK


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "get", "remove", "sweep"]), st.sampled_from(KEYS),
              st.integers(0, 5 * BLOCK), st.booleans()),
    max_size=40,
)  # fmt: skip


@settings(max_examples=60)
@given(STEPS)
def test_whatever_comes_it_stays_below_its_bound(steps: list[tuple[str, bytes, int, bool]]) -> None:
    with TemporaryDirectory() as name:
        path = Path(name)
        folders = [Folder(path, 8 * BLOCK), Folder(path, 8 * BLOCK)]
        model: dict[bytes, Entry] = {}
        for what, key, size, which in steps:
            folder = folders[which]
            if what == "put" and put(folder, key, size):
                model[key] = entry(size)
            elif what == "get":
                assert folder.read(key) in (None, model.get(key))
            elif what == "remove":
                folder.remove(key)
                model.pop(key, None)
            elif what == "sweep":
                folder.sweep()
                assert folder.entries == len(files(path))
                assert folder.size == sum(files(path).values())
            assert sum(files(path).values()) <= 8 * BLOCK


WRITER: Final = """
import sys
from pathlib import Path
from proto.web.proxy.cache.entry import Entry, Terms
from proto.web.proxy.cache.folder import Folder, Ticket
folder = Folder(Path(sys.argv[1]), 40 * 4096)
for number in range(300):
    key = b"%064x" % (number * 7 % 90)
    record = Entry(200, b"OK", (), key * (number % 200), 0, 0, Terms(1))
    folder.write(key, record, Ticket())
    found = folder.read(b"%064x" % (number * 11 % 90))
    assert found is None or found.body.count(b"%064x" % (number * 11 % 90)) * 64 == len(found.body)
print("ok")
"""


def test_processes_that_share_a_folder_stay_below_its_bound_together(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for writer in writers:
        assert writer.communicate(timeout=60)[0] == b"ok\n"
    assert 0 < sum(files(tmp_path).values()) <= 40 * BLOCK
    told = int((tmp_path / ".lock").read_text())
    assert told == sum(files(tmp_path).values())
    folder = Folder(tmp_path, 40 * BLOCK)
    for name in files(tmp_path):
        assert folder.read(name.encode()) is not None
