from __future__ import annotations

from twisted.internet.task import Clock

from proto.web.alarm import Alarm


class Bell:
    """Notes when it rings, and says what it was told to."""

    def __init__(self, *again: float | None) -> None:
        self.clock = Clock()
        self.rang: list[float] = []
        self._again = list(again)
        self.alarm = Alarm(self.clock, self._ring)

    def _ring(self, now: float) -> float | None:
        self.rang.append(now)
        return self._again.pop(0) if self._again else None

    def wait(self, seconds: int) -> list[float]:
        self.clock.pump([1] * seconds)
        return self.rang


def test_it_rings_by_the_earliest_time_it_was_asked_for() -> None:
    bell = Bell()
    for when in (5, 3, 9):
        bell.alarm.by(when)
    assert len(bell.clock.getDelayedCalls()) == 1
    assert bell.wait(20) == [3]
    assert not bell.alarm.is_set


def test_a_deadline_that_moves_later_sets_no_timer() -> None:
    bell = Bell(8, 12)
    bell.alarm.by(4)
    (before,) = bell.clock.getDelayedCalls()
    bell.alarm.by(8)
    assert bell.clock.getDelayedCalls() == [before]
    assert bell.wait(20) == [4, 8, 12]


def test_a_time_that_has_passed_is_now() -> None:
    bell = Bell()
    bell.clock.advance(10)
    bell.alarm.by(3)
    bell.clock.advance(0)
    assert bell.rang == [10]


def test_it_may_be_asked_while_it_rings() -> None:
    clock, rang = Clock(), list[float]()

    def ring(now: float) -> float | None:
        rang.append(now)
        if now < 3:
            alarm.by(now + 1)
        return now + 5 if now < 3 else None

    alarm = Alarm(clock, ring)
    alarm.by(1)
    clock.pump([1] * 20)
    assert rang == [1, 2, 3]


def test_it_never_rings_after_it_was_stopped() -> None:
    bell = Bell()
    bell.alarm.by(1)
    bell.alarm.stop()
    bell.alarm.by(2)
    assert bell.wait(5) == []
    assert not bell.clock.getDelayedCalls()


def test_it_may_be_stopped_while_it_rings() -> None:
    clock = Clock()

    def ring(now: float) -> float:
        alarm.stop()
        return now + 1

    alarm = Alarm(clock, ring)
    alarm.by(1)
    clock.advance(1)
    assert not clock.getDelayedCalls()
