from __future__ import annotations

import pytest
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from hyperframe.frame import DataFrame

from proto.web.h2events import Listener
from proto.web.h2frames import FLOOD_BURST, PREFACE, Allowance, BadFrame
from proto.web.h2state import State

GET = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")]


class Talk:
    """A client that a listener hears."""

    def __init__(self) -> None:
        self.state = State()
        self.state.greet()
        self.listener = Listener(self.state, Allowance(0))
        self.client = H2Connection()
        self.client.initiate_connection()

    def heard(self, now: float = 0) -> list[str]:
        return [type(each).__name__ for each in self.listener.hear(self.client.data_to_send(), now)]


def test_what_is_said_is_heard_in_order() -> None:
    talk = Talk()
    talk.client.send_headers(1, GET)
    talk.client.send_data(1, b"x", end_stream=True)
    names = [RequestReceived.__name__, DataReceived.__name__, StreamEnded.__name__]
    assert talk.heard()[-3:] == names


def test_nothing_is_heard_before_what_is_before_it_is_dealt_with() -> None:
    talk = Talk()
    talk.client.send_headers(1, GET)
    talk.client.send_data(1, b"x" * 10, end_stream=True)
    for event in talk.listener.hear(talk.client.data_to_send(), 0):
        assert not isinstance(event, DataReceived), "its stream was reset before"
        if isinstance(event, RequestReceived):
            talk.state.reset_stream(1)


def test_it_is_known_since_when_something_is_not_whole() -> None:
    talk = Talk()
    assert list(talk.listener.hear(PREFACE[:9], 5)) == []
    assert talk.listener.begun == 5
    assert list(talk.listener.hear(PREFACE[9:12], 7)) == []
    assert talk.listener.begun == 5
    list(talk.listener.hear(PREFACE[12:], 8))
    assert talk.listener.begun is None


def test_bodies_for_streams_that_are_over_are_a_flood() -> None:
    talk = Talk()
    talk.client.send_headers(1, GET)
    talk.heard()
    talk.state.reset_stream(1)
    data = DataFrame(1, b"x").serialize()
    with pytest.raises(BadFrame):
        list(talk.listener.hear(data * (FLOOD_BURST + 1), 0))


def test_bodies_in_small_pieces_are_no_flood() -> None:
    talk = Talk()
    talk.client.send_headers(1, GET)
    talk.heard()
    data = DataFrame(1, b"x").serialize()
    assert len(list(talk.listener.hear(data * 3 * FLOOD_BURST, 0))) == 3 * FLOOD_BURST
