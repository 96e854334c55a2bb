"""The command as a program of its own: its exit codes, its words, and a terminal."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from proto.logfile.relp import answer
from proto.logfile.send.__main__ import main
from tests.logfile.send.servers import DEADLINE, Part, Server, Talk, http, relp

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "proto.logfile.send"]
LINES = [b"line %d" % number for number in range(3000)]


def send(server: Server, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments, "--to", f"127.0.0.1:{server.port}"],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize(("way", "part"), [("--relp", relp), ("--http", http)])
def test_a_file_or_stdin_is_sent_without_a_word(way: str, part: Part, tmp_path: Path) -> None:
    path = tmp_path / "in.log"
    path.write_bytes(b"\n".join(LINES) + b"\n")
    with Server(part, part) as server:
        by_file = send(server, str(path), way)
        by_stdin = send(server, "-", way, stdin=b"from stdin\nwithout an end")
    for done in (by_file, by_stdin):
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert server.stored == [*LINES, b"from stdin", b"without an end"]


def test_a_line_that_is_refused_for_good_ends_it_with_1_and_its_number() -> None:
    def strict(talk: Talk) -> None:
        lines = talk.request()
        while lines is not None:
            if b"too long" in lines:
                talk.respond("413 Content Too Large")
            else:
                talk.stored.extend(lines)
                talk.respond("200 OK")
            lines = talk.request()

    with Server(strict) as server:
        done = send(server, "-", "--http", stdin=b"one\ntwo\ntoo long\nfour\n")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        f"127.0.0.1:{server.port}: line 3 is too long for the server: "
        "the server answers 413 Content Too Large; 2 lines are acknowledged\n"
    )


def test_a_server_that_is_not_there_is_told_once_and_given_up_with_1() -> None:
    with Server() as server:
        pass
    done = send(server, "-", "--relp", "--give-up", "0.6", stdin=b"one\n")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        f"127.0.0.1:{server.port}: Connection refused; trying again",
        f"127.0.0.1:{server.port}: nothing was acknowledged for 0.6 s: Connection refused; "
        "0 lines are acknowledged",
    ]


def test_a_file_that_is_not_there_ends_it_with_1() -> None:
    done = subprocess.run(
        [*COMMAND, "nowhere.log", "--to", "127.0.0.1:1", "--relp"],
        capture_output=True,
        cwd=ROOT,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        b"nowhere.log: No such file or directory\n",
    )


def test_ctrl_c_tells_how_many_lines_are_acknowledged_and_ends_it_with_130() -> None:
    half = threading.Event()

    def slow(talk: Talk) -> None:
        talk.open()
        talk.take(2)
        found = talk.frame()
        assert found is not None
        half.set()
        while talk.socket.recv(65536):
            pass

    with Server(slow) as server:
        process = subprocess.Popen(
            [*COMMAND, "-", "--relp", "--to", f"127.0.0.1:{server.port}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            # Whoever runs the tests in the background may have it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert process.stdin is not None
        process.stdin.write(b"one\ntwo\nthree\n")
        process.stdin.flush()
        assert half.wait(DEADLINE)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert said.decode().startswith(f"127.0.0.1:{server.port}: interrupted; ")
    acknowledged = int(said.split(b"interrupted; ")[1].split()[0])
    assert 0 <= acknowledged <= 2
    assert said.endswith(
        b"%d lines are acknowledged, %d sent are not\n" % (acknowledged, 3 - acknowledged)
    )


def test_a_terminal_is_shown_one_line_that_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "in.log"
    path.write_bytes(b"\n".join(LINES))
    ours, theirs = pty.openpty()
    with Server(relp) as server:
        done = subprocess.run(
            [*COMMAND, str(path), "--relp", "--to", f"127.0.0.1:{server.port}"],
            stderr=theirs,
            cwd=ROOT,
            timeout=DEADLINE,
            check=False,
        )
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
        os.close(ours)
    assert done.returncode == 0
    *_, last, nothing = shown.replace("\r\n", "\n").split("\n")
    assert nothing == ""
    assert last.split("\r\x1b[K")[-1].startswith("3,000 sent, 3,000 acknowledged, ")
    assert "\n" not in shown[:-1]


def test_a_server_that_answers_half_a_word_and_leaves_is_called_again() -> None:
    def half(talk: Talk) -> None:
        talk.open()
        talk.take(1)
        found = talk.frame()
        assert found is not None
        talk.say(answer(found[0], b"200 OK")[:9])
        talk.socket.shutdown(socket.SHUT_WR)
        while talk.socket.recv(65536):
            pass

    with Server(half, relp) as server:
        done = send(server, "-", "--relp", stdin=b"one\ntwo\nthree\n")
    assert done.returncode == 0
    assert done.stderr.decode() == (f"127.0.0.1:{server.port}: the server hung up; trying again\n")
    assert server.stored == [b"one", b"two", b"three"]


def test_main_exits_with_the_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / "empty"), "--to", "127.0.0.1:1", "--http"])
    assert (end.value.code, capsys.readouterr().err) == (0, "")
