from __future__ import annotations

from twisted.internet.task import Clock

from proto.metrics import Tally
from proto.web.known import KnownAnswer, KnownAnswers


def answer(wire: bytes = b"wire") -> KnownAnswer:
    return KnownAnswer(wire, 1, Tally(), "")


def test_an_answer_is_known_for_just_its_head_until_the_time_is_over() -> None:
    clock = Clock()
    answers = KnownAnswers(clock, seconds=2.0)
    first, second = answer(), answer()
    answers.keep(b"GET /", first)
    clock.advance(1.9)
    answers.keep(b"GET /a", second)
    assert answers.get(b"GET /") is first
    assert answers.get(b"GET /a") is second
    assert answers.get(b"GET /b") is None
    clock.advance(0.1)
    assert answers.get(b"GET /") is answers.get(b"GET /a") is None
    assert clock.getDelayedCalls() == []


def test_the_first_answer_to_a_head_stays() -> None:
    answers = KnownAnswers(Clock())
    first = answer()
    answers.keep(b"GET /", first)
    answers.keep(b"GET /", answer())
    assert answers.get(b"GET /") is first


def test_what_is_kept_is_bounded_and_there_is_room_again_when_the_time_is_over() -> None:
    clock = Clock()
    answers = KnownAnswers(clock, most_bytes=10_000)
    answers.keep(b"a", answer(b"." * 6000))
    answers.keep(b"b", answer(b"." * 6000))
    answers.keep(b"c", answer())
    assert answers.get(b"a") is not None
    assert answers.get(b"b") is None
    assert answers.get(b"c") is not None
    clock.advance(1)
    answers.keep(b"b", answer(b"." * 6000))
    assert answers.get(b"b") is not None


def test_many_small_answers_are_bounded_too() -> None:
    answers = KnownAnswers(Clock(), most_bytes=100_000)
    for number in range(1000):
        answers.keep(b"%d" % number, answer(b""))
    kept = sum(answers.get(b"%d" % number) is not None for number in range(1000))
    assert 100 < kept < 200
