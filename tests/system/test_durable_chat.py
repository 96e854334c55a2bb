"""The real chat is killed under load: whatever anybody saw is there again, once and in order.

`PROTO_KILLS=100 pytest -s tests/system/test_durable_chat.py` tells the figures of a long run.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.storage.postgres import running
from tests.system.programs import DEADLINE, TWISTD, Twistd, dial, read_until, run
from tests.system.survivors import Ear, JsonTalker, Talker, TelnetTalker
from tests.system.talkers import PATIENCE, Kept

KILLS: Final = int(os.environ.get("PROTO_KILLS", "10"))
"""How often the chat is killed; at 100 and more the figures are worth to be read."""
CONFIG: Final = """
[chat]
port = "0"
state = "STATE"
keep-lines = 0
flood-rate = 0
flood-lines = 1000000
max-per-minute = 0
[web]
port = "0"
max-per-minute = 0
"""


@pytest.fixture(params=["sqlite", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Where the log is, and how often it is worth to be killed there."""
    if request.param == "sqlite":
        yield str(tmp_path / "state"), KILLS
        return
    with running() as server:
        yield server.new(), max(2, KILLS // 5)


def test_what_anybody_saw_is_there_after_every_kill_once_and_in_order(
    state: tuple[str, int], tmp_path: Path
) -> None:
    where, kills = state
    (tmp_path / "x.toml").write_text(CONFIG.replace("STATE", where))
    ear, kept, chance = Ear(), Kept(where), random.Random(kills)
    by_json = [JsonTalker(name, ear.heard) for name in ("ann", "bob", "cat")]
    by_telnet = [TelnetTalker(name, ear.heard, name != "dan") for name in ("dan", "eve", "fay")]
    everybody: list[Talker] = [*by_json, *by_telnet]
    for life in range(kills + 1):
        with (
            ThreadPoolExecutor(len(everybody)) as pool,
            Twistd("proto", "--config", "x.toml", cwd=tmp_path) as server,
        ):
            server.deadline = PATIENCE
            # Nobody but the server itself opens the store after a kill.
            ports = {True: server.port("web"), False: server.port("chat")}
            kept.read()
            for talker in everybody:
                port = ports[talker in by_json]
                talker.settle(kept) if life else talker.arrive(port)
            if life < kills:
                late = chance.choice(by_json)
                together = threading.Barrier(len(everybody) - 1)
                talks = [
                    pool.submit(talk, ear, talker, ports[talker in by_json], together, kept)
                    for talker in everybody
                    if talker is not late
                ]
                ear.wait(chance.randrange(1, 1000))
                talks.append(pool.submit(talk, ear, late, ports[True], None, kept))
                heard = ear.wait(chance.randrange(1, 5000))
                server.end(signal.SIGKILL)
                for each in talks:
                    each.result(PATIENCE)
                assert heard
            else:
                assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in server.output
    texts = list(kept.texts)
    assert kept.everything() == texts
    assert len(set(texts)) == len(texts)
    assert [talker.refused for talker in everybody] == [[]] * len(everybody)
    tell(kills, len(texts), everybody, by_telnet[0].repeated)


def talk(
    ear: Ear, talker: Talker, port: int, together: threading.Barrier | None, kept: Kept
) -> None:
    """Let somebody talk; if they fail the others do not wait for them."""
    try:
        talker.talk(port, together, kept)
    except BaseException:
        ear.give_up()
        if together is not None:
            together.abort()
        raise


def tell(kills: int, stored: int, everybody: list[Talker], repeated: int) -> None:
    """Print what `pytest -s` shows; whatever was lost or doubled would have failed before."""
    seen = sum(talker.seen for talker in everybody)
    resumes = sum(talker.returns for talker in everybody)
    resumed = sum(talker.resumed for talker in everybody)
    assert min(seen, resumes, resumed) > 0
    print(  # noqa: T201  # these are the figures that were asked for
        f"\n{kills} kills, {stored} lines stored, {seen} seen, {resumes} resumes, "
        f"{resumed} lines resumed, 0 lost, 0 doubled "
        f"({repeated} shown again to who gave no number)"
    )


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
                f"twistd chat: --state: {tmp_path / 'state'}: another process uses it; "
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
