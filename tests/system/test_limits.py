"""The shared limits on a real twistd, met by real connections."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

from tests.system.programs import Twistd, dial, leave, program, read_all, read_until


def test_a_full_server_says_so_and_takes_the_next_when_somebody_left(tmp_path: Path) -> None:
    with Twistd("chat", "-p", "0", "--max-connections", "2", cwd=tmp_path) as server:
        port = server.port("chat")
        with dial(port) as bob:
            read_until(bob, b"You are ")
            with dial(port) as eve:
                read_until(eve, b"You are ")
                with dial(port) as late:
                    told = read_all(late)
                assert told == b"! the server is full (2 connections); try again later\r\n"
                leave(eve)
            read_until(bob, b"disconnected.\r\n")
            with dial(port) as next_one:
                read_until(next_one, b"You are ")


def test_one_address_may_not_open_more_than_its_share(tmp_path: Path) -> None:
    with Twistd("web", "-p", "0", "--max-per-address", "1", cwd=tmp_path) as server:
        port = server.port("web")
        with dial(port) as first:
            first.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_until(first, b"}").startswith(b"HTTP/1.1 200 OK\r\n")
            with dial(port) as second:
                answer = read_all(second)
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nRetry-After: " in answer
            assert answer.endswith(
                b"1 connections from your address are open already; close one first\n"
            )


def test_newcomers_above_the_rate_of_an_address_are_told_when_to_come_back(
    tmp_path: Path,
) -> None:
    with Twistd("chat", "-p", "0", "--max-per-minute", "2", cwd=tmp_path) as server:
        port = server.port("chat")
        for _ in range(2):
            with dial(port) as person:
                read_until(person, b"is here.\r\n")
        with dial(port) as person:
            told = read_all(person)
        assert told.startswith(
            b"! more than 2 new connections a minute from your address; try again in "
        )


def test_a_silent_peer_is_hung_up_on_and_one_that_talks_is_not(tmp_path: Path) -> None:
    with Twistd("echo", "-p", "0", "--idle", "0.4", cwd=tmp_path) as server:
        port = server.port("echo")
        with dial(port) as silent, dial(port) as talking:
            talking.settimeout(0.1)
            heard = b""
            while "hung up" not in server.output:
                talking.sendall(b".")
                heard += talking.recv(100)
            assert heard
            assert read_all(silent) == b""
            talking.sendall(b"!")
            assert b"!" in talking.recv(100)


def test_running_out_of_descriptors_makes_newcomers_wait_and_nobody_is_lost(
    tmp_path: Path,
) -> None:
    prefix = (program("prlimit", "util-linux"), "--nofile=96:96")
    with Twistd("echo", "-p", "0", cwd=tmp_path, prefix=prefix) as server, ExitStack() as stack:
        port = server.port("echo")
        clients = [stack.enter_context(dial(port)) for _ in range(120)]
        for client in clients:
            client.sendall(b"x")
        served = set()
        server.wait_for(r"almost out of file descriptors \(ulimit -n\), \d+ connections open")
        for number, client in enumerate(clients):
            assert client.recv(1) == b"x", number
            served.add(number)
            client.close()
        assert len(served) == 120
        assert "EMFILE" not in server.output
        assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in server.output
