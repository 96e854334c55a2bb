"""Random bytes against each service as it runs: it lives on, logs no traceback, stays small.

`make fuzz` gives each protocol a minute; the gate gives it a few seconds.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.system.programs import Twistd, dial, read_until
from tests.system.test_chat_clients import memory
from tests.system.test_command_lines import fetch

SECONDS: Final = float(os.environ.get("PROTO_FUZZ_SECONDS", "2"))
GROWTH: Final = 32 * 2 * 1024 * 1024
"""Bytes that a server may grow while it is attacked: 16 peers, and as many again that left without
reading, each with up to 1 MiB that waits for it and one read of the shortest lines."""

TOKENS: Final = [
    *[
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"\r\0",
        b"\xff\xff",
        b"\xff\xfa",
        b"\xff\xf0",
        b"\xff\xfb\x01",
    ],
    *[
        b"\xff\xf4",
        b"\xff\xfd\x06",
        b"\x1b[31m",
        b"\x08\x7f",
        b"\xc3",
        b"\xe2\x80\xae",
        b"\xf0\x9f",
    ],
    *[b"/NAME ", b"/name bob", b"/JOIN x", b"/LEAVE", b"/MSG bob hi", b"/ME ", b"/WHO", b"/HELP "],
    *[b"/ROOMS", b"//", b"/EXIT", b"\x16\x03\x01\x02\x00", b"PROXY TCP4 1.2.3.4 ", b"!"],
    *[b"GET / HTTP/1.1\r\n", b"POST /hello/x HTTP/1.1\r\n", b"HEAD /%2e%2e/ HTTP/1.0\r\n"],
    *[b"Host: x\r\n", b"Host:\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n"],
    *[b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"\r\n\r\n"],
    *[b"Range: bytes=0-0,1-1\r\n", b"Range: bytes=-99999999999\r\n", b"If-None-Match: *\r\n"],
    *[b"Expect: 100-continue\r\n", b": \r\n", b" folded\r\n", b"GET /\xff%zz%00 HTTP/1.1\r\n"],
]


def noise(source: random.Random) -> bytes:
    """Up to 64 KiB that are partly the protocols' own words."""
    pieces: list[bytes] = []
    for _ in range(source.randrange(1, 40)):
        kind = source.random()
        if kind < 0.6:
            pieces.append(source.choice(TOKENS))
        elif kind < 0.9:
            pieces.append(source.randbytes(source.randrange(1, 40)))
        else:
            pieces.append(bytes([source.randrange(256)]) * source.randrange(1, 40_000))
    return b"".join(pieces)[:65536]


def attack(port: int, source: random.Random, seconds: float) -> int:
    """Throw noise at the port over up to 16 connections at once; returns how many were made."""
    connections: list[socket.socket] = []
    made = 0
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if len(connections) < 16 and source.random() < 0.5:
                connections.append(socket.create_connection(("127.0.0.1", port), 10))
                connections[-1].setblocking(False)
                made += 1
            if not connections:
                continue
            chosen = source.choice(connections)
            try:
                chosen.send(noise(source))
                if source.random() < 0.7:
                    chosen.recv(1 << 20)
                over = source.random() < 0.1
                if over and source.random() < 0.5:
                    chosen.shutdown(socket.SHUT_WR)
            except BlockingIOError:
                over = source.random() < 0.02
            except OSError:
                over = True
            if over:
                connections.remove(chosen)
                chosen.close()
    finally:
        for connection in connections:
            connection.close()
    return made


def echo_works(port: int) -> None:
    """A witness uses echo."""
    with dial(port) as witness:
        witness.sendall(b"still here?")
        assert read_until(witness, b"?") == b"still here?"


def chat_works(port: int) -> None:
    """Two witnesses talk."""
    with dial(port) as ann, dial(port) as bob:
        read_until(ann, b"You are ")
        read_until(bob, b"You are ")
        ann.sendall(b"/JOIN witness-room\nstill here?\n")
        read_until(ann, b" says still here?\r\n")


def web_works(port: int) -> None:
    """A witness asks for a page."""
    assert fetch(port, "/hello/witness").startswith("HTTP/1.1 200 OK\r\n")


def logfile_works(port: int) -> None:
    """A witness sends a line."""
    with dial(port) as witness:
        witness.sendall(b"still here?\n")
        witness.shutdown(socket.SHUT_WR)
        assert witness.recv(1) == b""


SERVICES: Final[dict[str, tuple[list[str], Callable[[int], None]]]] = {
    "echo": (["echo"], echo_works),
    "chat": (
        ["chat", "--max-per-minute", "0", "--max-per-address", "0", "--flood-rate", "0"],
        chat_works,
    ),
    "web": (["web", "--path", "static", "--keep-alive", "5"], web_works),
    "logfile": (["logfile", "--file", "fuzz.log"], logfile_works),
}
SMALL: Final = ["quote", "greeting", "reverse", "reverse-lines", "discard", "daytime", "chargen"]


@pytest.mark.parametrize("service", SERVICES)
def test_random_bytes_harm_nobody(service: str, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "index.html").write_text("<p>page</p>")
    arguments, works = SERVICES[service]
    seed = random.randrange(1 << 32)
    with Twistd(*arguments, "--port", "0", cwd=tmp_path) as server:
        port = server.port(service)
        works(port)
        attack(port, random.Random(seed), 0.5)  # caches and pools have filled after this
        before = memory(server)
        made = attack(port, random.Random(seed + 1), SECONDS)
        works(port)
        grown = memory(server) - before
        assert server.end(signal.SIGTERM) == 0, f"seed {seed}"
        print(f"{service}: seed {seed}, {made} connections, {grown // 1024} KiB grown")  # noqa: T201
        assert "Traceback" not in server.output, f"seed {seed}"
        assert "went wrong" not in server.output, f"seed {seed}"
        assert grown < GROWTH, f"seed {seed}"
        assert made > 5


@pytest.mark.parametrize("name", SMALL)
def test_random_bytes_harm_no_small_service(name: str, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    with Twistd("echo", "--service", name, "--port", "0", cwd=tmp_path) as server:
        port = server.port("echo")
        made = attack(port, random.Random(seed), SECONDS / 4)
        assert server.end(signal.SIGTERM) == 0, f"seed {seed}"
        assert not re.search("Traceback|Unhandled", server.output), f"seed {seed}"
        assert made > 5
