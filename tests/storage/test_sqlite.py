from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from proto.chat.events import Stored
from proto.chat.history import Lines, Recent, Span
from proto.errors import StartError
from proto.storage.sqlite import FILE, SqliteStore, check
from tests.storage.waiting import DEADLINE, Asker, told
from tests.system.programs import environment

CANNOT = "That was not stored, so nobody saw it: the log cannot be written."
FULL = "That was not stored, so nobody saw it: the disk is full."


def test_a_batch_that_is_refused_leaves_no_gap_and_the_next_is_stored(tmp_path: Path) -> None:
    asker = Asker(SqliteStore(tmp_path, patience=0.0))
    asker.log.start()
    with capturedLogs() as events, closing(sqlite3.connect(tmp_path / FILE)) as other:
        asker.insist("lobby", "a")
        other.execute("BEGIN EXCLUSIVE")
        for text in ("b", "c"):
            asker.say("lobby", text)
            asker.say("den", text)
            assert asker.wait(2) == [CANNOT, CANNOT]
        assert asker.lines("lobby") == [(1, "a")]
        assert asker.found("lobby", "a") == ["a"]
        other.execute("ROLLBACK")
        asker.say("lobby", "d")
        assert [line.sequence for line in asker.wait(1)] == [2]
    assert asker.lines("lobby") == [(1, "a"), (2, "d")]
    assert asker.lines("den") == []
    asker.log.close()
    told = [event["log_format"] for event in events if event.get("deed") == "written"]
    assert told == ["{name} cannot be {deed}: {why}", "{name} can be {deed} again"]


def test_what_is_read_in_a_batch_that_is_refused_is_what_is_stored(tmp_path: Path) -> None:
    asker = Asker(SqliteStore(tmp_path, patience=0.0))
    asker.say("lobby", "lost")
    asker.look("lobby")
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        asker.log.start()
        assert asker.wait(2) == [CANNOT, Recent()]
    asker.log.close()


@pytest.mark.parametrize("taken", [[FILE], [FILE, f"{FILE}-wal"], ["chat.lock"], []])
def test_a_file_that_is_removed_is_made_anew_and_numbers_go_on(
    taken: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    asker = Asker(folder)
    asker.log.start()
    asker.say("lobby", "old")
    asker.say("den", "old too")
    asker.wait(2)
    assert asker.found("lobby", "old") == ["old"]
    for name in taken or os.listdir(folder):
        (folder / name).unlink()
    if not taken:
        folder.rmdir()
    with capturedLogs() as events:
        line, _ = asker.insist("lobby", "new")
    assert line.sequence == 2
    news = [event["news"] for event in events if "news" in event]
    old = [] if FILE in taken or not taken else [(1, "old")]
    assert len(news) == 1
    assert ("what was said before" in news[0]) == (not old)
    assert asker.lines("lobby") == [*old, (2, "new")]
    lines = asker.read("lobby", Span(9))
    assert isinstance(lines, Lines)
    assert told(lines.lines) == [*old, (2, "new")]
    with pytest.raises(StartError, match="another process uses it"):
        Asker(folder)
    asker.log.close()
    asker = Asker(folder)
    asker.log.start()
    assert asker.lines("lobby") == [*old, (2, "new")]
    assert asker.found("lobby", "old new") == []
    asker.log.close()


@pytest.mark.parametrize("ends", [["-wal"], ["-shm"], ["-wal", "-shm"]])
def test_no_line_is_lost_when_the_log_of_sqlite_is_removed(tmp_path: Path, ends: list[str]) -> None:
    asker = Asker(tmp_path)
    asker.log.start()
    asker.insist("lobby", "a")
    assert asker.found("lobby", "a") == ["a"]
    for end in ends:
        (tmp_path / f"{FILE}{end}").unlink()
    asker.insist("lobby", "b")
    assert asker.found("lobby", "b") == ["b"]
    asker.log.close()
    asker = Asker(tmp_path)
    asker.log.start()
    assert asker.lines("lobby") == [(1, "a"), (2, "b")]
    asker.log.close()


def test_a_file_that_is_moved_away_takes_all_its_lines_along(tmp_path: Path) -> None:
    asker = Asker(tmp_path / "state")
    asker.log.start()
    asker.insist("lobby", "a")
    assert asker.found("lobby", "a") == ["a"]
    (tmp_path / "state" / FILE).rename(tmp_path / FILE)
    asker.insist("lobby", "b")
    asker.log.close()
    moved = Asker(tmp_path)
    moved.log.start()
    assert moved.lines("lobby") == [(1, "a")]
    moved.log.close()


def test_a_file_that_another_is_put_in_place_of_is_used_from_then_on(tmp_path: Path) -> None:
    other = Asker(tmp_path / "other")
    for text in ("1", "2", "3"):
        other.say("lobby", text)
    other.log.close()
    asker = Asker(tmp_path / "state")
    asker.log.start()
    asker.insist("lobby", "a")
    (tmp_path / "other" / FILE).rename(tmp_path / "state" / FILE)
    assert asker.insist("lobby", "b")[0].sequence == 4
    assert asker.found("lobby", "b") == ["b"]
    asker.log.close()
    with closing(sqlite3.connect(tmp_path / "state" / FILE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        texts = database.execute("SELECT text FROM said ORDER BY sequence").fetchall()
    assert [text for (text,) in texts] == ["1", "2", "3", "b"]


def test_a_file_that_cannot_be_made_anew_refuses_lines_until_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    asker = Asker(folder)
    asker.log.start()
    asker.insist("lobby", "a")
    folder.rename(tmp_path / "away")
    folder.touch()
    asker.say("lobby", "b")
    assert asker.wait(1) == [CANNOT]
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert asker.insist("lobby", "c")[0].sequence == 2
    assert asker.lines("lobby") == [(1, "a"), (2, "c")]
    asker.log.close()


def test_no_open_file_but_the_lock_is_there_before_the_start(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.prepare()
    opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
    assert [path for path in opened if path.is_relative_to(tmp_path)] == [tmp_path / "chat.lock"]
    assert sorted(os.listdir(tmp_path)) == ["chat.db", "chat.lock"]
    store.release()


def test_what_fails_to_start_gives_the_lock_back(tmp_path: Path) -> None:
    Asker(tmp_path).log.close()
    (tmp_path / FILE).write_text("no log" * 1000)
    for _ in range(2):
        with pytest.raises(StartError, match="not a database"):
            Asker(tmp_path)
    with pytest.raises(StartError, match="not a database"):
        check(tmp_path)


FULL_DISK = """
import json, os, sys
from pathlib import Path
from tests.storage.waiting import Asker
folder = Path(sys.argv[1])
asker = Asker(folder)
asker.log.start()
asker.say("lobby", "first")
asker.wait(1)
filler = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT)
try:
    while os.write(filler, b"x" * 4096):
        pass
except OSError:
    pass
answers = []
said = ["first"]
for number in range(200):
    asker.say("lobby", f"{number} " + "x" * 3000)
    answers += asker.wait(1)
    if not isinstance(answers[-1], str):
        said.append(answers[-1].event.text)
refusals = sorted({answer for answer in answers if isinstance(answer, str)})
read = [text for _, text in asker.lines("lobby", 1000)] == said
found = asker.found("lobby", "first") + asker.found("lobby", "x")[-1:] == ["first", *said[1:][-1:]]
os.unlink(folder / "filler")
os.close(filler)
asker.say("lobby", "last")
asker.wait(1)
asker.log.close()
again = Asker(folder)
again.log.start()
lines = again.lines("lobby", 1000)
again.log.close()
print(json.dumps([refusals, read, found, lines == list(enumerate([*said, "last"], 1))]))
"""


def test_a_really_full_disk_refuses_lines_and_loses_none(tmp_path: Path) -> None:
    folder = str(tmp_path)
    mount = 'mount -t tmpfs -o size=512k none "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, folder, sys.executable, "-c", FULL_DISK, folder],
        capture_output=True,
        timeout=DEADLINE * 3,
        env=environment(),
    )
    assert done.stderr == b""
    assert json.loads(done.stdout) == [[FULL], True, True, True]


def test_a_line_is_stored_again_after_another_program_let_go(tmp_path: Path) -> None:
    asker = Asker(SqliteStore(tmp_path, patience=DEADLINE))
    asker.log.start()
    asker.insist("lobby", "a")
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("BEGIN EXCLUSIVE")
        asker.say("lobby", "b")
        assert asker.found("lobby", "a") == ["a"]  # meanwhile others read
        other.execute("ROLLBACK")
    (line,) = asker.wait(1)
    assert isinstance(line, Stored)
    assert line.sequence == 2
    asker.log.close()
