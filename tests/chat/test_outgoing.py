from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.task import Clock

from proto.chat.outgoing import SLICE, Budget, Outgoing
from proto.limits import GRACE, SLACK
from proto.metrics import Tally
from tests.chat.doubles import FullTransport


class Witness:
    """The owner, who writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def flushed(self) -> None:
        self.told.append("flushed")

    def crowded(self) -> None:
        self.told.append("crowded")

    def dropped(self, reason: str) -> None:
        self.told.append(reason)


class Side:
    """An outgoing side with everything around it."""

    def __init__(self) -> None:
        self.wire, self.owner, self.clock, self.sent = FullTransport(), Witness(), Clock(), Tally()
        self.awake: list[Outgoing] = []
        self.out = Outgoing(
            self.wire, self.owner, Budget(), self.clock, self.awake.append, self.sent
        )

    def turn(self) -> None:
        awake, self.awake[:] = list(self.awake), []
        for out in awake:
            out.flush()

    @property
    def aborted(self) -> bool:
        return self.wire.disconnected

    def choke(self) -> None:
        self.out.send(b"x" * (SLICE + 1))
        self.turn()
        assert self.out.waiting == 0
        self.owner.told.clear()


def test_what_is_sent_in_a_turn_is_one_write_and_one_wake() -> None:
    side = Side()
    for piece in (b"a", b"b", b"c"):
        side.out.send(piece)
    assert (side.wire.value(), len(side.awake), side.out.waiting) == (b"", 1, 3)
    side.turn()
    assert (side.wire.value(), side.sent.value, side.out.waiting) == (b"abc", 3, 0)
    assert side.owner.told == ["flushed"]


def test_a_full_transport_is_given_no_more_until_it_drained() -> None:
    side = Side()
    side.choke()
    side.out.send(b"later")
    assert side.awake == []
    assert len(side.wire.drain()) == SLICE + 1
    assert side.wire.value() == b"later"
    assert side.clock.getDelayedCalls() == []


def test_much_is_handed_over_in_slices_as_the_transport_takes_them() -> None:
    side = Side()
    pieces = [bytes((65 + n % 26,)) * 1000 for n in range(200)]
    for piece in pieces:
        side.out.send(piece)
    side.turn()
    taken = b""
    while side.wire.value():
        assert len(side.wire.value()) <= 2 * SLICE
        taken += side.wire.drain()
    assert taken == b"".join(pieces)


def test_above_the_soft_mark_the_owner_is_told_once_until_it_drained() -> None:
    side = Side()
    side.choke()
    for _ in range(70):
        side.out.send(b"y" * 1000)
    before = side.out.congested
    assert side.owner.told == ["crowded"]
    side.wire.drain()
    assert (before, side.out.congested) == (True, False)


def test_a_busy_turn_is_not_a_slow_client() -> None:
    side = Side()
    side.out.send(b"y" * (Budget().hard + 1))
    assert (side.aborted, side.out.waiting) == (False, 0)
    assert len(side.wire.value()) == Budget().hard + 1


def test_who_stays_above_the_hard_mark_is_dropped_and_nothing_is_kept() -> None:
    side = Side()
    side.choke()
    for _ in range(2000):
        side.out.send(b"y" * 1000)
        side.turn()
    assert [word for word in side.owner.told if word != "flushed"] == ["crowded", "crowded"]
    side.clock.advance(GRACE)
    assert side.aborted
    assert side.owner.told[-1] == "too slow"
    assert (side.out.waiting, side.clock.getDelayedCalls()) == (0, [])


def test_far_above_the_hard_mark_the_client_is_dropped_at_once() -> None:
    side = Side()
    side.choke()
    for _ in range(5000):
        side.out.send(b"y" * 1000)
        assert side.out.waiting <= SLACK * Budget().hard
    assert side.aborted
    assert (side.owner.told[-1], side.clock.getDelayedCalls()) == ("too slow", [])


def test_who_reads_what_many_said_in_one_turn_is_not_too_slow() -> None:
    side = Side()
    side.choke()
    for _ in range(2000):
        side.out.send(b"y" * 1000)
    side.clock.advance(GRACE / 2)
    while side.out.waiting:
        side.out.resumeProducing()
    side.clock.advance(GRACE)
    assert not side.aborted


def test_a_client_that_takes_nothing_for_too_long_is_dropped() -> None:
    side = Side()
    side.choke()
    side.clock.advance(29.9)
    before = side.aborted
    side.clock.advance(0.2)
    assert (before, side.aborted) == (False, True)
    assert side.owner.told == ["stuck"]


def test_a_client_that_takes_something_now_and_then_is_not_stuck() -> None:
    side = Side()
    for _ in range(5):
        side.choke()
        side.clock.advance(29)
        side.wire.drain()
    assert not side.aborted
    assert side.clock.getDelayedCalls() == []


def test_hanging_up_sends_what_waits_first() -> None:
    side = Side()
    side.choke()
    side.out.send(b"bye")
    side.out.hang_up()
    side.turn()
    before = side.wire.disconnecting
    side.wire.drain()
    assert side.wire.value() == b"bye"
    assert (before, side.wire.disconnecting) == (False, True)
    assert side.wire.producer is None
    side.out.lost()
    assert side.clock.getDelayedCalls() == []


@pytest.mark.parametrize("choked", [False, True])
def test_a_client_that_does_not_let_itself_be_hung_up_on_is_aborted(choked: bool) -> None:
    side = Side()
    if choked:
        side.choke()
    side.out.hang_up()
    side.turn()
    side.clock.advance(31)
    assert side.aborted
    assert "stuck" not in side.owner.told


def test_draining_does_not_call_off_the_end() -> None:
    side = Side()
    side.choke()
    side.out.expect_end()
    side.wire.drain()
    side.clock.advance(31)
    assert side.aborted


def test_a_full_transport_does_not_put_off_the_end() -> None:
    side = Side()
    side.out.expect_end()
    side.clock.advance(20)
    side.choke()
    side.clock.advance(11)
    assert side.aborted
    assert side.owner.told == []


def test_what_is_sent_to_a_lost_connection_is_forgotten() -> None:
    side = Side()
    side.choke()
    side.out.lost()
    side.wire.clear()
    for _ in range(2000):
        side.out.send(b"y" * 1000)
    side.out.expect_end()
    side.turn()
    side.out.stopProducing()
    assert (side.wire.value(), side.out.waiting, side.clock.getDelayedCalls()) == (b"", 0, [])
    assert not side.wire.disconnecting


def test_marks_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="soft mark 2 "):
        Budget(2, 1)


# Which line the client has been sent for certain.


def test_what_others_are_sent_too_is_handed_over_at_once_as_it_is() -> None:
    side = Side()
    data = b"shared"
    side.out.take(data, 3)
    assert (side.wire.value(), side.out.seen, side.out.waiting) == (data, 3, 0)
    assert (side.awake, side.sent.value) == ([], 6)


def test_what_is_taken_keeps_its_place_after_what_was_sent() -> None:
    side = Side()
    side.out.send(b"a")
    side.out.take(b"b", 1)
    side.out.send(b"c")
    assert (side.wire.value(), side.out.seen) == (b"", 0)
    side.turn()
    assert (side.wire.value(), side.out.seen) == (b"abc", 1)


def test_a_line_counts_as_seen_when_the_transport_has_taken_all_of_it() -> None:
    side = Side()
    side.out.take(b"a", 1)
    side.out.take(b"x" * (SLICE + 1), 2)
    assert side.out.seen == 1
    side.out.take(b"b", 3)
    assert side.out.seen == 1
    side.wire.drain()
    assert side.out.seen == 3


def test_who_is_dropped_as_stuck_has_seen_what_was_taken_before() -> None:
    side = Side()
    side.out.take(b"a", 1)
    side.out.take(b"x" * (SLICE + 1), 2)
    side.out.take(b"b", 3)
    side.clock.advance(31)
    side.out.take(b"c", 4)
    side.out.send(b"d")
    side.turn()
    assert (side.aborted, side.owner.told[0], side.out.seen) == (True, "stuck", 1)


def test_who_takes_too_much_is_dropped_and_has_not_seen_it() -> None:
    side = Side()
    side.choke()
    for n in range(20):
        side.out.take(b"y" * 65536, n + 1)
    side.clock.advance(GRACE)
    assert side.aborted
    assert side.owner.told[-1] == "too slow"
    assert (side.out.seen, side.out.waiting) == (0, 0)


def test_in_another_room_one_has_seen_what_one_was_shown_of_it() -> None:
    side = Side()
    side.out.take(b"old room", 900)
    side.out.begin(4, 7)
    side.out.send(b"the last lines")
    assert side.out.seen == 4
    side.turn()
    assert side.out.seen == 7
    side.out.take(b"live", 8)
    assert side.out.seen == 8


def test_news_without_a_number_do_not_take_back_what_was_seen() -> None:
    side = Side()
    side.out.begin(4, 7)
    side.out.send(b"the last lines")
    side.turn()
    side.out.take(b"bob has joined", 0)  # nothing was said since their audience began
    assert side.out.seen == 7
    side.out.send(b"answer")
    side.out.take(b"bob has left", 0)
    side.turn()
    assert side.out.seen == 7


class Sizes(RuleBasedStateMachine):
    """However much is sent and drained, no line counts as seen before it was taken whole."""

    def __init__(self) -> None:
        super().__init__()
        self.side = Side()
        self.ends: dict[int, int] = {0: 0}
        self.sent = 0
        self.newest = 0
        self.handed = 0
        self.drained = 0

    @rule(size=st.sampled_from([1, 9, 30_000, SLICE + 1]), lines=st.integers(0, 2))
    def take(self, size: int, lines: int) -> None:
        self.sent += size
        self.newest += lines
        if lines:
            self.ends[self.newest] = self.sent
        self.side.out.take(b"x" * size, self.newest)

    @rule(size=st.sampled_from([1, 9, 30_000]))
    def send(self, size: int) -> None:
        self.sent += size
        self.side.out.send(b"y" * size)

    @rule()
    def turn(self) -> None:
        self.side.turn()

    @rule()
    def drain(self) -> None:
        self.drained += len(self.side.wire.drain())

    @invariant()
    def nothing_is_seen_too_early(self) -> None:
        handed = self.drained + len(self.side.wire.value())
        assert self.side.out.seen in self.ends
        assert self.ends[self.side.out.seen] <= handed

    def teardown(self) -> None:
        if not self.side.aborted:
            for _ in range(self.sent // SLICE + 2):
                self.turn()
                self.drain()
            assert (self.drained, self.side.out.seen) == (self.sent, self.newest)


TestSizes = Sizes.TestCase
TestSizes.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
