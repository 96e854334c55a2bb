"""How long a real server waits for slow, silent and deaf peers, and that nobody else waits."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.system.programs import Twistd, dial, read_all, read_until
from tests.web.refused import get

BIG: Final = 64 * 1024 * 1024
NEXT: Final = get(b"Connection: close\r\n", target=b"/page.txt")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "page.txt").write_bytes(b"hello, world")
    with (folder / "big").open("wb") as big:
        os.truncate(big.fileno(), BIG)
    options = ["--interface", "127.0.0.1", "--port", "0", "--path", str(folder)]
    options += ["--head-timeout", "0.5", "--stall-timeout", "1", "--body-rate", "1000000"]
    options += ["--keep-alive", "1", "--max-per-minute", "0"]
    with Twistd("web", *options, cwd=Path(folder)) as server:
        yield server
        assert "Traceback" not in server.output


@pytest.fixture
def port(server: Twistd) -> int:
    return server.port("web")


def others_are_served(port: int) -> bool:
    with dial(port) as other:
        other.sendall(NEXT)
        return read_all(other).endswith(b"\r\n\r\nhello, world")


def send_all_it_takes(connection: socket.socket, data: bytes) -> int:
    """Send this again and again until nobody takes it any more; how many bytes that were."""
    sent = 0
    with suppress(TimeoutError, ConnectionError):
        while sent < 1 << 30:
            sent += connection.send(data)
    return sent


def test_a_slow_head_is_refused_and_nobody_else_waits(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(50)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
    assert others_are_served(port)
    for connection in slow:
        with connection:
            said = read_all(connection)
            assert said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert b"\r\nConnection: close\r\n" in said


def test_a_silent_connection_is_closed_without_a_word(port: int) -> None:
    with dial(port) as connection:
        assert read_all(connection) == b""


def test_a_reader_that_stalls_is_cut_off_and_nobody_else_waits(port: int, server: Twistd) -> None:
    before = len(server.output)
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.settimeout(30)
        stalled.connect(("127.0.0.1", port))
        stalled.sendall(get(b"", target=b"/big"))
        read_until(stalled, b"\r\n\r\n")
        assert others_are_served(port)
        server.wait_for(r'"GET /big HTTP/1.1" 200 \d+', after=before)
        with pytest.raises(ConnectionResetError):
            read_all(stalled)


def test_a_peer_that_leaves_in_the_middle_of_a_body_harms_nobody(port: int) -> None:
    for _ in range(50):
        with dial(port) as leaving:
            leaving.sendall(get(b"Content-Length: 1000000\r\n", b"POST") + b"x" * 100_000)
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert others_are_served(port)


def test_who_asks_much_and_reads_nothing_is_heard_no_more(port: int) -> None:
    with dial(port) as deaf:
        deaf.settimeout(0.5)
        sent = send_all_it_takes(deaf, get(b"", target=b"/page.txt") * 1000)
        assert others_are_served(port)
    assert sent < 1 << 27
