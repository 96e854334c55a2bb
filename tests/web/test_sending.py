from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.metrics import Metrics
from proto.web.aside import Aside
from proto.web.files import Opened
from proto.web.ranges import Span, length_of
from proto.web.reading import CHUNK
from proto.web.request import WebRequest
from proto.web.response import Response
from proto.web.sending import TURN, send_file
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.support import connect
from tests.web.threads import Held, Threads
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
        tree = build_tree(folder, self.clock)
        # What may be repeated is read in one go, and here is how all the rest is sent.
        site = ProtoSite(tree, self.clock, metrics=self.metrics, repeat_seconds=0)
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


# Disks that make wait

PROC = b"/proc/version"  # a file of which the kernel cannot say whether it is in memory


class Waiting(Resource):
    """Sends a file that is read aside, after some bytes that are in memory."""

    isLeaf = True

    def __init__(self, aside: Aside, length: int) -> None:
        super().__init__()
        self.aside = aside
        self.length = length
        self.file = Opened(os.open(PROC, os.O_RDONLY))

    def render(self, request: WebRequest) -> int:
        pieces = (b"before ", Span(0, self.length), b" after")
        request.begin(Response(200), length_of(pieces))
        send_file(request, self.file, pieces, request.owner.clock, self.aside, b"")
        return NOT_DONE_YET


def version() -> bytes:
    with open(PROC, "rb") as file:
        return file.read()


def ask_for(resource: Resource) -> tuple[Protocol, StringTransport]:
    protocol, wire = connect(ProtoSite(resource, clock_now()))
    protocol.dataReceived(GET)
    return protocol, wire


def test_what_is_not_in_memory_is_read_in_a_thread_and_sent_in_its_place() -> None:
    threads = Threads()
    resource = Waiting(threads.aside, len(version()))
    protocol, wire = ask_for(resource)
    assert wire.value().endswith(b"before ")
    threads.until(lambda: resource.file.fd < 0)
    assert wire.value().endswith(b"before " + version() + b" after")
    hang_up(protocol)
    threads.aside.stop()


def test_a_peer_that_leaves_while_the_disk_hangs_leaves_the_file_to_the_thread() -> None:
    threads, held = Threads(size=1, share=1), Held()
    stuck = threads.aside.run(b"", held)
    resource = Waiting(threads.aside, len(version()))
    protocol, wire = ask_for(resource)
    hang_up(protocol)
    assert resource.file.fd >= 0  # a thread may be reading it
    held.let_go()
    threads.until(lambda: resource.file.fd < 0)
    assert wire.value().endswith(b"before ")
    assert stuck.called
    threads.aside.stop()


def test_a_file_that_is_shorter_than_it_was_ends_the_connection_from_a_thread_too() -> None:
    threads = Threads()
    resource = Waiting(threads.aside, len(version()) + 1)
    protocol, wire = ask_for(resource)
    threads.until(lambda: wire.disconnecting)
    hang_up(protocol)
    threads.until(lambda: resource.file.fd < 0)
    threads.aside.stop()


def test_a_disk_that_is_asked_too_much_ends_the_answer() -> None:
    threads = Threads()
    threads.aside.stop()
    resource = Waiting(threads.aside, len(version()))
    protocol, wire = ask_for(resource)
    assert wire.disconnecting
    hang_up(protocol)
    assert resource.file.fd < 0


def test_so_many_files_are_open_for_slow_peers_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (CHUNK + 1))
    (tmp_path / "small").write_bytes(b"x")
    clock = clock_now()
    site = ProtoSite(build_tree(tmp_path, clock), clock, open_files=4)

    def asks(path: str, host: str) -> tuple[Protocol, StringTransport]:
        wire = Wire(peerAddress=IPv4Address("TCP", host, 4242))
        wire.room = 1
        protocol = cast(Protocol, site.buildProtocol(wire.getPeer()))
        protocol.makeConnection(wire)
        protocol.dataReceived(f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return protocol, wire

    slow = [asks("big", "192.0.2.1") for _ in range(2)]
    assert site.open_files.all == 2
    protocol, wire = asks("big", "192.0.2.1")
    assert wire.value().startswith(b"HTTP/1.1 503 ")
    hang_up(protocol)
    slow += [asks("small", "192.0.2.1"), asks("big", "192.0.2.2")]
    for protocol, wire in slow:
        assert wire.value().startswith(b"HTTP/1.1 200 ")
        hang_up(protocol)
    assert site.open_files.all == 0
    assert not descriptors(tmp_path / "big")
