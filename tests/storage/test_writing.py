"""What is refused is never seen, whenever a commit fails; with each of the real databases."""

from __future__ import annotations

from threading import Event

import pytest

from proto.chat.events import TopicSet
from proto.chat.history import Lines, Recent, Span
from proto.storage.writing import BEHIND
from tests.storage.faults import Faults
from tests.storage.waiting import DEADLINE, Asker, opened, session, told

CUT = "That was not stored, so nobody saw it: the line is cut."


@pytest.fixture
def faults(where: str) -> Faults:
    return Faults(opened(where))


@pytest.mark.parametrize("took_place", [False, True])
def test_a_line_whose_commit_failed_is_never_seen_and_its_number_is_used_again(
    faults: Faults, took_place: bool, where: str
) -> None:
    asker = Asker(faults.store)
    asker.log.start()
    asker.say("lobby", "tea", TopicSet)
    asker.say("lobby", "a")
    asker.wait(2)
    faults.before, faults.after = not took_place, took_place
    # Nothing that follows may see the lines, even before they are taken out.
    faults.settling = True
    for text in ("lost", "lost too"):
        asker.say("lobby", text)
        asker.say("lobby", "coffee", TopicSet)
        asker.say("den", text)
        asker.look("lobby")
        *refusals, recent = asker.wait(4)
        assert refusals == [CUT] * 3
        assert (told(recent.lines), recent.newest) == ([(1, "tea"), (2, "a")], 2)
        assert recent.topic == TopicSet("bob", "tea")
        assert asker.found("lobby", "lost") == []
        lines = asker.read("lobby", Span(9, after=0))
        assert isinstance(lines, Lines)
        assert told(lines.lines) == [(1, "tea"), (2, "a")]
        assert asker.recent("den") == Recent()
    faults.before = faults.after = faults.settling = False
    asker.say("lobby", "b")
    asker.say("den", "first")
    assert [line.sequence for line in asker.wait(2)] == [3, 1]
    asker.log.close()
    asker = Asker(where)
    asker.log.start()
    assert asker.lines("lobby") == [(1, "tea"), (2, "a"), (3, "b")]
    assert asker.recent("lobby").topic == TopicSet("bob", "tea")
    assert asker.found("lobby", "lost") == []
    assert asker.lines("den") == [(1, "first")]
    asker.log.close()


def test_what_is_in_doubt_is_settled_even_if_nobody_speaks_again(
    faults: Faults, where: str
) -> None:
    asker = Asker(faults.store)
    asker.log.start()
    faults.after = True
    asker.say("lobby", "lost")
    assert asker.wait(1) == [CUT]
    faults.after = False
    assert faults.settled.wait(DEADLINE)
    asker.log.close()
    asker = Asker(where)
    asker.log.start()
    assert asker.recent("lobby") == Recent()
    asker.log.close()


def test_a_line_is_not_read_before_its_commit_is_known(faults: Faults) -> None:
    asker = Asker(faults.store)
    asker.log.start()
    asker.insist("lobby", "a")
    faults.committed.clear()
    faults.hold = Event()
    asker.say("lobby", "b")
    assert faults.committed.wait(DEADLINE)
    assert asker.found("lobby", "b") == []
    lines = asker.read("lobby", Span(9))
    assert isinstance(lines, Lines)
    assert told(lines.lines) == [(1, "a")]
    faults.hold.set()
    assert [line.sequence for line in asker.wait(1)] == [2]
    assert asker.found("lobby", "b") == ["b"]
    asker.log.close()


def test_a_session_that_was_not_taken_is_kept_with_the_next_batch(
    faults: Faults, where: str
) -> None:
    asker = Asker(faults.store)
    asker.log.start()
    faults.before = True
    asker.log.keep_session(session(b"a" * 32, 7, at=int(1e15)))
    asker.find(b"a" * 32)
    assert asker.wait(1) == [session(b"a" * 32, 7, at=int(1e15))]
    faults.before = False
    asker.say("lobby", "a")
    asker.wait(1)
    asker.log.close()
    asker = Asker(where)
    asker.log.start()
    asker.find(b"a" * 32)
    assert asker.wait(1) == [session(b"a" * 32, 7, at=int(1e15))]
    asker.log.close()


def test_all_that_is_queued_is_one_transaction(faults: Faults) -> None:
    asker = Asker(faults.store)
    for number in range(20):
        asker.say(f"room {number % 3}", str(number))
    asker.log.start()
    asker.wait(20)
    asker.log.close()
    assert faults.sizes == [20]


def test_what_was_not_indexed_is_found_and_is_indexed_when_there_is_time(where: str) -> None:
    asker = Asker(where)
    total = BEHIND + 5
    for number in range(total):
        asker.say("lobby", f"line {number} {'last' if number == total - 1 else 'other'}")
    asker.log.start()
    asker.wait(total)
    assert asker.found("lobby", "last") == [f"line {total - 1} last"]
    asker.log.close()
    store = opened(where)
    store.prepare()
    writing = store.writing()
    while writing.index(1000):
        pass
    writing.close()
    store.release()
    asker = Asker(where)
    asker.log.start()
    assert asker.found("lobby", "last") == [f"line {total - 1} last"]
    assert asker.found("lobby", "line 2002") == ["line 2002 other"]
    asker.log.close()
