"""A connection of HTTP/2: many requests that do not wait for each other, and its end."""

from __future__ import annotations

import gc

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    GoAwayFrame,
    PingFrame,
    PriorityFrame,
)

from proto.web.h2state import MAX_STREAMS
from proto.web.http2 import MAX_WAITING
from proto.web.request import WebRequest
from proto.web.streams import Stream
from tests.web.h2client import BIG, House, is_ended_by, request


@pytest.fixture
def house() -> House:
    return House()


def test_a_request_is_answered(house: House) -> None:
    client = house.client()
    client.ask(1)
    client.read()
    answer = client.answer(1)
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["content-length"] == "5"
    assert answer.headers["server"] == "proto"
    assert "transfer-encoding" not in answer.headers
    client.hang_up()
    assert not house.clock.getDelayedCalls()


@pytest.mark.parametrize(("path", "status"), [("/empty", 204), ("/nothing", 404), ("/%00", 400)])
def test_whatever_the_answer_it_ends(house: House, path: str, status: int) -> None:
    client = house.client()
    client.ask(1, *request(path))
    client.read()
    assert client.answer(1).status == status


def test_head_has_no_body(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/big", "HEAD"))
    client.read()
    answer = client.answer(1)
    assert (answer.body, answer.headers["content-length"]) == (b"", str(len(BIG)))


def test_a_body_arrives(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/body", "POST", content_length="6"), ended=False)
    client.h2.send_data(1, b"abc")
    client.send()
    client.h2.send_data(1, b"def", end_stream=True)
    client.send()
    client.read()
    assert client.answer(1).body == b"abcdef"


def test_a_body_that_comes_with_its_head_in_one_piece(house: House) -> None:
    client = house.client()
    client.h2.send_headers(1, request("/body", "POST"))
    client.h2.send_data(1, b"abc")
    client.h2.send_headers(1, [("x-sum", "1")], end_stream=True)
    client.send()
    client.read()
    assert client.answer(1).body == b"abc"


def test_a_peer_that_asks_whether_to_send_is_told_to(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/body", "POST", expect="100-continue"), ended=False)
    client.read()
    assert client.told_to_go_on == {1}
    client.h2.send_data(1, b"abc", end_stream=True)
    client.send()
    client.read()
    assert client.answer(1).body == b"abc"


def test_requests_do_not_wait_for_each_other(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/wait/a"))
    client.ask(3, *request("/wait/b"))
    client.ask(5)
    client.read()
    assert client.ended == {5}
    house.waiting["b"].callback("B")
    client.read()
    assert client.ended == {3, 5}
    house.waiting["a"].callback("A")
    client.read()
    assert client.answer(1).body == b"A"


def test_a_stream_that_is_not_read_holds_up_no_other(house: House) -> None:
    client = house.client()
    client.h2.increment_flow_control_window(1 << 20)
    client.ask(1, *request("/big"))
    for number in range(3, 43, 2):
        client.ask(number)
    client.read()
    assert len(client.ended) == 20
    assert 1 not in client.ended


def test_answers_are_sent_in_turns(house: House) -> None:
    client = house.client()
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
    client.h2.increment_flow_control_window(1 << 24)
    client.ask(1, *request("/big"))
    client.ask(3, *request("/big"))
    client.read(2)
    assert len(client.bodies[1]) == len(client.bodies[3]) > 0
    client.read()
    assert client.answer(1).body == client.answer(3).body == BIG


def test_a_window_that_settings_open_is_used(house: House) -> None:
    client = house.client()
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    client.h2.increment_flow_control_window(1 << 24)
    client.ask(1, *request("/big"))
    client.read()
    assert 1 not in client.bodies
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
    client.send()
    client.read()
    assert client.answer(1).body == BIG


def test_nothing_turns_while_all_windows_are_closed(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/big"))
    house.clock.advance(0)
    for _ in range(9):
        house.clock.advance(0)
    assert all(call.getTime() > house.clock.seconds() for call in house.clock.getDelayedCalls())


def test_priorities_are_heard_and_not_obeyed(house: House) -> None:
    client = house.client()
    frames = [PriorityFrame(number, depends_on=number + 2) for number in range(1, 1001, 2)]
    client.send(*frames)
    client.h2.send_headers(
        1, request(), end_stream=True, priority_weight=256, priority_depends_on=7
    )
    client.send()
    client.read()
    assert client.answer(1).body == b"hello"


def test_more_requests_than_may_be_are_refused_one_by_one(house: House) -> None:
    client = house.client()
    names = range(1, 2 * MAX_STREAMS + 7, 2)
    client.send(*[client.head(n, request(f"/wait/{n}"), "END_STREAM") for n in names])
    client.read()
    assert set(client.resets.values()) == {ErrorCodes.REFUSED_STREAM}
    assert sorted(client.resets) == [201, 203, 205]
    assert not client.is_closing()
    for waiting in house.waiting.values():
        waiting.callback("x")
    client.read()
    assert len(client.ended) == MAX_STREAMS


def test_requests_of_a_peer_that_reads_nothing_are_not_begun() -> None:
    house = House()
    client = house.client()
    count = MAX_WAITING // len(BIG) + 2
    for number in range(count):
        client.ask(2 * number + 1, *request("/big"))
    client.ask(2 * count + 1, *request("/count"))
    client.read()
    assert house.called == 0
    client.h2.reset_stream(1)
    client.h2.reset_stream(3)
    client.send()
    client.read()
    assert house.called == 1


def test_an_idle_connection_is_closed(house: House) -> None:
    client = house.client()
    client.ask(1)
    client.read()
    house.clock.advance(59)
    client.send(PingFrame(0))  # that is no request
    assert not client.is_closing()
    house.clock.advance(1)
    assert is_ended_by(client, ErrorCodes.NO_ERROR)


def test_a_connection_with_a_request_is_not_idle(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/wait/a"))
    house.clock.advance(600)
    client.read()
    assert not client.is_closing()


def test_farewell_says_goaway_and_lets_streams_finish(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/wait/a"))
    client.ask(3, *request("/body", "POST"), ended=False)
    house.site.farewell()
    client.read()
    assert client.goaway is not None
    assert client.goaway.last_stream_id == 3
    assert not client.is_closing()
    client.ask(5)  # was on its way
    client.h2.send_data(3, b"abc", end_stream=True)
    client.send()
    client.read()
    assert client.resets == {5: ErrorCodes.REFUSED_STREAM}
    assert client.answer(3).body == b"abc"
    house.waiting["a"].callback("A")
    client.read()
    assert client.answer(1).body == b"A"
    assert client.is_closing()
    client.hang_up()
    assert not house.clock.getDelayedCalls()


def test_farewell_ends_a_connection_on_which_nothing_is_asked(house: House) -> None:
    client = house.client()
    house.site.farewell()
    client.read()
    assert client.goaway is not None
    assert client.is_closing()


def test_a_peer_that_says_goaway_gets_what_it_has_asked_for(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/wait/a"))
    client.send(GoAwayFrame(0))
    client.read()
    assert not client.is_closing()
    house.waiting["a"].callback("A")
    client.read()
    assert client.answer(1).body == b"A"
    assert client.is_closing()


def test_a_peer_that_says_goaway_in_anger_is_gone(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/wait/a"))
    client.send(GoAwayFrame(0, error_code=ErrorCodes.PROTOCOL_ERROR))
    assert client.is_closing()
    assert house.lost == ["a"]


def test_who_waits_is_told_when_the_peer_leaves(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/wait/a"))
    client.ask(3, *request("/wait/b"))
    client.h2.reset_stream(1)
    client.send()
    assert house.lost == ["a"]
    client.hang_up()
    assert house.lost == ["a", "b"]
    assert not house.clock.getDelayedCalls()


def test_what_is_answered_waits_for_no_cycle_collector(house: House) -> None:
    def alive() -> set[int]:
        return {id(each) for each in gc.get_objects() if isinstance(each, (Stream, WebRequest))}

    client = house.client()
    gc.collect()
    gc.disable()
    try:
        before = alive()  # the log may hold some of earlier tests
        for number in range(1, 21, 2):
            client.ask(number)
        client.read()
        assert len(client.ended) == 10
        left = alive() - before
    finally:
        gc.enable()
    assert left == set()
