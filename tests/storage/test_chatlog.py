from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs

from proto.chat.events import Emoted, Said
from proto.chat.history import Stored
from proto.errors import StartError
from proto.storage.chatlog import FILE, SqliteHistory, check
from tests.storage.waiting import DEADLINE, Asker
from tests.system.programs import environment

CANNOT = "That was not stored, so nobody saw it: the log cannot be written."
FULL = "That was not stored, so nobody saw it: the disk is full."


def numbers(answers: list[Any]) -> list[int]:
    return [answer.sequence for answer in answers]


def texts(lines: list[tuple[int, str]]) -> list[str]:
    return [text for _, text in lines]


def test_answers_come_in_the_order_asked_and_each_room_counts_from_one(tmp_path: Path) -> None:
    asker = Asker(tmp_path)
    asker.look("lobby")
    asker.say("lobby", "a")
    asker.say("den", "b", Emoted)
    asker.look("lobby")
    asker.say("lobby", "c")
    asker.look("lobby", 1)
    asker.look("lobby", 0)
    asker.look("lobby", -1)
    asker.look("den")
    asker.log.start()
    a, b, c = (
        Stored(1, Said("bob", "a")),
        Stored(1, Emoted("bob", "b")),
        Stored(2, Said("bob", "c")),
    )
    assert asker.wait(9) == [(), a, b, (a,), c, (c,), (), (), (b,)]
    asker.log.vacated("lobby")
    assert asker.lines("lobby") == [(1, "a"), (2, "c")]
    asker.log.close()


def test_order_and_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    for start in (0, 3, 6):
        asker = Asker(tmp_path)
        asker.log.start()
        for number in range(start, start + 3):
            asker.say("lobby", f"line {number} \u00e9\U0001f600")
        assert numbers(asker.wait(3)) == [start + 1, start + 2, start + 3]
        asker.log.close()
    asker = Asker(tmp_path)
    asker.log.start()
    assert asker.lines("lobby", 4) == [(n + 1, f"line {n} \u00e9\U0001f600") for n in range(5, 9)]
    asker.log.close()


def test_what_is_queued_is_stored_and_answered_when_it_is_closed(tmp_path: Path) -> None:
    for started in (True, False):
        asker = Asker(tmp_path / str(started))
        if started:
            asker.log.start()
        for number in range(100):
            asker.say("lobby", str(number))
        asker.log.close()
        asker.log.close()
        assert numbers(asker.wait(100)) == list(range(1, 101))
        asker.say("lobby", "too late")
        asker.look("lobby")
        assert asker.wait(2) == [
            "That was not stored, so nobody saw it: the log is closed.",
            (),
        ]


def test_a_thousand_lines_that_come_while_the_disk_is_busy_are_one_transaction(
    tmp_path: Path,
) -> None:
    handed: list[Callable[[], None]] = []
    busy, go_on, all_told = threading.Event(), threading.Event(), threading.Event()
    stored: list[Stored] = []

    def in_reactor(call: Callable[[], None]) -> None:
        handed.append(call)
        busy.set()
        assert go_on.wait(DEADLINE)
        if len(handed) == 2:
            all_told.set()

    log = SqliteHistory(tmp_path, in_reactor)
    log.start()
    log.append("lobby", Said("bob", "first"), stored.append, print)
    assert busy.wait(DEADLINE)
    for number in range(1000):
        log.append(f"room {number % 7}", Said("bob", str(number)), stored.append, print)
    go_on.set()
    assert all_told.wait(DEADLINE)
    log.close()
    assert len(handed) == 2
    for call in handed:
        call()
    assert [line.event.text for line in stored] == ["first", *map(str, range(1000))]


def test_a_batch_that_is_refused_leaves_no_gap_and_the_next_is_stored(tmp_path: Path) -> None:
    asker = Asker(tmp_path, patience=0.0)
    asker.log.start()
    with capturedLogs() as events, closing(sqlite3.connect(tmp_path / FILE)) as other:
        asker.say("lobby", "a")
        assert numbers(asker.wait(1)) == [1]
        other.execute("BEGIN IMMEDIATE")
        for text in ("b", "c"):
            asker.say("lobby", text)
            asker.say("den", text)
            assert asker.wait(2) == [CANNOT, CANNOT]
        assert texts(asker.lines("lobby")) == ["a"]
        other.execute("ROLLBACK")
        asker.say("lobby", "d")
        assert numbers(asker.wait(1)) == [2]
    assert asker.lines("lobby") == [(1, "a"), (2, "d")]
    assert asker.lines("den") == []
    asker.log.close()
    told = [event["log_format"] for event in events]
    assert told == ["{path} cannot be {deed}: {why}", "{path} can be {deed} again"]


def test_what_is_read_in_a_batch_that_is_refused_is_what_is_stored(tmp_path: Path) -> None:
    asker = Asker(tmp_path, patience=0.0)
    asker.say("lobby", "lost")
    asker.look("lobby")
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        asker.log.start()
        assert asker.wait(2) == [CANNOT, ()]
    asker.log.close()


def test_a_file_that_goes_and_comes_back_is_opened_again(tmp_path: Path) -> None:
    asker = Asker(tmp_path)
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    asker.log.start()
    with capturedLogs() as events:
        asker.say("lobby", "a")
        asker.look("lobby")
        assert asker.wait(2) == [CANNOT, ()]
        (tmp_path / "elsewhere").rename(tmp_path / FILE)
        asker.say("lobby", "b")
        asker.look("lobby")
        assert numbers(asker.wait(2)[:1]) == [1]
        assert len(events) == 4
    asker.log.close()


def broken(line: Stored) -> None:
    raise ZeroDivisionError


def test_an_answer_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    asker = Asker(tmp_path)
    asker.log.append("lobby", Said("bob", "a"), broken, print)
    asker.say("lobby", "b")
    asker.log.start()
    with capturedLogs() as events:
        assert numbers(asker.wait(1)) == [2]
    assert [event["log_failure"].type for event in events] == [ZeroDivisionError]
    asker.log.close()


def test_what_cannot_be_text_is_refused_and_the_thread_lives_on(tmp_path: Path) -> None:
    asker = Asker(tmp_path)
    asker.log.start()
    with capturedLogs() as events:
        asker.say("lobby", "\ud800")
        assert asker.wait(1) == [CANNOT]
    assert [event["log_failure"].type for event in events] == [UnicodeEncodeError]
    asker.say("lobby", "b")
    assert numbers(asker.wait(1)) == [1]
    asker.log.close()


def test_each_room_keeps_its_newest_lines_and_goes_on_counting(tmp_path: Path) -> None:
    asker = Asker(tmp_path, keep_lines=200)
    for number in range(250):
        asker.say("lobby", str(number + 1))
    asker.say("den", "quiet")
    asker.log.start()
    asker.wait(251)
    assert asker.lines("lobby", 1000) == [(n, str(n)) for n in range(51, 251)]
    assert asker.lines("den") == [(1, "quiet")]
    asker.log.close()


def test_each_line_is_kept_with_its_time(tmp_path: Path) -> None:
    asker = Asker(tmp_path, now=lambda: 12.3456)
    asker.say("lobby", "a")
    asker.log.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        rows = database.execute("SELECT * FROM lines").fetchall()
    assert rows == [("lobby", 1, 12345, "said", "bob", "a")]


def test_no_thread_and_no_open_file_but_the_lock_is_there_before_the_start(tmp_path: Path) -> None:
    before = threading.active_count()
    log = SqliteHistory(tmp_path, print)
    opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
    assert threading.active_count() == before
    assert [path for path in opened if path.is_relative_to(tmp_path)] == [tmp_path / "chat.lock"]
    assert sorted(os.listdir(tmp_path)) == ["chat.db", "chat.lock"]
    log.close()


def test_a_folder_has_one_log_at_a_time_and_may_be_checked_by_anybody(tmp_path: Path) -> None:
    first = Asker(tmp_path)
    first.log.start()
    with pytest.raises(StartError, match="another process uses it"):
        Asker(tmp_path)
    check(tmp_path)
    first.say("lobby", "a")
    assert numbers(first.wait(1)) == [1]
    first.log.close()
    (tmp_path / FILE).write_text("no log" * 1000)
    for _ in range(2):  # what fails gives the lock back
        with pytest.raises(StartError, match="not a database"):
            Asker(tmp_path)


def test_a_log_survives_a_fork_before_its_start_and_is_locked_by_the_child(tmp_path: Path) -> None:
    log = SqliteHistory(tmp_path, print)
    code = """
import os, sys, threading
from pathlib import Path
from proto.chat.events import Said
from proto.storage.chatlog import SqliteHistory
done = threading.Event()
log = SqliteHistory(Path(sys.argv[1]), lambda call: call())
if os.fork():
    os._exit(0)
log.start()
log.append("lobby", Said("bob", "a"), lambda line: done.set(), print)
assert done.wait(20)
print("stored", flush=True)
sys.stdin.read()
"""
    log.close()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"stored\n"
        with pytest.raises(StartError, match="another process uses it"):
            Asker(tmp_path)


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
os.unlink(folder / "filler")
os.close(filler)
asker.say("lobby", "last")
asker.wait(1)
asker.log.close()
again = Asker(folder)
again.log.start()
lines = again.lines("lobby", 1000)
again.log.close()
print(json.dumps([refusals, read, lines == list(enumerate([*said, "last"], 1))]))
"""


def test_a_really_full_disk_refuses_lines_and_loses_none(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    folder = str(tmp_path)
    mount = 'mount -t tmpfs -o size=512k none "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, folder, sys.executable, "-c", FULL_DISK, folder],
        capture_output=True,
        timeout=DEADLINE * 3,
        env=environment(),
    )
    assert done.stderr == b""
    assert json.loads(done.stdout) == [[FULL], True, True]
