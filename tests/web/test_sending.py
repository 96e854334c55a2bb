from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from proto.metrics import Metrics
from proto.web.sending import CHUNK, TURN
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.support import connect
from tests.web.wire import clock_now, hang_up, read_answer

GET = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"


class Wire(StringTransport):
    """A transport that has enough after `room` bytes, like a socket whose peer reads slowly."""

    room = 1 << 40
    producer: Any

    def write(self, data: bytes) -> None:
        super().write(data)
        self.room -= len(data)
        if self.room <= 0:
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def read(self, room: int) -> None:
        """The peer has read everything, and the socket takes `room` bytes more."""
        self.room = room
        self.producer.resumeProducing()


def descriptors(path: Path) -> list[int]:
    """The descriptors by which this process has the file open."""
    found = []
    for fd in map(int, os.listdir("/proc/self/fd")):
        with suppress(FileNotFoundError):  # the one that listdir had
            if os.readlink(f"/proc/self/fd/{fd}") == str(path):
                found.append(fd)
    return found


class Download:
    """A request for a file of `size` bytes on a wire of its own."""

    def __init__(self, folder: Path, size: int, room: int = 1 << 40) -> None:
        self.path = folder / "big"
        self.contents = os.urandom(size)
        self.path.write_bytes(self.contents)
        self.clock: Clock = clock_now()
        self.metrics = Metrics()
        site = ProtoSite(build_tree(folder, self.clock), self.clock, metrics=self.metrics)
        self.protocol: Protocol
        self.protocol, _ = connect(site)
        self.wire = Wire()
        self.wire.room = room
        self.protocol = site.buildProtocol(self.wire.getPeer())
        self.protocol.makeConnection(self.wire)

    def start(self, request: bytes = GET) -> Download:
        self.protocol.dataReceived(request)
        return self

    @property
    def sent(self) -> bytes:
        return bytes(self.wire.value()).partition(b"\r\n\r\n")[2]

    @property
    def aborted(self) -> int:
        return self.metrics.tally("web_aborted", "").value


@pytest.mark.parametrize("size", [1, CHUNK, CHUNK + 1, TURN - 1])
def test_what_fits_into_a_turn_is_sent_in_one(tmp_path: Path, size: int) -> None:
    download = Download(tmp_path, size).start()
    answer, rest = read_answer(download.wire)
    assert answer.body == download.contents
    assert rest == b""
    assert not descriptors(download.path)


def test_a_transport_that_takes_everything_lets_others_have_their_turn(tmp_path: Path) -> None:
    download = Download(tmp_path, 3 * TURN).start()
    assert len(download.sent) == TURN
    download.clock.advance(0)
    assert download.sent == download.contents
    assert not descriptors(download.path)
    assert download.aborted == 0


def test_a_slow_reader_costs_a_chunk_and_not_the_file(tmp_path: Path) -> None:
    download = Download(tmp_path, 10 * CHUNK, room=1).start()
    for chunks in range(1, 11):
        download.clock.advance(0)
        assert len(download.sent) == chunks * CHUNK
        download.wire.read(1)
    assert download.sent == download.contents
    assert not descriptors(download.path)


def test_a_peer_that_leaves_closes_the_file_and_is_counted(tmp_path: Path) -> None:
    for room in (CHUNK, 1 << 40):  # while paused, and between two turns
        download = Download(tmp_path, 3 * TURN, room).start()
        assert len(descriptors(download.path)) == 1
        hang_up(download.protocol)
        assert not descriptors(download.path)
        assert download.aborted == 1
        before = len(download.sent)
        download.clock.advance(0)
        assert len(download.sent) == before


def test_a_transport_that_dies_stops_the_sending(tmp_path: Path) -> None:
    download = Download(tmp_path, 3 * TURN, CHUNK).start()
    download.wire.producer.stopProducing()
    hang_up(download.protocol)
    assert not descriptors(download.path)


@pytest.mark.parametrize("left", [0, CHUNK, CHUNK + 7])
def test_a_file_that_shrinks_ends_the_connection(tmp_path: Path, left: int) -> None:
    download = Download(tmp_path, 4 * CHUNK, CHUNK).start()
    os.truncate(download.path, left)
    download.wire.read(1 << 40)
    assert download.wire.disconnecting
    assert len(download.sent) == max(CHUNK, left)
    hang_up(download.protocol)
    assert not descriptors(download.path)
    assert download.aborted == 1


def test_a_disk_that_fails_ends_the_connection(tmp_path: Path) -> None:
    download = Download(tmp_path, 4 * CHUNK, CHUNK).start()
    (fd,) = descriptors(download.path)
    unreadable = os.open("/dev/null", os.O_WRONLY)
    os.dup2(unreadable, fd)
    os.close(unreadable)
    download.wire.read(1 << 40)
    assert download.wire.disconnecting
    assert len(download.sent) == CHUNK
    hang_up(download.protocol)


def test_a_file_that_grows_is_sent_as_long_as_promised(tmp_path: Path) -> None:
    download = Download(tmp_path, 4 * CHUNK, CHUNK).start()
    with open(download.path, "ab") as file:
        file.write(b"more")
    download.wire.read(1 << 40)
    assert download.sent == download.contents
    assert not download.wire.disconnecting


def test_a_replaced_file_is_sent_as_it_was(tmp_path: Path) -> None:
    download = Download(tmp_path, 4 * CHUNK, CHUNK).start()
    (tmp_path / "new").write_bytes(b"n" * 4 * CHUNK)
    (tmp_path / "new").replace(download.path)
    download.wire.read(1 << 40)
    assert download.sent == download.contents


def test_a_part_of_a_large_file_is_sent_alone(tmp_path: Path) -> None:
    ask = GET.replace(b"\r\n\r\n", b"\r\nRange: bytes=70000-200000\r\n\r\n")
    download = Download(tmp_path, 4 * CHUNK).start(ask)
    assert download.sent == download.contents[70000:200001]


def test_large_parts_are_sent_in_order(tmp_path: Path) -> None:
    ask = GET.replace(b"\r\n\r\n", b"\r\nRange: bytes=0-99999,-100000\r\n\r\n")
    download = Download(tmp_path, 4 * CHUNK).start(ask)
    first = download.sent.index(download.contents[:100000])
    assert download.contents[-100000:] in download.sent[first + 100000 :]
    assert download.sent.endswith(b"--\r\n")


def test_the_next_request_waits_for_the_file(tmp_path: Path) -> None:
    download = Download(tmp_path, 2 * CHUNK, CHUNK).start(GET + GET)
    download.wire.read(1 << 40)
    first, rest = read_answer(download.wire)
    assert first.body == download.contents
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest.endswith(download.contents)
