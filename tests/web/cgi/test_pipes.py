from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from proto.web.cgi.pipes import AT_ONCE, NotRead, Sink, Source
from tests.web.cgi.turns import Turns


@dataclass
class Pipe:
    """A pipe of which the test has both ends."""

    reading: int
    writing: int

    def close_reading(self) -> None:
        os.close(self.reading)
        self.reading = -1

    def close_writing(self) -> None:
        os.close(self.writing)
        self.writing = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    yield made
    for fd in (made.reading, made.writing):
        if fd >= 0:
            os.close(fd)


def source(pipe: Pipe, turns: Turns) -> Source:
    return Source(os.fdopen(os.dup(pipe.reading), "rb", 0), turns)


def sink(pipe: Pipe, turns: Turns) -> Sink:
    return Sink(os.fdopen(os.dup(pipe.writing), "wb", 0), turns)


def read(it: Source) -> Deferred[bytes]:
    return Deferred.fromCoroutine(it.read())


def result(turns: Turns, waiting: Deferred[bytes]) -> bytes:
    turns.until(lambda: waiting.called)
    return waiting.result  # type: ignore[return-value]


def test_a_pipe_is_looked_at_only_while_somebody_wants_bytes(pipe: Pipe) -> None:
    turns = Turns()
    it = source(pipe, turns)
    os.write(pipe.writing, b"x" * (AT_ONCE - 1))
    assert not turns.readers
    waiting = read(it)
    assert turns.readers == {it}
    assert len(result(turns, waiting)) == AT_ONCE - 1
    assert not turns.readers
    it.close()


def test_the_end_is_told_as_often_as_it_is_asked_for(pipe: Pipe) -> None:
    turns = Turns()
    it = source(pipe, turns)
    os.write(pipe.writing, b"last")
    pipe.close_writing()
    assert [result(turns, read(it)) for _ in range(3)] == [b"last", b"", b""]
    assert it.is_over
    it.close()


def test_a_reactor_may_tell_the_end_by_itself(pipe: Pipe) -> None:
    turns = Turns()
    it = source(pipe, turns)
    waiting = read(it)
    it.connectionLost(Failure(ConnectionDone()))
    assert waiting.result == b""
    assert it.is_over
    assert not turns.readers
    it.close()


def test_closing_is_the_end_for_who_waits(pipe: Pipe) -> None:
    turns = Turns()
    it = source(pipe, turns)
    waiting = read(it)
    it.close()
    assert waiting.result == b""
    assert not turns.readers
    assert it.fileno() == -1
    it.close()
    assert it.rest() == b""


def test_what_is_there_can_be_taken_at_once(pipe: Pipe) -> None:
    it = source(pipe, Turns())
    assert it.rest() == b""
    os.write(pipe.writing, b"now")
    assert it.rest() == b"now"
    it.close()


def test_one_reads(pipe: Pipe) -> None:
    turns = Turns()
    it = source(pipe, turns)
    first, second = read(it), read(it)
    failures: list[Failure] = []
    second.addErrback(failures.append)
    assert failures[0].check(RuntimeError)
    first.cancel()
    first.addErrback(lambda failure: failure.trap(CancelledError))
    assert not turns.readers
    os.write(pipe.writing, b"x")
    assert result(turns, read(it)) == b"x"
    it.close()


def test_who_writes_more_than_is_taken_waits(pipe: Pipe) -> None:
    turns = Turns()
    it = sink(pipe, turns)
    data = bytes(range(256)) * 1024
    writing = Deferred.fromCoroutine(it.write(data))
    assert not writing.called
    assert turns.writers == {it}
    taken = b""
    while len(taken) < len(data):
        turns.turn()
        taken += os.read(pipe.reading, AT_ONCE)
    assert taken == data
    turns.until(lambda: writing.called)
    assert not turns.writers
    it.close()
    pipe.close_writing()
    assert os.read(pipe.reading, 1) == b""


def failure_of(writing: Deferred[None]) -> Failure:
    failures: list[Failure] = []
    writing.addErrback(failures.append)
    return failures[0]


def test_a_reader_that_is_gone_is_told_to_who_writes(pipe: Pipe) -> None:
    turns = Turns()
    it = sink(pipe, turns)
    pipe.close_reading()
    assert failure_of(Deferred.fromCoroutine(it.write(b"x"))).check(NotRead)
    assert it.fileno() == -1


def test_a_reader_that_goes_is_told_to_who_waits(pipe: Pipe) -> None:
    turns = Turns()
    it = sink(pipe, turns)
    writing = Deferred.fromCoroutine(it.write(b"x" * 10**6))
    pipe.close_reading()
    turns.until(lambda: writing.called)
    assert failure_of(writing).check(NotRead)
    other = sink(pipe, turns)
    other.connectionLost(Failure(ConnectionDone()))
    assert failure_of(Deferred.fromCoroutine(other.write(b"x"))).check(NotRead)
