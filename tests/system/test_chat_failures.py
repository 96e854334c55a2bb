"""The chat's log fails under people who talk: they are told, nobody sees what is not stored, and
it goes on by itself."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.storage.postgres import Server, running
from tests.system.disks import SmallDisk, StallingDisk
from tests.system.programs import Twistd, dial, read_until
from tests.system.talkers import PATIENCE, Kept, Party, Telnet

FULL: Final = "That was not stored, so nobody saw it: the disk is full."
CANNOT: Final = "That was not stored, so nobody saw it: the log cannot be written."
AWAY: Final = "That was not stored, so nobody saw it: the database is away."
CONFIG: Final = """
[chat]
port = "0"
state = "STATE"
flood-rate = 0
max-per-minute = 0
[web]
port = "0"
[echo]
port = "0"
"""


@contextmanager
def serving(
    folder: Path,
    state: str = "state",
    *,
    env: Mapping[str, str] | None = None,
    prefix: tuple[str, ...] = (),
) -> Iterator[tuple[Twistd, dict[str, int]]]:
    """The suite and its ports; in the end it has to stop in order, with no bug met."""
    (folder / "x.toml").write_text(CONFIG.replace("STATE", state))
    command = ("proto", "--config", "x.toml")
    with Twistd(*command, cwd=folder, env=env, prefix=prefix) as server:
        server.deadline = PATIENCE
        yield server, {name: server.port(name) for name in ("chat", "web", "echo")}
        assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in server.output


def try_commands(somebody: Telnet) -> None:
    """What needs no writing is answered."""
    somebody.say("/WHO")
    assert {"ann", "cat"} <= set(somebody.hears(r"^In lobby: ")[10:-1].split(", "))
    somebody.say("/HISTORY 2")
    somebody.hears(r"^The last 2 lines of lobby")


def rename(somebody: Telnet) -> None:
    """A change of name has its place among the lines, but is none."""
    somebody.say("/NAME someone", "/NAME bob")
    somebody.hears(r"^someone changed name to bob")


def test_a_full_disk_is_told_and_nothing_unstored_is_seen(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "state", "2m") as disk, ExitStack() as stack:
        with serving(tmp_path, prefix=disk.prefix) as (server, ports):
            disk.find(server.process.pid)
            party = Party(ports, stack)
            for _ in range(3):
                assert party.round() == set()
            assert party.until_refused(disk.fill) == {FULL}
            try_commands(party.telnet[1])
            rename(party.telnet[1])
            disk.fill()
            assert party.round() == {FULL}
            disk.clear()
            party.insist()
            assert party.round() == set()
        disk.copy(tmp_path / "copy")
        party.check(Kept(str(tmp_path / "copy")))
    assert "cannot be written: database or disk is full (SQLITE_FULL)" in server.output


def test_a_file_that_was_removed_is_made_anew_and_the_numbers_go_on(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, ports), ExitStack() as stack:
        party, kept = Party(ports, stack), Kept(str(tmp_path / "state"))
        for _ in range(3):
            party.round()
        kept.read()
        (tmp_path / "state" / "chat.db").unlink()
        party.insist()
        party.check(kept)
        server.wait_for(r"chat\.db: the file was gone, and with it what was said before")
        (tmp_path / "state" / "chat.lock").unlink()
        party.insist()
        party.check(kept)


def test_another_file_in_its_place_is_used_when_it_is_a_log(tmp_path: Path) -> None:
    state = tmp_path / "state"
    copy, nonsense = tmp_path / "copy.db", tmp_path / "nonsense.db"
    with serving(tmp_path) as (server, ports), ExitStack() as stack:
        party, kept = Party(ports, stack), Kept(str(state))
        party.round()
        with (
            closing(sqlite3.connect(state / "chat.db")) as now,
            closing(sqlite3.connect(copy)) as to,
        ):
            now.backup(to)
        party.insist()
        kept.read()
        copy.replace(state / "chat.db")
        party.insist()
        party.check(kept)
        server.wait_for(r"another file is in its place, and is used from now on")
        nonsense.write_text("nonsense " * 1000)
        nonsense.replace(state / "chat.db")
        assert party.round() == {CANNOT}
        party.telnet[1].say("/WHO")
        party.telnet[1].hears(r"^In lobby: ")
        (state / "chat.db").unlink()
        party.insist()
        party.check(kept)


def test_a_lock_of_another_program_is_waited_for_and_then_told(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, ports), ExitStack() as stack:
        party = Party(ports, stack)
        party.round()
        ann, bob = party.telnet
        with closing(sqlite3.connect(tmp_path / "state" / "chat.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            ann.say("ann-waits")
            try_commands(bob)
            ann.say("/WHO")
            ann.hears(r"^In lobby: ")
            assert ann.refusals == []  # the line still waits
            ann.hears(rf"^! {CANNOT}$")
            other.execute("ROLLBACK")
        party.refused["ann-waits"] = CANNOT
        party.insist()
        party.check(Kept(str(tmp_path / "state")))


def processes(database: Server) -> list[int]:
    """The server and those that it started."""
    first = database.pid()
    started = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, started)]


def kill(database: Server) -> None:
    """End every process of it, and what says that it runs: a zombie looks alive to it."""
    ends = [os.pidfd_open(each) for each in processes(database)]
    database.signal(signal.SIGKILL)
    for end in ends:
        assert select.select([end], [], [], PATIENCE)[0]
        os.close(end)
    for path in (database.folder / "data" / "postmaster.pid", *database.folder.glob(".s.*.lock")):
        path.unlink()


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_database_that_goes_away_and_comes_back_loses_nothing(end: str, tmp_path: Path) -> None:
    with running() as database, ExitStack() as stack:
        url = database.new()
        server, ports = stack.enter_context(serving(tmp_path, url))
        with ExitStack() as visits:
            party = Party(ports, visits)
            for _ in range(2):
                party.round()
                if end == "stopped":
                    database.crash()
                else:
                    kill(database)
                assert party.round() == {AWAY}
                party.telnet[1].say("/WHO")
                party.telnet[1].hears(r"^In lobby: ")
                database.start()
                party.insist()
            party.check(Kept(url))
        server.wait_for(r"can be written again|can be reached again")


def test_a_disk_that_stalls_delays_lines_and_nothing_else(tmp_path: Path) -> None:
    disk = StallingDisk(tmp_path)
    with serving(tmp_path, env=disk.env) as (_, ports), ExitStack() as stack:
        party = Party(ports, stack)
        party.round()
        ann, bob = party.telnet
        disk.stall()
        ann.say("ann-stalled", "ann-too")
        try_commands(bob)
        party.json.ask(type="history", count=10)
        assert len(party.json.hears("lines")["lines"]) == 3
        party.json.ask(type="who")
        party.json.hears("people")
        with dial(ports["echo"]) as echo:
            echo.sendall(b"still there?")
            read_until(echo, b"still there?")
        with dial(ports["web"]) as web:
            web.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_until(web, b"}").startswith(b"HTTP/1.1 200 OK\r\n")
        for person in party.people.values():
            assert "ann-stalled" not in person.lines
        disk.go_on()
        ann.wait(lambda: "ann-too" in ann.lines)
        assert party.round() == set()
        party.check(Kept(str(tmp_path / "state")))


def test_sigterm_stores_what_was_taken_and_tells_what_was_not_said(tmp_path: Path) -> None:
    disk = StallingDisk(tmp_path)
    command = ("chat", "--port", "0", "--flood-lines", "10", "--flood-rate", "0.001")
    with (
        Twistd(*command, "--state", "state", cwd=tmp_path, env=disk.env) as server,
        ExitStack() as stack,
    ):
        server.deadline = PATIENCE
        people = [Telnet(server.port("chat")) for _ in range(3)]
        for person in people:
            stack.enter_context(person.wire)
            person.hears(r"^You are ")
        disk.stall()
        for number, person in enumerate(people):
            person.say(*(f"{number}-{each}" for each in range(9)), "/WHO", "unsaid", "unsaid")
            person.hears(r"^In lobby: ")  # so its lines were taken
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(r"received SIGTERM, stopping")
        assert [person.lines for person in people] == [[], [], []]
        disk.go_on()
        for person in people:
            person.hears(r"^! 2 of your lines were not said\.$")
            person.hears(r"^The server is stopping\. Goodbye\.$")
        assert server.end() == 0
        assert "Traceback" not in server.output
    texts = Kept(str(tmp_path / "state")).read()
    assert sorted(texts) == [f"{number}-{each}" for number in range(3) for each in range(9)]
    assert [person.lines for person in people] == [texts] * 3
