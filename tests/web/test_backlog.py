from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from proto.limits import GRACE, SLACK
from proto.web.backlog import SLICE, Backlog, Bounds


class Keeper:
    """An owner that writes down what it gets, and whose transport may be full after so much."""

    def __init__(self, size: int = 1000, room: int = 1 << 30) -> None:
        self.clock = Clock()
        self.written: list[bytes] = []
        self.told: list[str] = []
        self.room = room
        self.backlog = Backlog(self, Bounds(self.clock, size, 30))

    def put(self, data: bytes) -> None:
        self.written.append(data)
        if sum(map(len, self.written)) >= self.room:
            self.backlog.pauseProducing()

    def drained(self) -> None:
        self.told.append("drained")

    def overdue(self, why: str) -> None:
        self.told.append(why)


def test_what_is_taken_does_not_wait() -> None:
    keeper = Keeper()
    keeper.backlog.send(b"a")
    assert (keeper.written, keeper.backlog.waiting, keeper.told) == ([b"a"], 0, [])


def test_what_waits_is_joined_and_sliced() -> None:
    keeper = Keeper(size=1 << 20)
    keeper.backlog.pauseProducing()
    chunk = b"x" * (SLICE // 4)
    for _ in range(9):
        keeper.backlog.send(chunk)
    keeper.backlog.resumeProducing()
    assert list(map(len, keeper.written)) == [SLICE, SLICE, SLICE // 4]
    assert keeper.told == ["drained"]


def test_a_transport_that_is_full_again_gets_no_more() -> None:
    keeper = Keeper(size=1 << 20, room=1)
    keeper.backlog.pauseProducing()
    keeper.backlog.send(b"x" * SLICE)
    keeper.backlog.send(b"y")
    keeper.backlog.resumeProducing()
    assert (keeper.backlog.waiting, keeper.told) == (1, [])
    keeper.backlog.send(b"z")
    keeper.backlog.resumeProducing()
    assert keeper.written[1:] == [b"yz"]
    assert keeper.told == ["drained"]


def test_too_much_is_told_once_and_forgotten() -> None:
    keeper = Keeper()
    keeper.backlog.pauseProducing()
    keeper.backlog.send(b"x" * 1000)
    keeper.backlog.send(b"x")
    keeper.backlog.send(b"x")
    assert keeper.told == []
    keeper.clock.advance(GRACE)
    keeper.backlog.resumeProducing()
    assert keeper.told == ["does not read: more than 1000 bytes wait"]
    assert (keeper.written, keeper.backlog.waiting) == ([], 0)
    assert not keeper.clock.getDelayedCalls()


def test_far_too_much_is_told_at_once() -> None:
    keeper = Keeper()
    keeper.backlog.pauseProducing()
    keeper.backlog.send(b"x" * 1000 * SLACK)
    assert keeper.told == []
    keeper.backlog.send(b"x")
    assert keeper.told == ["does not read: more than 1000 bytes wait"]
    assert not keeper.clock.getDelayedCalls()


def test_who_reads_in_time_what_came_at_once_is_not_too_slow() -> None:
    keeper = Keeper()
    keeper.backlog.pauseProducing()
    keeper.backlog.send(b"x" * 2000)
    keeper.backlog.resumeProducing()
    keeper.clock.advance(GRACE)
    assert keeper.told == ["drained"]


def test_stuck_begins_with_the_first_pause() -> None:
    keeper = Keeper()
    for _ in range(3):
        keeper.backlog.pauseProducing()
        keeper.clock.advance(10)
    assert keeper.told == ["did not read for 30 s"]


def test_release_gives_everything_away() -> None:
    keeper = Keeper()
    keeper.backlog.pauseProducing()
    keeper.backlog.send(b"a")
    keeper.backlog.send(b"b")
    keeper.backlog.release()
    keeper.backlog.send(b"c")
    keeper.backlog.pauseProducing()
    keeper.backlog.resumeProducing()
    assert (keeper.written, keeper.told) == ([b"ab"], [])
    assert not keeper.clock.getDelayedCalls()


@given(st.lists(st.binary(min_size=1, max_size=9) | st.none() | st.booleans(), max_size=30))
def test_order_is_kept_whatever_the_transport_does(acts: list[bytes | bool | None]) -> None:
    keeper = Keeper()
    sent = b""
    for act in acts:
        if isinstance(act, bytes):
            keeper.backlog.send(act)
            sent += act
        elif act:
            keeper.backlog.pauseProducing()
        else:
            keeper.backlog.resumeProducing()
        assert len(b"".join(keeper.written)) + keeper.backlog.waiting == len(sent)
    keeper.backlog.resumeProducing()
    assert b"".join(keeper.written) == sent
