from __future__ import annotations

import pytest
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, RequestReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame, SettingsFrame

from proto.web.h2state import (
    MAX_HEADER_LIST,
    MAX_STREAMS,
    MAX_TABLE,
    MAX_UNPACKED,
    STREAM_WINDOW,
    State,
)

GET = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")]


def both() -> tuple[State, H2Connection]:
    """A server and a client that know each other's settings."""
    state, client = State(), H2Connection()
    state.greet()
    client.initiate_connection()
    state.receive_data(client.data_to_send())
    client.receive_data(state.data_to_send())
    state.receive_data(client.data_to_send())
    return state, client


def test_the_peer_is_told_our_bounds() -> None:
    _, client = both()
    assert client.remote_settings.max_concurrent_streams == MAX_STREAMS
    assert client.remote_settings.max_header_list_size == MAX_HEADER_LIST
    assert client.remote_settings.initial_window_size == STREAM_WINDOW
    assert client.outbound_flow_control_window == MAX_STREAMS * STREAM_WINDOW


def test_a_wrong_length_ends_no_connection() -> None:
    state, client = both()
    client.send_headers(1, [*GET, ("content-length", "3")])
    client.send_data(1, b"more", end_stream=True)
    kinds = [type(each) for each in state.receive_data(client.data_to_send())]
    assert RequestReceived in kinds
    assert not state.has_sent_goaway()


def test_a_head_that_unpacks_to_too_much_ends_it() -> None:
    state, client = both()
    much = [(f"x{number}", "y" * 4000) for number in range(MAX_UNPACKED // 4000 + 1)]
    client.send_headers(1, [*GET, *much])
    with pytest.raises(ProtocolError) as caught:
        state.receive_data(client.data_to_send())
    assert caught.value.error_code is ErrorCodes.ENHANCE_YOUR_CALM
    assert state.has_sent_goaway()


def test_goaway_without_an_error_closes_nothing() -> None:
    state, _ = both()
    (event,) = state.receive_data(GoAwayFrame(0).serialize())
    assert isinstance(event, ConnectionTerminated)
    assert not state.has_sent_goaway()
    state.take_leave()
    assert not state.has_sent_goaway()
    assert state.data_to_send()


def test_the_peer_decides_how_little_we_remember_and_not_how_much() -> None:
    state, _ = both()
    for size in [1 << 30, 0, 100, 1 << 30] * 50:
        frame = SettingsFrame(0, {SettingCodes.HEADER_TABLE_SIZE: size})
        state.receive_data(frame.serialize())
        assert state.encoder.header_table_size == min(size, MAX_TABLE)
        assert len(state.encoder.table_size_changes) <= 2
    assert min(state.encoder.table_size_changes) == 0


def test_what_the_encoder_forgets_the_peer_forgets_too() -> None:
    state, client = both()
    for number, size in ((1, 0), (3, 1 << 20)):
        client.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
        client.send_headers(number, GET, end_stream=True)
        state.receive_data(client.data_to_send())
        state.send_headers(number, [(":status", "200"), ("x", "y" * 50)], end_stream=True)
        client.receive_data(state.data_to_send())  # which decodes it


def test_streams_that_are_over_are_not_open() -> None:
    state, client = both()
    client.send_headers(1, GET)
    state.receive_data(client.data_to_send())
    assert state.is_open(1)
    assert state.is_open(3)
    state.reset_stream(1)
    assert not state.is_open(1)


def test_few_streams_that_are_over_are_remembered() -> None:
    state, client = both()
    for number in range(1, 2 * state.MAX_CLOSED_STREAMS + 201, 2):
        client.send_headers(number, GET, end_stream=True)
        state.receive_data(client.data_to_send())
        state.reset_stream(number)
        client.receive_data(state.data_to_send())
    assert len(state._closed_streams) <= state.MAX_CLOSED_STREAMS
