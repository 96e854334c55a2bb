"""The programs in C: what sends lines, what counts them, what writes them, what slows a disk."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import gcc
from benchmarks.commands import PEERS
from benchmarks.load.generator import Followed, Generator, tally, wrong
from benchmarks.load.programs import SOURCES
from benchmarks.load.sockets import LoadFailed
from benchmarks.servers import Server


def receiver(folder: Path, *options: str) -> Server:
    program = gcc.built(PEERS / "logfile_c" / "main.c")
    assert isinstance(program, Path)
    return Server(lambda folder, port: [str(program), str(port), "log.txt", *options], folder)


def line(number: int) -> bytes:
    return b"<13>... lines: seq=%010d and more\n" % number


@pytest.mark.parametrize("connections", [1, 7])
@pytest.mark.parametrize("size", [64, 100, 4097])
@pytest.mark.parametrize("options", [(), ("--chunk", "1000"), ("--sync", "--chunk", "1000000")])
def test_every_line_that_was_sent_is_in_the_file_of_the_receiver_in_c(
    tmp_path: Path, connections: int, size: int, options: tuple[str, ...]
) -> None:
    with receiver(tmp_path, *options) as server:
        server.wait_until_it_listens()
        for first in (1, 3001):
            with Generator(
                server.port, connections=connections, size=size, lines=3000, seconds=20, first=first
            ) as generator:
                sent = generator.result()
            assert (sent.lines, sent.bytes) == (3000, 3000 * size)
        assert Followed(tmp_path / "log.txt").wait_for(6000) > 0
    assert tally(tmp_path / "log.txt", 6000) == ""
    assert {len(each) for each in (tmp_path / "log.txt").read_bytes().splitlines()} == {size - 1}


def test_after_the_time_is_over_no_new_block_is_begun(tmp_path: Path) -> None:
    with receiver(tmp_path, "--discard") as server:
        server.wait_until_it_listens()
        with Generator(
            server.port, connections=2, size=100, lines=10**12, seconds=0.01
        ) as generator:
            assert 0 < generator.result().lines < 10**12
    assert (tmp_path / "log.txt").stat().st_size == 0


@pytest.mark.parametrize(
    ("answer", "trouble"), [(b"what?", "the server answered"), (b"", "the server hung up")]
)
def test_a_server_that_answers_or_hangs_up_is_told(answer: bytes, trouble: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer, suppress(ConnectionError):  # the generator goes when it has seen enough
                peer.recv(1)
                peer.sendall(answer)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            Generator(
                listener.getsockname()[1], connections=1, size=100, lines=10**9, seconds=20
            ) as generator,
            pytest.raises(LoadFailed, match=trouble),
        ):
            generator.result()
        thread.join()


def test_where_nobody_listens_the_reason_is_told() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with (
            Generator(port, connections=1, size=100, lines=1, seconds=1) as generator,
            pytest.raises(LoadFailed, match=r"^connect: Connection refused$"),
        ):
            generator.result()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (line(1) + line(2) + line(3), ""),
        (line(3) + line(1) + b'{"from": "x", "line": "' + line(2)[:-1] + b'"}\n', ""),
        (line(1) + line(3), "lines 2, distinct 2, twice 0, strange 0"),
        (line(1) + line(2) + line(2) + line(3), "lines 4, distinct 3, twice 1, strange 0"),
        (line(1) + line(2) + b"foreign\n" + line(3), "lines 4, distinct 3, twice 0, strange 1"),
        (line(1) + line(2) + line(4), "lines 3, distinct 2, twice 0, strange 1"),
        (line(1) + line(2) + line(3)[:-1], "lines 2, distinct 2, twice 0, strange 1"),
        (line(1) + line(2)[:-4] + line(3), "lines 2, distinct 2, twice 0, strange 0"),
        (line(1) + line(2)[:25] + b"\n" + line(3), "lines 3, distinct 2, twice 0, strange 1"),
        (b"", "lines 0, distinct 0, twice 0, strange 0"),
    ],
)
def test_a_file_is_right_only_if_it_holds_every_line_once(
    tmp_path: Path, content: bytes, found: str
) -> None:
    (tmp_path / "log.txt").write_bytes(content)
    expected = found and f"3 lines were sent; found in the file: {found}"
    assert tally(tmp_path / "log.txt", 3) == expected


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "No such file" in tally(tmp_path / "log.txt", 3)


def test_what_was_counted_is_told_with_its_names() -> None:
    counted = {"lines": 2, "distinct": 1, "twice": 1, "strange": 0}
    assert wrong(counted, 2).endswith("lines 2, distinct 1, twice 1, strange 0")


def test_a_file_is_followed_until_it_holds_enough_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    followed = Followed(path)

    def write() -> None:
        for part in (b"a\nb", b"\n", b"c\n"):
            with path.open("ab") as file:
                file.write(part)

    writer = threading.Thread(target=write)
    writer.start()
    changed = followed.wait_for(3)
    writer.join()
    assert (followed.lines, changed) == (3, path.stat().st_mtime)


def test_one_file_is_slow_and_the_others_are_not(tmp_path: Path) -> None:
    library = gcc.library(SOURCES / "slow_disk.c")
    assert isinstance(library, Path)
    code = """
import os, time
calls = {"write": lambda f: os.write(f, b"x"), "writev": lambda f: os.writev(f, [b"x"]),
         "pwrite": lambda f: os.pwrite(f, b"x", 0), "fsync": os.fsync, "fdatasync": os.fdatasync}
for path in ("slow.txt", "other.txt"):
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    for name, call in calls.items():
        began = time.monotonic()
        call(file)
        if time.monotonic() - began >= 0.3:
            print(path, name)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={
            **os.environ,
            "LD_PRELOAD": str(library),
            "SLOW_FILE": "/slow.txt",
            "SLOW_MICROSECONDS": "300000",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    names = ["write", "writev", "pwrite", "fsync", "fdatasync"]
    assert [each for each in lines if each.startswith("slow")] == [f"slow.txt {n}" for n in names]
