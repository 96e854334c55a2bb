"""Clients who are written to together, and that it is no more than a fast way to one by one."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.task import Clock

from proto.chat.abreast import Abreast
from proto.chat.outgoing import SLICE, Budget, Outgoing
from proto.metrics import Tally
from tests.chat.doubles import FullTransport


class Reader:
    """A client's outgoing side, which is given things as an audience does it."""

    def __init__(self, abreast: Abreast | None, sent: Tally) -> None:
        self.wire, self.told, self.awake = FullTransport(), list[str](), list[Outgoing]()
        self.clock = Clock()
        self.out = Outgoing(self.wire, self, Budget(), self.clock, self.awake.append, sent)
        self.abreast = abreast
        self.together = False

    def flushed(self) -> None:
        self.told.append("flushed")

    def crowded(self) -> None:
        self.told.append("crowded")

    def dropped(self, reason: str) -> None:
        self.told.append(reason)

    def back(self) -> None:
        self.together = False

    def admit(self) -> bool:
        if self.abreast is not None and not self.together:
            self.together = self.abreast.admit(self, self.back)
        return self.together

    def turn(self) -> None:
        awake, self.awake[:] = list(self.awake), []
        for out in awake:
            out.flush()

    @property
    def state(self) -> tuple[object, ...]:
        out = self.out
        return self.wire.value(), self.told, out.seen, out.waiting, out.gone, self.wire.disconnected


class Hall:
    """Some who are together."""

    def __init__(self, count: int) -> None:
        self.sent = Tally()
        self.abreast = Abreast(self.sent)
        self.readers = [Reader(self.abreast, self.sent) for _ in range(count)]
        assert all(reader.admit() for reader in self.readers)


def test_everybody_is_given_the_same_and_it_is_counted_and_seen() -> None:
    hall = Hall(3)
    hall.abreast.give(b"four", 7)
    assert [reader.wire.value() for reader in hall.readers] == [b"four"] * 3
    assert ([reader.out.seen for reader in hall.readers], hall.sent.value) == ([7, 7, 7], 12)


def test_who_is_sent_something_alone_steps_out_and_keeps_what_they_saw() -> None:
    hall = Hall(2)
    first, second = hall.readers
    hall.abreast.give(b"a", 7)
    first.out.send(b"b")
    assert (first.together, second.together, first.out.seen) == (False, True, 7)
    hall.abreast.give(b"c", 8)
    assert (first.wire.value(), first.out.seen, first.admit()) == (b"a", 7, False)
    first.turn()
    assert (first.wire.value(), first.out.seen, first.admit()) == (b"ab", 7, True)


def test_who_is_full_steps_out_and_has_not_seen_what_filled_them() -> None:
    hall = Hall(2)
    first, second = hall.readers
    first.wire.write(b"x" * SLICE)
    hall.abreast.give(b"a", 7)
    assert (first.together, first.out.seen) == (False, 0)
    assert (second.together, second.out.seen) == (True, 7)
    hall.abreast.give(b"b", 8)
    assert first.wire.drain() == b"x" * SLICE + b"a"
    assert (first.out.seen, first.admit()) == (7, True)


def test_who_is_gone_is_not_admitted_and_steps_out() -> None:
    hall = Hall(2)
    first, second = hall.readers
    first.out.lost()
    second.out.hang_up()
    second.turn()
    hall.abreast.give(b"a", 7)
    for reader in hall.readers:
        assert (reader.together, reader.wire.value(), reader.admit()) == (False, b"", False)


def test_in_another_room_what_was_seen_here_does_not_count() -> None:
    hall = Hall(1)
    (reader,) = hall.readers
    hall.abreast.give(b"old room", 900)
    reader.out.begin(4, 7)
    assert (reader.together, reader.out.seen) == (False, 4)
    hall.abreast.give(b"more", 901)
    assert (reader.out.seen, reader.wire.value()) == (4, b"old room")


class AsByThemselves(RuleBasedStateMachine):
    """Whatever happens, everything is as if each was given everything alone."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.sent_alone = Tally(), Tally()
        self.abreast = Abreast(self.sent)
        self.readers = [Reader(self.abreast, self.sent) for _ in range(3)]
        self.alone = [Reader(None, self.sent_alone) for _ in range(3)]
        self.newest = 0

    @rule(size=st.sampled_from([1, 9, 30_000, SLICE + 1]), lines=st.integers(0, 2))
    def give(self, size: int, lines: int) -> None:
        self.newest += lines
        data = b"x" * size
        apart = [reader for reader in self.readers if not reader.together]
        self.abreast.give(data, self.newest)
        for reader in apart:
            reader.out.take(data, self.newest)
            reader.admit()
        for reader in self.alone:
            reader.out.take(data, self.newest)

    @rule(which=st.integers(0, 2), size=st.sampled_from([1, 9, 30_000]))
    def send(self, which: int, size: int) -> None:
        for readers in (self.readers, self.alone):
            readers[which].out.send(b"y" * size)

    @rule(which=st.integers(0, 2), act=st.sampled_from(["hang_up", "step_out", "expect_end"]))
    def end(self, which: int, act: str) -> None:
        for readers in (self.readers, self.alone):
            getattr(readers[which].out, act)()

    @rule(which=st.integers(0, 2), seconds=st.sampled_from([1, 31]))
    def wait(self, which: int, seconds: int) -> None:
        for readers in (self.readers, self.alone):
            readers[which].clock.advance(seconds)

    @rule(which=st.integers(0, 2))
    def drain(self, which: int) -> None:
        assert self.readers[which].wire.drain() == self.alone[which].wire.drain()

    @rule()
    def turn(self) -> None:
        for reader in self.readers + self.alone:
            reader.turn()

    @invariant()
    def it_is_the_same(self) -> None:
        assert [reader.state for reader in self.readers] == [each.state for each in self.alone]
        assert self.sent.value == self.sent_alone.value


TestAsByThemselves = AsByThemselves.TestCase
TestAsByThemselves.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
