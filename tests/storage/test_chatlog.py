"""What a durable history promises, with each of the real databases."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from twisted.logger import capturedLogs

from proto.chat.events import Emoted, Pasted, Said, Spoken, Stored, TopicSet
from proto.chat.history import Lines, Recent, Span
from proto.errors import StartError
from proto.storage.chatlog import READS_WAITING, DurableHistory
from proto.storage.opening import check
from proto.storage.store import Stretch
from tests.storage.waiting import DEADLINE, Asker, opened, session, told
from tests.system.programs import environment

CLOSED = "The log is closed."


def numbers(answers: list[Any]) -> list[int]:
    return [answer.sequence for answer in answers]


def test_answers_come_in_the_order_asked_and_each_room_counts_from_one(where: str) -> None:
    asker = Asker(where, now=lambda: 12.3456)
    asker.look("lobby")
    asker.say("lobby", "a")
    asker.say("den", "b", Emoted)
    asker.look("lobby")
    asker.say("lobby", "c")
    asker.look("lobby", 1)
    asker.look("lobby", 0)
    asker.look("lobby", -1)
    asker.look("den")
    asker.log.start()
    a, b = Stored(1, 12345, Said("bob", "a")), Stored(1, 12345, Emoted("bob", "b"))
    c = Stored(2, 12345, Said("bob", "c"))
    assert asker.wait(9) == [
        Recent(),
        a,
        b,
        Recent((a,), 1),
        c,
        Recent((c,), 2),
        Recent((), 2),
        Recent((), 2),
        Recent((b,), 1),
    ]
    asker.log.vacated("lobby")
    assert asker.lines("lobby") == [(1, "a"), (2, "c")]
    asker.log.close()


def test_order_and_numbers_go_on_after_a_restart(where: str) -> None:
    for start in (0, 3, 6):
        asker = Asker(where)
        asker.log.start()
        for number in range(start, start + 3):
            asker.say("lobby", f"line {number} \u00e9\U0001f600")
        assert numbers(asker.wait(3)) == [start + 1, start + 2, start + 3]
        asker.log.close()
    asker = Asker(where)
    asker.log.start()
    assert asker.lines("lobby", 4) == [(n + 1, f"line {n} \u00e9\U0001f600") for n in range(5, 9)]
    asker.log.close()


def test_every_kind_of_line_comes_back_as_it_was(where: str) -> None:
    asker = Asker(where)
    asker.log.start()
    kinds: list[type[Spoken]] = [Said, Emoted, Pasted, TopicSet]
    for kind in kinds:
        asker.say("lobby", f"one\n{kind.__name__}", kind)
    said = asker.wait(4)
    assert asker.recent("lobby").lines == tuple(said)
    assert asker.found("lobby", "pasted") == ["one\nPasted"]
    asker.log.close()


def test_the_topic_is_the_last_one_by_then_and_survives_a_restart(where: str) -> None:
    asker = Asker(where)
    asker.say("lobby", "tea", TopicSet)
    asker.look("lobby", 0)
    asker.say("lobby", "coffee", TopicSet)
    asker.say("den", "", TopicSet)
    asker.log.start()
    assert asker.wait(4)[1] == Recent((), 1, TopicSet("bob", "tea"))
    asker.log.close()
    asker = Asker(where)
    asker.log.start()
    assert asker.recent("lobby", 0) == Recent((), 2, TopicSet("bob", "coffee"))
    assert asker.recent("den", 0) == Recent((), 1, TopicSet("bob", ""))
    assert asker.recent("attic", 0) == Recent()
    asker.log.close()


def test_a_look_back_goes_either_way_and_says_whether_there_is_more(where: str) -> None:
    asker = Asker(where)
    asker.log.start()
    for number in range(1, 11):
        asker.say("lobby", str(number))
    asker.say("den", "elsewhere")
    asker.wait(11)
    spans = {
        Span(3): (8, 11, True),
        Span(10): (1, 11, False),
        Span(3, before=4): (1, 4, False),
        Span(2, before=4): (2, 4, True),
        Span(3, before=1 << 70): (8, 11, True),
        Span(3, after=0): (1, 4, True),
        Span(3, after=7): (8, 11, False),
        Span(2, after=7): (8, 10, True),
        Span(2, after=-5): (1, 3, True),
        Span(2, after=1 << 70): (0, 0, False),
        Span(2, before=-3): (0, 0, False),
        Span(0): (0, 0, True),
    }
    for span, (first, end, more) in spans.items():
        lines = asker.read("lobby", span)
        assert isinstance(lines, Lines)
        assert (told(lines.lines), lines.more) == ([(n, str(n)) for n in range(first, end)], more)
    asker.log.close()


def test_no_more_bytes_are_read_than_asked_for_but_one_line_always_is(where: str) -> None:
    asker = Asker(where)
    asker.log.start()
    for text in ("a" * 10, "\u00e9" * 5, "c" * 10, "d" * 500):
        asker.say("lobby", text)
    asker.wait(4)
    for span, expected, more in (
        (Span(9, size=100), [4], True),
        (Span(9, before=4, size=20), [2, 3], True),
        (Span(9, before=4, size=19), [3], True),
        (Span(9, before=4, size=30), [1, 2, 3], False),
        (Span(9, after=0, size=30), [1, 2, 3], True),
        (Span(9, after=0, size=29), [1, 2], True),
    ):
        lines = asker.read("lobby", span)
        assert isinstance(lines, Lines)
        assert (numbers(list(lines.lines)), lines.more) == (expected, more)
    asker.log.close()


def test_a_store_sends_no_more_than_it_must(where: str) -> None:
    asker = Asker(where)
    asker.log.start()
    for _ in range(100):
        asker.say("lobby", "x" * 1000)
    asker.wait(100)
    reading = opened(where).reading()
    for words in ((), ("x",)):
        for backwards in (True, False):
            stretch = Stretch("lobby", 0, 1000, backwards, 1000, 5000, words)
            assert 6 <= len(reading.rows(stretch)) <= 7
    reading.close()
    asker.log.close()


def test_a_session_is_found_until_it_is_too_old(where: str) -> None:
    now = [1000.0]
    asker = Asker(where, now=lambda: now[0])
    asker.log.keep_session(session(b"a" * 32, 5, at=1_000_000))
    asker.find(b"a" * 32)
    asker.find(b"b" * 32)
    asker.log.keep_session(session(b"a" * 32, 6, at=1_000_000))
    asker.log.start()
    assert asker.wait(2) == [session(b"a" * 32, 5, at=1_000_000), None]
    asker.log.close()
    asker = Asker(where, now=lambda: now[0])
    asker.log.start()
    now[0] = 87400.0
    asker.find(b"a" * 32)
    assert asker.wait(1) == [session(b"a" * 32, 6, at=1_000_000)]
    now[0] = 87401.0
    asker.find(b"a" * 32)
    assert asker.wait(1) == [None]
    asker.log.close()


def test_what_no_database_takes_is_replaced_and_everybody_hears_what_is_stored(
    where: str,
) -> None:
    asker = Asker(where)
    asker.log.start()
    asker.say("lobby\0", "a\0b\ud800c\U0001f600")
    asker.log.keep_session(session(b"\0" * 32))
    asker.find(b"\0" * 32)
    (said, kept) = asker.wait(2)
    assert said.event == Said("bob", "a\ufffdb\ufffdc\U0001f600")
    assert kept is not None
    assert asker.recent("lobby\0").lines == (said,)
    asker.log.close()


def test_what_is_queued_is_stored_and_answered_when_it_is_closed(where: str) -> None:
    for round_, started in enumerate((True, False)):
        asker = Asker(where)
        if started:
            asker.log.start()
        for number in range(100):
            asker.say("lobby", str(number))
        asker.log.close()
        asker.log.close()
        assert numbers(asker.wait(100)) == list(range(1 + round_ * 100, 101 + round_ * 100))
        asker.say("lobby", "too late")
        asker.look("lobby")
        asker.find(b"")
        asker.log.keep_session(session(b""))
        assert asker.wait(3) == [
            "That was not stored, so nobody saw it: the log is closed.",
            CLOSED,
            CLOSED,
        ]
        assert asker.read("lobby", Span(1)) == CLOSED
        assert asker.search("lobby", "a") == CLOSED


def test_a_thousand_lines_that_come_while_the_disk_is_busy_are_one_transaction(where: str) -> None:
    handed: list[Callable[[], None]] = []
    busy, go_on, all_told = threading.Event(), threading.Event(), threading.Event()
    stored: list[Stored] = []
    turns: list[Callable[[], None]] = []

    def in_reactor(call: Callable[[], None]) -> None:
        if threading.current_thread() is threading.main_thread():
            turns.append(call)
            return
        handed.append(call)
        busy.set()
        assert go_on.wait(DEADLINE)
        if len(handed) == 2:
            all_told.set()

    log = DurableHistory(opened(where), in_reactor)
    log.start()
    log.append("lobby", Said("bob", "first"), stored.append, print)
    turns.pop()()
    assert busy.wait(DEADLINE)
    for number in range(1000):
        log.append(f"room {number % 7}", Said("bob", str(number)), stored.append, print)
    assert len(turns) == 1
    turns.pop()()
    go_on.set()
    assert all_told.wait(DEADLINE)
    log.close()
    assert len(handed) == 2
    for call in handed:
        call()
    assert [line.event.text for line in stored] == ["first", *map(str, range(1000))]


def test_twenty_lines_of_one_turn_are_one_transaction_with_one_time(where: str) -> None:
    times = iter(range(1, 100))
    asker = Asker(where, now=lambda: float(next(times)))
    for number in range(20):
        asker.say("lobby", str(number))
    asker.log.start()
    assert len({line.at for line in asker.wait(20)}) == 1
    asker.log.close()


def test_too_many_questions_at_once_are_refused_and_the_others_answered(where: str) -> None:
    asker = Asker(where)
    for _ in range(READS_WAITING + 5):
        asker.log.read("lobby", Span(1), asker.answered, asker.refused)
    asker.rest()
    assert asker.answers == ["The log is busy; try again in a moment."] * 5
    asker.log.start()
    assert asker.wait(READS_WAITING + 5)[5:] == [Lines(())] * READS_WAITING
    asker.log.close()


def test_an_answer_that_fails_takes_no_other_with_it(where: str) -> None:
    def broken(line: Stored) -> None:
        raise ZeroDivisionError

    asker = Asker(where)
    asker.log.append("lobby", Said("bob", "a"), broken, print)
    asker.say("lobby", "b")
    asker.log.start()
    with capturedLogs() as events:
        assert numbers(asker.wait(1)) == [2]
    assert [event["log_failure"].type for event in events] == [ZeroDivisionError]
    asker.log.close()


def test_a_fault_of_our_own_is_logged_and_the_thread_lives_on(where: str) -> None:
    asker = Asker(where)
    asker.log.start()
    with capturedLogs() as events:
        asker.log.append("lobby", Unspoken("bob", ""), print, asker.refused)
        assert asker.wait(1) == [
            "That was not stored, so nobody saw it: the log cannot be written."
        ]
    assert [event["log_failure"].type for event in events] == [KeyError]
    asker.say("lobby", "b")
    assert numbers(asker.wait(1)) == [1]
    asker.log.close()


class Unspoken(Said):
    """No kind of line that has a name."""


def test_one_process_at_a_time_has_it_and_anybody_may_check(where: str) -> None:
    first = Asker(where)
    first.say("lobby", "a")
    first.log.start()
    assert numbers(first.wait(1)) == [1]
    with pytest.raises(StartError, match="another process uses it; stop it or choose another"):
        Asker(where)
    check(where)
    first.say("lobby", "a")
    assert numbers(first.wait(1)) == [2]
    first.log.close()
    Asker(where).log.close()


def test_no_thread_is_there_before_the_start_nor_after_the_end(where: str) -> None:
    before = threading.active_count()
    asker = Asker(where)
    assert threading.active_count() == before
    asker.log.start()
    assert threading.active_count() == before + 2
    asker.log.close()
    assert threading.active_count() == before


def test_a_log_survives_a_fork_before_its_start_and_the_child_has_it(where: str) -> None:
    code = """
import os, sys, threading
from proto.chat.events import Said
from proto.storage.opening import open_history
done = threading.Event()
log = open_history(sys.argv[1], lambda call: call())
if os.fork():
    os._exit(0)
log.start()
log.append("lobby", Said("bob", "a"), lambda line: done.set(), print)
assert done.wait(20)
print("stored", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"stored\n"
        with pytest.raises(StartError, match="another process uses it"):
            Asker(where)
