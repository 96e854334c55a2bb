from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from proto.reactor.backlog import FILE_AT_ONCE, Backlog, FileTooShort, Portion

BIG = bytes(range(256)) * 8192
"""More than a socket takes at once."""

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A socket that is sent on, and the one that reads."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with near, far:
        yield near, far


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    """A file with BIG in it."""
    path = tmp_path / "file"
    path.write_bytes(BIG)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def portion(descriptor: int, offset: int, count: int) -> Portion:
    return Portion(descriptor, offset, count, Deferred())


def drain(backlog: Backlog, ends: Ends) -> bytes:
    """Send everything and read it; what is finished is told."""
    near, far = ends
    got = bytearray()
    while True:
        finished = backlog.send(near)
        if finished is not None:
            finished.tell()
        try:
            got += far.recv(1 << 20)
        except BlockingIOError:
            if backlog.empty:
                return bytes(got)


def test_pieces_leave_in_order_and_are_counted(ends: Ends) -> None:
    backlog = Backlog(b"one", memoryview(b" two"))
    backlog.append(b" three")
    assert (backlog.unsent, backlog.empty) == (13, False)
    assert drain(backlog, ends) == b"one two three"
    assert (backlog.unsent, backlog.empty) == (0, True)


def test_what_the_kernel_does_not_take_stays(ends: Ends) -> None:
    backlog = Backlog(BIG, b"the end")
    backlog.send(ends[0])
    left = backlog.unsent
    assert 0 < left < len(BIG) + 7
    backlog.send(ends[0])
    assert backlog.unsent == left, "the socket is full"
    assert drain(backlog, ends) == BIG + b"the end"


def test_more_pieces_than_one_call_takes_all_leave(ends: Ends) -> None:
    pieces = [b"%d," % number for number in range(3000)]
    backlog = Backlog(*pieces)
    assert drain(backlog, ends) == b"".join(pieces)


def test_many_small_pieces_leave_in_one_turn_and_endlessly_many_do_not(ends: Ends) -> None:
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
    few, many = Backlog(*[b"x"] * 2000), Backlog(*[b"x"] * 20_000)
    few.send(ends[0])
    assert few.empty
    many.send(ends[0])
    assert 0 < many.unsent < 20_000


def test_a_broken_connection_raises(ends: Ends) -> None:
    ends[1].close()
    with pytest.raises(BrokenPipeError):
        Backlog(b"x").send(ends[0])


def test_a_file_stands_in_line_with_the_bytes(ends: Ends, file: int) -> None:
    backlog = Backlog(b"before ")
    part = portion(file, 65, 26)
    told: list[int] = []
    part.deferred.addCallback(told.append)
    backlog.append_file(part)
    backlog.append(b" after")
    assert backlog.unsent == 13
    assert drain(backlog, ends) == b"before " + BIG[65:91] + b" after"
    assert told == [26]


def test_a_long_file_leaves_in_portions(ends: Ends, file: int) -> None:
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
    backlog = Backlog()
    backlog.append_file(portion(file, 0, len(BIG)))
    assert backlog.send(ends[0]) is None
    got = b""
    while True:
        try:
            got += ends[1].recv(1 << 20)
        except BlockingIOError:
            break
    assert 0 < len(got) <= FILE_AT_ONCE
    assert got + drain(backlog, ends) == BIG


def test_nothing_of_a_file_is_sent_at_once(ends: Ends, file: int) -> None:
    part = portion(file, 10, 0)
    told: list[int] = []
    part.deferred.addCallback(told.append)
    backlog = Backlog()
    backlog.append_file(part)
    assert drain(backlog, ends) == b""
    assert told == [0]


def test_a_file_that_ends_early_is_a_failure_that_says_how_much_was_sent(
    ends: Ends, file: int
) -> None:
    part = portion(file, len(BIG) - 5, 8)
    problems: list[int] = []

    def told(failure: Failure) -> None:
        failure.trap(FileTooShort)
        assert isinstance(failure.value, FileTooShort)
        problems.append(failure.value.sent)

    part.deferred.addErrback(told)
    backlog = Backlog()
    backlog.append_file(part)
    assert drain(backlog, ends) == BIG[-5:]
    assert problems == [5]


def test_a_file_that_cannot_be_read_is_a_failure_of_its_own(ends: Ends, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    part = portion(descriptor, 0, 8)
    problems: list[object] = []
    part.deferred.addErrback(lambda failure: problems.append(failure.check(OSError)))
    backlog = Backlog()
    backlog.append_file(part)
    backlog.append(b"goes on")
    assert drain(backlog, ends) == b"goes on"
    assert problems == [OSError]
    os.close(descriptor)


def test_a_broken_connection_is_no_failure_of_the_file(ends: Ends, file: int) -> None:
    ends[1].close()
    part = portion(file, 0, 8)
    backlog = Backlog()
    backlog.append_file(part)
    with pytest.raises(BrokenPipeError):
        backlog.send(ends[0])
    assert backlog.portions() == [part]
    assert backlog.empty


def test_a_file_of_which_nothing_was_sent_can_be_taken_back(ends: Ends, file: int) -> None:
    part = portion(file, 0, 8)
    backlog = Backlog(b"a")
    backlog.append_file(part)
    backlog.append(b"b")
    backlog.remove_file(part)
    assert not part.begun
    assert drain(backlog, ends) == b"ab"
