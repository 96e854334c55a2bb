"""Peers of HTTP/2 that mean harm, and those that speak something else."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from proto.web.h2frames import FLOOD_BURST, FUTILE_BURST, MAX_CONTINUATIONS
from tests.web.h2client import Client, House, is_ended_by, request


@pytest.fixture
def house() -> House:
    return House()


def bomb() -> Frame:
    """A head of 4 KiB that unpacks to megabytes."""
    field = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000  # remembered as the first of the table
    return HeadersFrame(1, field + b"\xbe" * 4000, flags=["END_HEADERS"])


def flood(frame: Frame) -> Callable[[Client], list[Frame]]:
    return lambda client: [frame] * (FLOOD_BURST + 1)


def settings_frame(code: int, value: int) -> Frame:
    return SettingsFrame(0, {code: value})


def rapid_reset(client: Client) -> list[Frame]:
    names = range(1, 2 * FUTILE_BURST + 3, 2)
    frames: list[Frame] = []
    for number in names:
        frames += [
            client.head(number, request("/wait/a"), "END_STREAM"),
            RstStreamFrame(number, 8),
        ]
    return frames


def made_you_reset(client: Client) -> list[Frame]:
    """CVE-2025-8671: the server itself is made to reset its streams."""
    frames: list[Frame] = []
    for number in range(1, 2 * FUTILE_BURST + 3, 2):
        too_much = WindowUpdateFrame(number, 0x7FFFFFFF)
        frames += [client.head(number, request("/wait/a"), "END_STREAM"), too_much]
    return frames


def continuations(client: Client) -> list[Frame]:
    """CVE-2024-27316."""
    head = client.head(1, request())
    head.flags.discard("END_HEADERS")
    return [head, *[ContinuationFrame(1, b"")] * (MAX_CONTINUATIONS + 1)]


def empty_bodies(client: Client) -> list[Frame]:
    head = client.head(1, request("/body", "POST"))
    return [head, *[DataFrame(1, b"")] * (FLOOD_BURST + 1)]


def padded_bodies(client: Client) -> list[Frame]:
    head = client.head(1, request("/body", "POST"))
    return [head, *[DataFrame(1, b"", pad_length=9, flags=["PADDED"])] * (FLOOD_BURST + 1)]


@pytest.mark.parametrize(
    "attack",
    [
        lambda client: [bomb()],
        flood(PingFrame(0)),
        flood(settings_frame(SettingCodes.HEADER_TABLE_SIZE, 0)),
        flood(PriorityFrame(1)),
        flood(WindowUpdateFrame(0, 1)),
        rapid_reset,
        made_you_reset,
        continuations,
        empty_bodies,
        padded_bodies,
    ],
    ids=lambda attack: getattr(attack, "__name__", "flood"),
)
def test_who_floods_is_told_to_calm_down_and_cut_off(
    house: House, attack: Callable[[Client], list[Frame]]
) -> None:
    client = house.client()
    client.h2.increment_flow_control_window(1 << 20)
    for frame in attack(client):
        client.send(frame)
    assert is_ended_by(client, ErrorCodes.ENHANCE_YOUR_CALM)


def test_a_request_that_is_reset_in_the_same_breath_is_not_begun(house: House) -> None:
    client = house.client()
    head = client.head(1, request("/count"), "END_STREAM")
    client.send(head, RstStreamFrame(1, 8))
    client.read()
    assert house.called == 0
    assert not client.is_closing()


def raw_frame(kind: int, stream: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (raw_frame(1, 1, b"\xff\xff\xff\xff\xff\x0f", 4), ErrorCodes.PROTOCOL_ERROR),  # HPACK
        (raw_frame(1, 1, b"\xbe", 4), ErrorCodes.PROTOCOL_ERROR),  # an empty table
        (raw_frame(1, 2, b"", 4), ErrorCodes.PROTOCOL_ERROR),  # a stream of ours
        (raw_frame(0, 1, b"x"), ErrorCodes.PROTOCOL_ERROR),  # a stream that is not open
        (raw_frame(9, 1, b"x"), ErrorCodes.PROTOCOL_ERROR),
        (raw_frame(5, 1, bytes(9), 4), ErrorCodes.PROTOCOL_ERROR),  # PUSH_PROMISE
        (raw_frame(4, 0, b"x"), ErrorCodes.FRAME_SIZE_ERROR),
        (raw_frame(6, 0, b"x"), ErrorCodes.FRAME_SIZE_ERROR),
        (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", ErrorCodes.FRAME_SIZE_ERROR),
        (raw_frame(8, 0, b"\x7f\xff\xff\xff"), ErrorCodes.FLOW_CONTROL_ERROR),
        (raw_frame(4, 0, b"\x00\x04\xff\xff\xff\xff"), ErrorCodes.FLOW_CONTROL_ERROR),
    ],
)
def test_an_error_of_the_connection_ends_it_with_the_right_word(
    house: House, raw: bytes, code: ErrorCodes
) -> None:
    client = house.client()
    client.server.dataReceived(raw)
    assert is_ended_by(client, code)


def test_what_is_no_http_2_is_told_so(house: House) -> None:
    client = Client(house.site, house.clock, preface=b"GET / HTTP/1.1\r\n\r\n")
    assert is_ended_by(client, ErrorCodes.PROTOCOL_ERROR)


def any_frame() -> st.SearchStrategy[bytes]:
    return st.builds(
        raw_frame,
        st.integers(0, 11),
        st.sampled_from([0, 1, 2, 3, 5, 7]),
        st.binary(max_size=12) | st.sampled_from([b"\x82\x84\x87\x41\x01a", b"\x83\x84\x87"]),
        st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x25]),
    )


@given(st.lists(any_frame(), max_size=12), st.integers(1, 40))
def test_whatever_frames_come_nothing_is_raised_and_nobody_else_is_harmed(
    frames: list[bytes], step: int
) -> None:
    house = House()
    client, other = house.client(), house.client()
    raw = b"".join(frames)
    for at in range(0, len(raw), step):
        client.server.dataReceived(raw[at : at + step])
    client.clock.advance(0)
    other.ask(1)
    other.read()
    assert other.answer(1).body == b"hello"
    house.clock.advance(70)
    house.clock.advance(70)
    assert client.is_closing()
    client.leave()
    other.leave()
    assert not house.site.connections
    assert not house.clock.getDelayedCalls()
