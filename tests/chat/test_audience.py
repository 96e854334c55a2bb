"""The shared audience, and that it is no more than a fast way to deliver one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proto.chat.audience import ENOUGH, GRAIN, REMEMBERED, SharedAudience, SharedForm
from proto.chat.events import Event, Notice, Said
from proto.chat.person import Person
from proto.chat.room import Room
from tests.chat.doubles import stored


def encode(event: Event) -> bytes:
    assert isinstance(event, Notice)
    return event.text.encode()


class Taker:
    """A reader who keeps what they take, piece for piece."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.person = Person()
        self.room: Room | None = None
        self.form = SharedForm(encode, lambda audience: None, lambda clients: None)
        self.congested = False
        self.seen = 0
        self.audience: SharedAudience | None = None
        self.took: list[bytes] = []
        self.when_taking: Callable[[], None] = lambda: None

    def take(self, data: bytes, newest: int) -> None:
        self.took.append(data)
        self.seen = max(self.seen, newest)
        self.when_taking()

    def step_out(self) -> None:
        """They are among no others."""

    def deliver(self, event: Event) -> None:
        """Something of their own, as a client delivers it."""
        if self.audience is not None:
            self.audience.settle(self)
        self.took.append(encode(event))

    def departed(self) -> None:
        raise AssertionError("An audience lets nobody out.")

    @property
    def read(self) -> bytes:
        return b"".join(self.took)


class Hall:
    """An audience with everything around it."""

    def __init__(self, readers: int = 0) -> None:
        self.awake: list[SharedAudience] = []
        self.counted: list[int] = []
        self.form = SharedForm(encode, self.awake.append, self.counted.append)
        self.audience = self.form.audience()
        self.readers = [self.join() for _ in range(readers)]

    def join(self) -> Taker:
        reader = Taker()
        self.audience.add(reader)
        return reader

    def say(self, text: str, *skipped: Taker) -> None:
        self.audience.publish(Notice(text), skipped)

    def turn(self) -> None:
        awake, self.awake[:] = list(self.awake), []
        for audience in awake:
            audience.flush()


def test_a_turn_is_joined_once_and_everyone_takes_the_same_bytes() -> None:
    hall = Hall(3)
    for text in "abc":
        hall.say(text)
    assert [reader.took for reader in hall.readers] == [[], [], []]
    assert len(hall.awake) == 1
    hall.turn()
    first, *others = (reader.took for reader in hall.readers)
    assert first == [b"abc"]
    assert all(len(took) == 1 and took[0] is first[0] for took in others)


def test_an_event_without_bytes_wakes_nobody() -> None:
    hall = Hall(1)
    hall.say("")
    assert (hall.awake, hall.counted) == ([], [])


def test_it_is_counted_to_how_many_an_event_goes() -> None:
    hall = Hall(3)
    hall.say("a")
    hall.say("b", hall.readers[0], Taker())
    assert hall.counted == [3, 2]


def test_what_is_for_one_alone_keeps_its_place() -> None:
    hall = Hall(2)
    first, second = hall.readers
    hall.say("a")
    first.deliver(Notice("1"))
    hall.say("b")
    first.deliver(Notice("2"))
    first.deliver(Notice("3"))
    hall.turn()
    assert (first.read, second.read) == (b"a1b23", b"ab")
    hall.turn()
    assert (first.read, second.read) == (b"a1b23", b"ab")


def test_who_comes_takes_what_follows_and_who_goes_what_came_before() -> None:
    hall = Hall(1)
    (leaver,) = hall.readers
    hall.say("a")
    newcomer = hall.join()
    hall.say("b")
    hall.audience.remove(leaver)
    hall.say("c")
    assert (leaver.read, leaver.audience) == (b"ab", None)
    hall.turn()
    assert (leaver.read, newcomer.read, len(hall.audience)) == (b"ab", b"bc", 1)


def test_who_comes_back_within_the_turn_takes_each_piece_once() -> None:
    hall = Hall(2)
    first, second = hall.readers
    hall.say("a")
    hall.audience.remove(first)
    hall.say("b")
    hall.audience.add(first)
    hall.say("c")
    hall.turn()
    assert (first.read, second.read) == (b"ac", b"abc")


def test_who_is_skipped_misses_that_and_nothing_else() -> None:
    hall = Hall(2)
    first, second = hall.readers
    hall.say("a", first)
    hall.say("b")
    hall.say("c", first)
    hall.say("d", first, second)
    hall.turn()
    hall.say("e")
    hall.turn()
    assert (first.read, second.read) == (b"be", b"abce")


def test_a_long_turn_does_not_wait_for_its_end() -> None:
    hall = Hall(2)
    big = "x" * (ENOUGH // 2)
    hall.say(big)
    assert hall.readers[0].took == []
    hall.say(big)
    assert [len(reader.read) for reader in hall.readers] == [ENOUGH, ENOUGH]
    hall.say("end")
    hall.turn()
    assert all(reader.read.endswith(b"xend") for reader in hall.readers)


def test_nobody_is_given_nothing() -> None:
    hall = Hall(2)
    for _ in range(3):
        hall.say("x" * ENOUGH)
    hall.turn()
    assert [[len(data) for data in reader.took] for reader in hall.readers] == [[ENOUGH] * 3] * 2


def test_a_reader_who_leaves_while_taking_disturbs_nobody() -> None:
    hall = Hall(3)
    first, second, third = hall.readers

    def leave() -> None:
        second.when_taking = lambda: None
        hall.audience.remove(second)
        hall.say("second left")

    second.when_taking = leave
    hall.say("a")
    hall.turn()
    hall.turn()
    assert (first.read, second.read, third.read) == (b"asecond left", b"a", b"asecond left")


@pytest.mark.parametrize("settled", [False, True])
def test_what_was_taken_is_told_by_the_number_of_its_last_line(settled: bool) -> None:
    audience = SharedAudience(lambda event: b"x", lambda audience: None, lambda clients: None)
    reader = Taker()
    audience.add(reader)
    for sequence in (6, 7):
        audience.publish(stored(sequence, Said("bob", "hello")))
    assert reader.seen == 0
    (audience.settle(reader) if settled else audience.flush())
    assert reader.seen == 7


def test_the_line_before_the_last_bytes_is_told_or_an_earlier_one() -> None:
    audience = SharedAudience(lambda event: b"x" * 5000, lambda woken: None, lambda clients: None)
    assert audience.before(0) == audience.before(1) == 0
    for number in range(1, 11):
        audience.publish(stored(number, Said("al", "hi")))
        audience.flush()
    assert [audience.before(size) for size in (1, 5000, 5001, 50_000, 50_001)] == [9, 9, 8, 0, 0]


def test_small_turns_are_told_apart_only_roughly_and_old_ones_are_forgotten() -> None:
    audience = SharedAudience(lambda event: b"x" * 1000, lambda woken: None, lambda clients: None)
    for number in range(1, 20_001):
        audience.publish(stored(number, Said("al", "hi")))
        audience.flush()
    for size in (1, 1000, 10_000, 1_000_000):
        last = 20_000 - -(-size // 1000)
        assert last - 2 * GRAIN // 1000 <= audience.before(size) <= last
    assert audience.before(REMEMBERED + GRAIN) == 0


class AsOneByOne(RuleBasedStateMachine):
    """Whatever happens, everyone has read what they would have been delivered one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.hall = Hall()
        self.present: list[Taker] = []
        self.gone: list[Taker] = []
        self.expected: dict[Taker, bytes] = {}
        self.count = 0

    def text(self) -> str:
        self.count += 1
        return f"<{self.count}>"

    @precondition(lambda self: len(self.present) < 6)
    @rule()
    def join(self) -> None:
        reader = self.hall.join()
        self.present.append(reader)
        self.expected[reader] = b""

    @precondition(lambda self: self.gone and len(self.present) < 6)
    @rule(which=st.integers(0, 9))
    def come_back(self, which: int) -> None:
        reader = self.gone.pop(which % len(self.gone))
        self.hall.audience.add(reader)
        self.present.append(reader)

    @precondition(lambda self: self.present)
    @rule(which=st.integers(0, 9))
    def leave(self, which: int) -> None:
        reader = self.present.pop(which % len(self.present))
        self.hall.audience.remove(reader)
        self.gone.append(reader)
        assert reader.read == self.expected[reader]

    @rule(skipped=st.sets(st.integers(0, 9), max_size=3), big=st.integers(0, 9))
    def publish(self, skipped: set[int], big: int) -> None:
        text = self.text() + "x" * (ENOUGH // 2 if big == 0 else 0)
        without = [reader for n, reader in enumerate(self.present) if n in skipped]
        self.hall.say(text, *without, *self.gone[:1])
        for reader in self.present:
            if reader not in without:
                self.expected[reader] += text.encode()

    @precondition(lambda self: self.present)
    @rule(which=st.integers(0, 9))
    def deliver(self, which: int) -> None:
        reader = self.present[which % len(self.present)]
        text = self.text()
        reader.deliver(Notice(text))
        self.expected[reader] += text.encode()
        assert reader.read == self.expected[reader]

    @precondition(lambda self: self.present)
    @rule(which=st.integers(0, 9))
    def settle(self, which: int) -> None:
        reader = self.present[which % len(self.present)]
        self.hall.audience.settle(reader)
        assert reader.read == self.expected[reader]

    @rule()
    def turn(self) -> None:
        self.hall.turn()
        assert {reader: reader.read for reader in self.expected} == self.expected

    @invariant()
    def nobody_is_ahead_and_nobody_is_given_nothing(self) -> None:
        for reader, expected in self.expected.items():
            assert expected.startswith(reader.read)
            assert b"" not in reader.took
        assert len(self.hall.audience) == len(self.present)

    def teardown(self) -> None:
        self.turn()


TestAsOneByOne = AsOneByOne.TestCase
TestAsOneByOne.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
