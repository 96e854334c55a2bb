from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from twisted.logger import capturedLogs

from proto.web.wsgi.handover import Handover


def test_what_several_have_done_is_one_call() -> None:
    turns: list[Callable[[], None]] = []
    done: list[int] = []
    handover = Handover(turns.append)
    handover.post(done.append, 1)
    handover.post(done.append, 2)
    assert len(turns) == 1
    turns.pop()()
    assert done == [1, 2]
    handover.post(done.append, 3)
    assert len(turns) == 1


def test_what_is_posted_meanwhile_has_a_turn_of_its_own() -> None:
    turns: list[Callable[[], None]] = []
    done: list[str] = []
    handover = Handover(turns.append)

    def first() -> None:
        handover.post(done.append, "second")
        done.append("first")

    handover.post(first)
    turns.pop(0)()
    assert done == ["first"]
    turns.pop(0)()
    assert done == ["first", "second"]


def test_what_fails_is_logged_and_the_rest_is_done() -> None:
    turns: list[Callable[[], None]] = []
    done: list[int] = []
    handover = Handover(turns.append)

    def fail() -> None:
        raise RuntimeError("boom")

    handover.post(fail)
    handover.post(done.append, 1)
    with capturedLogs() as events:
        turns.pop()()
    assert done == [1]
    assert [event["log_failure"].value.args for event in events] == [("boom",)]


def test_nothing_is_lost_among_many_threads() -> None:
    turns: list[Callable[[], None]] = []
    done: list[int] = []
    handover = Handover(turns.append)

    def post() -> None:
        for number in range(2_000):
            handover.post(done.append, number)

    threads = [Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or turns:
        if turns:
            turns.pop(0)()
    assert len(done) == 8_000
