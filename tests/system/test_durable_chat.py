"""`twistd -n chat --state DIR` is killed under load: whatever anybody saw is there again, once."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import threading
from pathlib import Path

import pytest

from proto.chat.history import Stored
from tests.storage.waiting import Asker
from tests.system.programs import DEADLINE, TWISTD, Twistd, dial, read_until, run

QUICK = ("--flood-rate", "0", "--flood-lines", "1000000", "--max-per-minute", "0")
CLIENTS = 5


class Talker(threading.Thread):
    """A client that says numbered lines, reading all the while, until the server is gone."""

    def __init__(self, port: int, number: int, enough: int) -> None:
        super().__init__(daemon=True)
        self._number = number
        self._enough = enough
        self.wire = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self._seen = read_until(self.wire, b"\r\nYou are ")
        self.heard_enough = threading.Event()

    def run(self) -> None:
        said = 0
        try:
            while True:
                lines = [f"{self._number}-{said + each}\n" for each in range(20)]
                self.wire.sendall("".join(lines).encode())
                said += len(lines)
                # Its own last line comes back before it says more.
                while f" says {self._number}-{said - 1}\r\n".encode() not in self._seen[-65536:]:
                    data = self.wire.recv(65536)
                    if not data:
                        return
                    self._seen += data
                    if len(self._seen) > self._enough:
                        self.heard_enough.set()
        except OSError:
            return

    def seen(self) -> list[str]:
        """The lines that it saw whole, live and in order."""
        live = self._seen.partition(b"Now:\r\n")[2] or self._seen
        return re.findall(r"^\S+ says (\d+-\d+)\r\n", live.decode(), re.M)

    def drain(self) -> None:
        """Read what the dead server had sent."""
        self.join(DEADLINE)
        self.wire.settimeout(DEADLINE)
        try:
            while data := self.wire.recv(65536):
                self._seen += data
        except ConnectionError:
            pass
        self.wire.close()


@pytest.mark.parametrize("seed", range(5))
def test_what_anybody_saw_is_there_after_a_kill_once_and_in_order(
    seed: int, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    chat = ("chat", "--port", "0", "--state", str(state), *QUICK)
    chance = random.Random(seed)
    with Twistd(*chat, cwd=tmp_path) as server:
        port = server.port("chat")
        talkers = [
            Talker(port, number, chance.randrange(5_000, 300_000)) for number in range(CLIENTS)
        ]
        for talker in talkers:
            talker.start()
        for talker in talkers:
            assert talker.heard_enough.wait(DEADLINE)
        server.end(signal.SIGKILL)
    for talker in talkers:
        talker.drain()
    asker = Asker(state)
    asker.log.start()
    asker.look("lobby", 1_000_000)
    (lines,) = asker.wait(1)
    asker.log.close()
    assert not isinstance(lines, (str, Stored))
    assert [line.sequence for line in lines] == list(range(1, len(lines) + 1))
    kept = [line.event.text for line in lines]
    assert len(set(kept)) == len(kept)
    for talker in talkers:
        seen = talker.seen()
        assert len(seen) > 100
        # Somebody in a room sees every line from their entry on, so it is one unbroken piece.
        first = kept.index(seen[0])
        assert kept[first : first + len(seen)] == seen
    with Twistd(*chat, cwd=tmp_path) as server, dial(server.port("chat")) as newcomer:
        shown = read_until(newcomer, b"Now:\r\n").decode()
        assert re.findall(r" says (\d+-\d+)\r\n", shown) == kept[-20:]
        assert server.end(signal.SIGTERM) == 0


def test_lines_are_shown_again_after_a_restart_and_rooms_are_kept(tmp_path: Path) -> None:
    chat = ("chat", "--port", "0", "--state", "state")
    for start in (0, 2):
        with Twistd(*chat, cwd=tmp_path) as server:
            with dial(server.port("chat")) as ann:
                ann.sendall(b"/NAME ann\n/JOIN Den\n")
                told = read_until(
                    ann, b"Now:\r\n" if start else b"in Den. Nobody else is here.\r\n"
                )
                if start:
                    assert told.endswith(
                        b"Earlier here:\r\nann says line 0\r\n* ann waves 1\r\nNow:\r\n"
                    )
                ann.sendall(b"line %d\n/ME waves %d\n" % (start, start + 1))
                read_until(ann, b"* ann waves %d\r\n" % (start + 1))
            assert server.end(signal.SIGTERM) == 0
            assert "Traceback" not in server.output
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["chat.db", "chat.lock"]


def test_a_second_chat_on_the_same_folder_is_told_in_one_line(tmp_path: Path) -> None:
    chat = ("chat", "--port", "0", "--state", "state")
    with Twistd(*chat, cwd=tmp_path) as server:
        server.port("chat")
        with Twistd(*chat, cwd=tmp_path) as second:
            assert second.end() == 1
            assert second.output == (
                f"twistd chat: {tmp_path / 'state'}: another process uses it; "
                "stop it or choose another folder\n"
            )
        assert server.end(signal.SIGTERM) == 0


def test_a_daemon_keeps_its_log_too(tmp_path: Path) -> None:
    made = run(
        *(TWISTD, "--pidfile=x.pid", "--logfile=x.log"),
        *("chat", "--port", "unix:x.sock", "--state", "state"),
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stdout
    process = int((tmp_path / "x.pid").read_text())
    try:
        with socket.socket(socket.AF_UNIX) as ann:
            ann.settimeout(DEADLINE)
            ann.connect(str(tmp_path / "x.sock"))
            ann.sendall(b"hello\n")
            read_until(ann, b" says hello\r\n")
    finally:
        os.kill(process, signal.SIGKILL)
    assert b"hello" in b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())


def test_a_configuration_is_checked_and_read_again_while_the_log_is_open(tmp_path: Path) -> None:
    config = tmp_path / "proto.toml"
    config.write_text('[chat]\nport = "0"\nstate = "state"\n')
    with Twistd("proto", cwd=tmp_path) as server:
        server.port("chat")
        config.write_text('[chat]\nport = "0"\nstate = "state"\nmotd = "hi"\n')
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(r"reloaded.*motd|motd.*reloaded")
        assert server.end(signal.SIGTERM) == 0
    (tmp_path / "state" / "chat.db").write_text("nonsense " * 1000)
    with Twistd("proto", "--check", cwd=tmp_path) as checked:
        assert checked.end() == 1
        assert "file is not a database; move it away" in checked.output
