from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import Queue
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from proto.chat.events import Said, Stored
from proto.chat.factory import ChatFactory
from proto.chat.history import MemoryHistory
from proto.chat.house import House
from proto.config import settings_of
from proto.endpoints import parse
from proto.errors import StartError
from proto.storage.sqlite import FILE
from proto.tap.chat import ChatSettings, apply, build, check, keep
from proto.tap.options import ProcessSettings
from proto.tap.process import Process
from tests.support import connect


def test_without_options_it_has_the_limits_that_the_readme_tells() -> None:
    given = ChatSettings()
    assert [str(port) for port in given.port] == ["tcp 0.0.0.0:12345"]
    assert (given.max_per_address, given.max_per_minute) == (32, 20)
    assert (given.flood_lines, given.flood_rate) == (10, 5.0)
    assert (given.state, given.keep_lines, given.keep_days) == ("chat-state", 100_000, 0.0)
    assert (given.hold_input, given.send_queue, given.stuck_after) == (65536, 1 << 20, 30.0)


def test_what_can_change_while_it_runs_changes_for_newcomers() -> None:
    clock = Clock()
    house = House(MemoryHistory(clock.seconds), clock.seconds)
    factory = ChatFactory(house, clock, greet_after=0)
    apply(factory, ChatSettings(motd="one\ntwo", hide_addresses=True, max_line=20))
    person, wire = connect(factory)
    person.dataReceived(b"x" * 21 + b"\r\n")
    clock.advance(0)
    said = wire.value()
    assert b"\r\none\r\ntwo\r\nYou are guest-1, in lobby." in said
    assert said.endswith(b"! That line is too long; 20 bytes is the most.\r\n")


def test_the_reloadable_settings_are_those_that_apply_takes_or_the_doorkeeper() -> None:
    reloadable = {key for key, (_, what) in settings_of(ChatSettings).items() if what.reloads}
    limits = {"max-connections", "max-per-address", "max-per-minute", "accept-rate", "idle"}
    assert reloadable - limits == {
        *["motd", "hide-addresses", "flood-lines", "flood-rate", "hold-input", "send-queue"],
        *["stuck-after", "max-line"],
    }


def test_a_start_that_fails_gives_the_log_back(tmp_path: Path) -> None:
    from twisted.internet import reactor

    process = Process(reactor, ProcessSettings(), None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = parse(f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1")
        for _ in range(2):
            with pytest.raises(StartError, match="in use"):
                build(ChatSettings(port=(port,), state=str(tmp_path / "state")), process)


def test_checking_the_state_makes_nothing(tmp_path: Path) -> None:
    check(ChatSettings(state=str(tmp_path / "state")))
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="choose a folder"):
        check(ChatSettings(state=str(tmp_path / "file")))


def test_what_is_kept_is_what_the_settings_say(tmp_path: Path) -> None:
    handed: Queue[Callable[[], None]] = Queue()
    settings = ChatSettings(state=str(tmp_path), keep_lines=3)
    log = keep(
        settings, Process(SimpleNamespace(callFromThread=handed.put), ProcessSettings(), None)
    )
    log.start()
    stored: list[Stored] = []
    for number in range(30):
        log.append(f"room {number // 10}", Said("al", "x"), stored.append, print)
        while len(stored) <= number:
            handed.get(timeout=30)()
    log.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        rooms = database.execute("SELECT room, count(*) FROM said GROUP BY room").fetchall()
    # The last bites may be left for the next start.
    assert [(room, 3 <= count <= 4) for room, count in rooms][-1] == ("room 2", True)
    assert all(count <= 4 for _, count in rooms)
