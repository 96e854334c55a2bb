"""The chat in C, which is the limit that the others are compared to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from benchmarks import gcc
from benchmarks.commands import PEERS, in_c
from benchmarks.servers import Server
from tests.system.programs import dial, read_all, read_until

SOURCE: Final = PEERS / "chat_c" / "chat.c"
MOST_WAITING: Final = 8 << 20
"""Bytes that the server keeps for one client, as its source says."""
BLOCKS: Final = 512
"""Of 64 KiB: four times what it keeps; the kernel keeps less than as much again."""
BLOCK: Final = b"".join(b"#%03d".ljust(4094, b".") % at + b"\r\n" for at in range(16))
SAYS: Final = b"127.0.0.1 says "

both_forms = pytest.mark.parametrize("options", [(), ("-each",)])


@contextmanager
def chat(folder: Path, *options: str) -> Iterator[Server]:
    command = in_c("chat_c/chat.c", *options)
    assert not isinstance(command, str), command
    with Server(command, folder) as server:
        server.wait_until_it_listens()
        yield server


@contextmanager
def client(server: Server) -> Iterator[socket.socket]:
    with dial(server.port) as connection:
        assert read_until(connection, b"\n") == b"Welcome to the party!\r\n"
        yield connection


def test_the_compiler_warns_of_nothing(tmp_path: Path) -> None:
    gcc.build(SOURCE, tmp_path / "chat", "-Wall", "-Wextra", "-Werror")


@both_forms
def test_everybody_hears_every_line_the_speaker_too(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with chat(tmp_path, *options) as server, client(server) as one, client(server) as other:
        one.sendall(b"a\r\nb\n\nbeg")
        heard = b"".join(SAYS + line + b"\r\n" for line in (b"a", b"b", b""))
        for each in (one, other):
            assert read_until(each, b"says \r\n") == heard
        one.sendall(b"un\r\n")
        for each in (one, other):
            assert read_until(each, b"un\r\n") == SAYS + b"begun\r\n"
        other.close()
        one.sendall(b"alone\n")
        assert read_until(one, b"alone\r\n") == SAYS + b"alone\r\n"


@both_forms
def test_who_reads_nothing_is_dropped_and_nobody_else_waits(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    heard = b"".join(SAYS + line + b"\r\n" for line in BLOCK.splitlines())
    with (
        chat(tmp_path, *options) as server,
        client(server) as speaker,
        client(server) as reader,
        client(server) as stalled,
    ):
        for _ in range(BLOCKS):
            speaker.sendall(BLOCK)
            for each in (speaker, reader):
                assert read_exactly(each, len(heard)) == heard
        assert server.memory() < 4 * MOST_WAITING
        assert len(read_all(stalled)) < BLOCKS * len(heard) - MOST_WAITING


@both_forms
def test_who_reads_late_hears_everything_in_its_order(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with chat(tmp_path, *options) as server, client(server) as speaker, client(server) as late:
        expected = bytearray()  # more than the kernel keeps
        for at in range(1800):
            line = b"%06d" % at + b"." * 4090 + b"\r\n"
            speaker.sendall(line)
            expected += SAYS + line
            assert read_exactly(speaker, len(SAYS + line)) == SAYS + line
        assert read_exactly(late, len(expected)) == expected


def test_who_never_ends_a_line_is_dropped(tmp_path: Path) -> None:
    with chat(tmp_path) as server, client(server) as endless, client(server) as other:
        endless.sendall(b"." * 65_537)
        assert read_all(endless) == b""
        other.sendall(b"still here\n")
        assert read_until(other, b"\n") == SAYS + b"still here\r\n"


def read_exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = connection.recv(min(1 << 18, size - len(data)))
        assert chunk, f"it ended after {len(data)} of {size} bytes"
        data += chunk
    return bytes(data)
