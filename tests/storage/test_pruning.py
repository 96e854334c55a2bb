from __future__ import annotations

import time
from pathlib import Path

import pytest

from proto.chat.events import TopicSet
from proto.chat.history import Recent, Span
from proto.storage.pruning import BITE, DAY, EVERY, Keep, Pruning
from proto.storage.reading import lines
from proto.storage.store import Line, Store
from tests.storage.waiting import DEADLINE, Asker, opened, session


class Kept:
    """A store with lines in it, and a pruning of it whose clock a test sets."""

    def __init__(self, store: Store, keep: Keep) -> None:
        store.prepare()
        self.store = store
        self.writing = store.writing()
        self.now = 1000 * DAY
        self.pruning = Pruning(keep, lambda: self.now)

    def add(self, room: str, first: int, last: int, kind: str = "said") -> None:
        at = int(self.now * 1000)
        self.writing.write(
            [
                Line(room, number, at, kind, "bob", str(number), str(number))
                for number in range(first, last + 1)
            ],
            [],
        )

    def prune(self) -> int:
        """Drop all that is due; in how many bites."""
        for bites in range(100):
            if not self.pruning.bite(self.writing):
                return bites
        raise AssertionError("it does not end")

    def numbers(self, room: str) -> list[int]:
        return [line.sequence for line in lines(self.writing, room, Span(10_000)).lines]

    def found(self, room: str, word: str) -> int:
        return len(lines(self.writing, room, Span(10_000), words=[word]).lines)

    def close(self) -> None:
        self.writing.close()
        self.store.release()


def test_each_room_keeps_its_newest_lines_and_goes_on_counting(where: str) -> None:
    asker = Asker(where, keep=Keep(lines=200))
    for number in range(250):
        asker.say("lobby", str(number + 1))
    asker.say("den", "quiet")
    asker.log.start()
    asker.wait(251)
    kept = [(n, str(n)) for n in range(51, 251)]
    end = time.monotonic() + DEADLINE
    while asker.lines("lobby", 1000) != kept:
        assert time.monotonic() < end
    assert asker.found("lobby", "50") == []
    assert asker.found("lobby", "51") == ["51"]
    assert asker.lines("den") == [(1, "quiet")]
    asker.log.close()


def test_no_bite_takes_more_than_its_share_and_all_of_them_take_all(where: str) -> None:
    kept = Kept(opened(where), Keep(lines=100))
    kept.add("lobby", 1, 2 * BITE + 150)
    kept.add("den", 1, 100)
    kept.pruning.bite(kept.writing)  # looks over the rooms
    assert kept.pruning.pending()
    before = len(kept.numbers("lobby"))
    kept.pruning.bite(kept.writing)
    assert len(kept.numbers("lobby")) == before - BITE
    kept.prune()
    assert kept.numbers("lobby") == list(range(2 * BITE + 51, 2 * BITE + 151))
    assert kept.numbers("den") == list(range(1, 101))
    assert (kept.found("lobby", "7"), kept.found("den", "77")) == (0, 1)
    assert not kept.pruning.pending()
    kept.close()


def test_growth_is_noticed_at_each_hundredth(where: str) -> None:
    kept = Kept(opened(where), Keep(lines=1000))
    kept.prune()
    kept.add("lobby", 1, 1009)
    kept.pruning.grown("lobby", 1001, 1009)
    assert not kept.pruning.pending()
    kept.add("lobby", 1010, 1011)
    kept.pruning.grown("lobby", 1009, 1011)
    assert kept.pruning.pending()
    kept.prune()
    assert kept.numbers("lobby") == list(range(12, 1012))
    kept.close()


def test_what_is_older_than_so_many_days_goes_and_the_topic_stays(where: str) -> None:
    kept = Kept(opened(where), Keep(days=2.0))
    kept.add("lobby", 1, 3, "topic")
    kept.now += DAY
    kept.add("lobby", 4, 5)
    kept.now += DAY + EVERY
    kept.prune()
    assert kept.numbers("lobby") == [4, 5]
    kept.now += DAY
    kept.prune()
    assert kept.numbers("lobby") == []
    assert kept.writing.topic("lobby", 9) == ("bob", "3")
    assert kept.writing.topic("lobby", 3) is None  # the older ones are gone
    assert kept.writing.newest(["lobby"]) == {"lobby": 5}
    kept.close()
    asker = Asker(where)
    asker.log.start()
    assert asker.recent("lobby") == Recent((), 5, TopicSet("bob", "3"))
    assert asker.insist("lobby", "next")[0].sequence == 6
    asker.log.close()


def test_of_too_many_rooms_those_that_were_quiet_the_longest_lose_everything(where: str) -> None:
    kept = Kept(opened(where), Keep(rooms=2))
    for room in ("a", "b", "c", "d"):
        kept.now += 1
        kept.add(room, 1, BITE + 1, "topic")
    kept.now += 1
    kept.add("a", BITE + 2, BITE + 2)
    kept.prune()
    assert kept.writing.newest(["a", "b", "c", "d"]) == {"a": BITE + 2, "d": BITE + 1}
    assert [len(kept.numbers(room)) for room in ("a", "b", "c", "d")] == [BITE + 2, 0, 0, BITE + 1]
    assert kept.writing.topic("b", 9999) is None
    kept.add("b", 1, 1)
    assert (kept.numbers("b"), kept.writing.topic("b", 9999)) == ([1], None)
    kept.close()


def test_a_room_where_somebody_speaks_meanwhile_keeps_its_number(where: str) -> None:
    kept = Kept(opened(where), Keep(rooms=1))
    kept.add("a", 1, 3)
    kept.now += 1
    kept.add("b", 1, 1)
    kept.pruning.bite(kept.writing)
    kept.add("a", 4, 4)
    kept.prune()
    assert kept.writing.newest(["a"]) == {"a": 4}
    assert kept.numbers("a") == [4]
    kept.close()


def test_sessions_that_are_too_old_or_too_many_go(where: str) -> None:
    kept = Kept(opened(where), Keep(sessions=2))
    at = int(kept.now * 1000)
    kept.writing.write([], [session(bytes([n]) * 32, at=at - n) for n in range(4)])
    kept.writing.write([], [session(b"x" * 32, at=at - int(DAY * 1000) - 1)])
    kept.prune()
    found = [kept.writing.session(bytes([n]) * 32) is not None for n in range(4)]
    assert found == [True, True, False, False]
    assert kept.writing.session(b"x" * 32) is None
    kept.close()


def test_zero_is_no_limit(where: str) -> None:
    kept = Kept(opened(where), Keep(lines=0, days=0.0, rooms=0))
    kept.add("a", 1, 1500)
    kept.add("b", 1, 1)
    kept.pruning.grown("a", 0, 1500)
    kept.now += 10_000 * DAY
    kept.prune()
    assert (len(kept.numbers("a")), kept.numbers("b")) == (1500, [1])
    kept.close()


@pytest.mark.parametrize("step", [EVERY, -2 * EVERY])
def test_the_rooms_are_looked_over_every_minute_whatever_the_clock_does(
    step: float, tmp_path: Path
) -> None:
    kept = Kept(opened(str(tmp_path)), Keep(lines=10))
    assert kept.pruning.bite(kept.writing)
    assert not kept.pruning.bite(kept.writing)
    kept.now += step
    assert kept.pruning.bite(kept.writing)
    assert not kept.pruning.bite(kept.writing)
    kept.close()
