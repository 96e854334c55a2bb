"""Signals sent to a real twistd: stopping in order, stopping at once, reloading."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from tests.system.programs import Twistd, dial, leave, read_all, read_until
from tests.system.test_command_lines import fetch


def test_sigterm_tells_people_closes_the_door_and_exits_with_0(tmp_path: Path) -> None:
    with Twistd("chat", "--port", "0", cwd=tmp_path) as server:
        port = server.port("chat")
        with dial(port) as bob:
            read_until(bob, b"Nobody else is here.\r\n")
            server.process.send_signal(signal.SIGTERM)
            assert read_all(bob) == b"The server is stopping. Goodbye.\r\n"
        assert server.end() == 0
        with socket.socket() as late:
            assert late.connect_ex(("127.0.0.1", port)) != 0


def test_lines_that_were_sent_before_sigterm_are_in_the_file(tmp_path: Path) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(20_000))
    with Twistd("logfile", "--file", "x.log", "-p", "0", cwd=tmp_path) as server:
        with dial(server.port("logfile")) as sender:
            sender.sendall(lines)
            server.process.send_signal(signal.SIGTERM)
            assert read_all(sender) == b""
        assert server.end() == 0
    assert (tmp_path / "x.log").read_bytes() == lines


def test_peers_that_do_not_end_within_the_grace_are_cut_off(tmp_path: Path) -> None:
    command = ("echo", "--port", "0", "--grace", "0.2")
    with Twistd(*command, cwd=tmp_path) as server, dial(server.port("echo")) as stalled:
        fill(stalled)
        assert server.end(signal.SIGTERM) == 0
        assert "1 connections did not end within 0.2 s and are cut off" in server.output


def test_a_second_sigint_stops_at_once(tmp_path: Path) -> None:
    command = ("echo", "--port", "0", "--grace", "1000")
    with Twistd(*command, cwd=tmp_path) as server, dial(server.port("echo")) as stalled:
        fill(stalled)
        server.process.send_signal(signal.SIGINT)
        server.wait_for(r"received SIGINT, stopping")
        assert server.end(signal.SIGINT) == 0
        assert "received SIGINT again, stopping at once" in server.output


def fill(connection: socket.socket) -> None:
    """Send and never read until the server has taken all that it takes."""
    connection.setblocking(False)
    end = connection.gettimeout()
    assert end == 0
    sent = 0
    while True:
        try:
            sent += connection.send(b"x" * 65536)
        except BlockingIOError:
            connection.settimeout(0.5)
            try:
                sent += connection.send(b"x" * 65536)
            except TimeoutError:
                return
            connection.setblocking(False)


def test_sighup_takes_over_what_can_change_and_names_what_cannot(tmp_path: Path) -> None:
    config = tmp_path / "x.toml"
    config.write_text('[chat]\nport = "0"\nmotd = "old"\n[echo]\nport = "0"\n')
    with Twistd("proto", "--config", "x.toml", cwd=tmp_path) as server:
        port = server.port("chat")
        with dial(port) as before:
            assert b"\r\nold\r\n" in read_until(before, b"Nobody else is here.\r\n")
            leave(before)

        config.write_text('[chat]\nport = "1"\nmotd = "new"\nmax-per-address = 1\n[web]\n')
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(r"\[echo\] comes or goes with a restart only")
        server.wait_for(r"\[web\] comes or goes with a restart only")
        server.wait_for(r"\[chat\] reloaded: max-per-address, motd")
        server.wait_for(r"\[chat\] needs a restart for: port")
        with dial(port) as first:
            assert b"\r\nnew\r\n" in read_until(first, b"Nobody else is here.\r\n")
            with dial(port) as second:
                assert read_all(second) == (
                    b"! 1 connections from your address are open already; close one first\r\n"
                )
            leave(first)

        config.write_text("[chat]\nmotd = 1\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(
            r"the configuration stays as it was: .*x\.toml, line 2: chat\.motd = 1: expected text"
        )
        with dial(port) as person:
            assert b"\r\nnew\r\n" in read_until(person, b"Nobody else is here.\r\n")
        assert server.end(signal.SIGTERM) == 0


def test_sighup_reopens_the_files_that_logrotate_moved(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    config = (
        '[web]\nport = "0"\npath = "static"\nlogfile = "access.log"\n'
        '[logfile]\nport = "0"\nfile = "lines.log"\n'
    )
    (tmp_path / "x.toml").write_text(config)
    with Twistd("proto", "--config", "x.toml", cwd=tmp_path) as server:
        use(server, b"one\n", "/one")
        (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        (tmp_path / "lines.log").rename(tmp_path / "lines.log.1")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(r"received SIGHUP, reloading")
        use(server, b"two\n", "/two")
        assert server.end(signal.SIGTERM) == 0
    assert (tmp_path / "lines.log.1").read_bytes() == b"one\n"
    assert (tmp_path / "lines.log").read_bytes() == b"two\n"
    assert '"GET /one HTTP/1.1" 404 ' in (tmp_path / "access.log.1").read_text()
    assert '"GET /two HTTP/1.1" 404 ' in (tmp_path / "access.log").read_text()


def use(server: Twistd, line: bytes, path: str) -> None:
    """Send a line to the log and a request to the web, and wait for both to be answered."""
    with dial(server.port("logfile")) as sender:
        sender.sendall(line)
        sender.shutdown(socket.SHUT_WR)
        assert read_all(sender) == b""
    assert " 404 " in fetch(server.port("web"), path).splitlines()[0]
