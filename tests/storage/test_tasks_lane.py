from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Queue
from threading import Event
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from proto.storage.reading import Answer
from proto.storage.tasks_lane import Lane, Question
from proto.tasks.errors import StoreBusy, StoreFailed

DEADLINE = 20.0


class Echo:
    """Does what it is asked, when its gate is open."""

    def __init__(self) -> None:
        self.gate = Event()
        self.gate.set()
        self.sizes: list[int] = []
        self.closed = False

    def answers(self, questions: Sequence[Question[str]]) -> tuple[list[object], list[Answer]]:
        self.gate.wait(DEADLINE)
        self.sizes.append(len(questions))
        return [self._answer(each) for each in questions], []

    def close(self) -> None:
        self.closed = True

    def _answer(self, question: Question[str]) -> object:
        try:
            return question("said")
        except ValueError as error:
            return error


class Turns:
    """A reactor whose turns the test takes."""

    def __init__(self, most: int = 10, at_once: int = 100) -> None:
        self.handed: Queue[Callable[[], None]] = Queue()
        self.ends: list[Callable[[], None]] = []
        self.echo = Echo()
        self.lane: Lane[str] = Lane(
            "lane",
            self.echo,
            self.handed.put,
            most=most,
            at_once=at_once,
            at_end_of_turn=self.ends.append,
        )

    def end_turn(self) -> None:
        ends, self.ends[:] = list(self.ends), []
        for each in ends:
            each()

    def result(self, asked: Deferred[Any]) -> Any:
        answers: list[Any] = []
        asked.addErrback(lambda failure: failure.value)
        asked.addCallback(answers.append)
        self.end_turn()
        while not answers:
            self.handed.get(timeout=DEADLINE)()
        return answers[0]


def test_what_is_asked_in_one_turn_is_answered_together_and_in_order() -> None:
    turns = Turns()
    asked = [turns.lane.ask(f"{{}} {n}".format) for n in range(5)]
    turns.lane.start()
    assert [turns.result(each) for each in asked] == [f"said {n}" for n in range(5)]
    assert turns.echo.sizes == [5]
    turns.lane.end()
    assert turns.lane.join(DEADLINE)
    assert turns.echo.closed


def test_more_than_may_wait_is_refused_and_there_is_room_again_after_an_answer() -> None:
    turns = Turns(most=3)
    turns.echo.gate.clear()
    turns.lane.start()
    asked = [turns.lane.ask(len) for _ in range(3)]
    turns.end_turn()
    assert isinstance(turns.result(turns.lane.ask(len)), StoreBusy)
    assert turns.lane.waiting == 3
    turns.echo.gate.set()
    assert [turns.result(each) for each in asked] == [4, 4, 4]
    assert turns.lane.waiting == 0
    assert turns.result(turns.lane.ask(len)) == 4
    turns.lane.end()


def test_no_more_than_so_many_turns_are_answered_at_once() -> None:
    turns = Turns(most=100, at_once=4)
    asked = []
    for _ in range(10):
        asked += [turns.lane.ask(len) for _ in range(2)]
        turns.end_turn()
    turns.lane.start()
    assert [turns.result(each) for each in asked] == [4] * 20
    assert turns.echo.sizes == [4] * 5
    turns.lane.end()


def test_an_answer_that_fails_takes_no_other_with_it() -> None:
    turns = Turns()

    def refuse(said: str) -> str:
        raise ValueError(said)

    with capturedLogs() as events:
        broken = turns.lane.ask(len).addCallback(lambda answer: 1 // (answer - 4))
        refused, cancelled, last = (turns.lane.ask(each) for each in (refuse, len, len))
        cancelled.cancel()
        turns.lane.start()
        assert isinstance(turns.result(refused), ValueError)
        assert turns.result(last) == 4
        assert isinstance(turns.result(cancelled), CancelledError)
        assert isinstance(turns.result(broken), ZeroDivisionError)
    assert events == []
    turns.lane.end()


def test_after_the_end_nothing_is_asked_and_what_waited_is_answered() -> None:
    turns = Turns()
    before = turns.lane.ask(len)
    turns.lane.end()  # which begins what never began
    turns.lane.end()
    assert isinstance(turns.result(turns.lane.ask(len)), StoreFailed)
    assert turns.result(before) == 4
    assert turns.lane.join(DEADLINE)


def test_a_thread_that_does_not_end_is_told() -> None:
    turns = Turns()
    turns.echo.gate.clear()
    turns.lane.start()
    asked = turns.lane.ask(len)
    turns.lane.end()
    assert not turns.lane.join(0.0)
    turns.echo.gate.set()
    assert turns.result(asked) == 4
    assert turns.lane.join(DEADLINE)
