from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PingFrame
from hyperframe.frame import Frame as AnyFrame
from hypothesis import given
from hypothesis import strategies as st

from proto.web.h2frames import (
    DATA,
    FLOOD_BURST,
    FLOOD_RATE,
    FUTILE_BURST,
    HEADERS,
    MAX_CONTINUATIONS,
    MAX_FRAME,
    PREFACE,
    PREFACED,
    UPDATES_PER_FRAME,
    Allowance,
    BadFrame,
    Frame,
    FrameReader,
)

PING = PingFrame(0, b"12345678").serialize()


def head(stream: int, data: bytes = b"x", *flags: str) -> bytes:
    return HeadersFrame(stream, data, flags=flags).serialize()


def continuation(stream: int, data: bytes = b"", *flags: str) -> bytes:
    return ContinuationFrame(stream, data, flags=flags).serialize()


def body(stream: int, data: bytes) -> bytes:
    return DataFrame(stream, data).serialize()


def started() -> FrameReader:
    reader = FrameReader()
    assert [frame.kind for frame in reader.feed(PREFACE)] == [PREFACED]
    return reader


def code_of(reader: FrameReader, data: bytes) -> ErrorCodes:
    with pytest.raises(BadFrame) as caught:
        list(reader.feed(data))
    return caught.value.code


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(1, 60))
def test_frames_are_cut_wherever_the_bytes_are(bodies: list[bytes], step: int) -> None:
    frames = [body(number, data) for number, data in enumerate(bodies, 1)]
    raw = PREFACE + b"".join(frames)
    reader = FrameReader()
    found = [frame for at in range(0, len(raw), step) for frame in reader.feed(raw[at : at + step])]
    assert [frame.raw for frame in found] == [PREFACE, *frames]
    assert [frame.stream for frame in found] == list(range(len(frames) + 1))
    assert not reader.has_begun


def test_what_is_no_http_2_is_refused_with_its_first_wrong_byte() -> None:
    assert code_of(FrameReader(), b"PRI * HTTP/1") is ErrorCodes.PROTOCOL_ERROR


def test_a_long_frame_is_refused_before_it_has_come() -> None:
    raw = (MAX_FRAME + 1).to_bytes(3, "big") + bytes(6)
    assert code_of(started(), raw) is ErrorCodes.FRAME_SIZE_ERROR


def test_the_longest_frame_is_taken() -> None:
    (frame,) = started().feed(body(1, bytes(MAX_FRAME)))
    assert frame.kind == DATA


def test_a_head_that_never_ends_is_refused() -> None:
    reader = started()
    list(reader.feed(head(1)))
    list(reader.feed(continuation(1) * MAX_CONTINUATIONS))
    assert code_of(reader, continuation(1)) is ErrorCodes.ENHANCE_YOUR_CALM


def test_a_head_that_is_too_long_is_refused_while_it_comes() -> None:
    reader = started()
    list(reader.feed(head(1, bytes(MAX_FRAME)) + continuation(1, bytes(MAX_FRAME)) * 3))
    assert code_of(reader, continuation(1, b"x")) is ErrorCodes.ENHANCE_YOUR_CALM


def test_heads_that_end_add_up_to_nothing() -> None:
    reader = started()
    for number in range(1, 400, 2):
        kinds = [frame.kind for frame in reader.feed(head(number, b"x" * 900, "END_HEADERS"))]
        assert kinds == [HEADERS]
    assert not reader.has_begun


def test_a_stray_continuation_is_left_to_the_state_machine() -> None:
    (frame,) = started().feed(continuation(1))
    assert frame.stream == 1


@pytest.mark.parametrize(
    ("data", "begun"),
    [
        (b"", False),
        (PING[:1], True),
        (PING[:-1], True),
        (PING, False),
        (head(1), True),
        (head(1) + continuation(1, b"x", "END_HEADERS"), False),
        (body(1, b"abc")[:-1], False),
    ],
)
def test_it_is_known_whether_something_short_is_not_whole(data: bytes, begun: bool) -> None:
    reader = started()
    list(reader.feed(data))
    assert reader.has_begun is begun


def test_until_the_preface_has_come_something_is_not_whole() -> None:
    reader = FrameReader()
    assert reader.has_begun
    assert list(reader.feed(PREFACE[:20])) == []
    assert reader.has_begun


def test_the_bytes_of_a_body_count_before_their_frame_is_whole() -> None:
    reader = started()
    list(reader.feed(body(3, bytes(100))[:60]))
    assert reader.partial(3) == 60
    assert reader.partial(1) == 0
    list(reader.feed(bytes(49)))
    assert reader.partial(3) == 0


def frame_of(raw: AnyFrame) -> Frame:
    return Frame(raw.type or 0, raw.stream_id, raw.serialize())


def test_pings_are_a_flood_when_they_come_too_fast() -> None:
    allowance = Allowance(0)
    ping = frame_of(PingFrame(0))
    for _ in range(FLOOD_BURST):
        allowance.heard(ping, 0)
    with pytest.raises(BadFrame):
        allowance.heard(ping, 0)


def test_pings_may_come_for_ever_when_they_come_slowly() -> None:
    allowance = Allowance(0)
    for number in range(5 * FLOOD_BURST):
        allowance.heard(frame_of(PingFrame(0)), number / FLOOD_RATE)


def test_a_window_update_for_each_frame_of_data_is_no_flood() -> None:
    allowance = Allowance(0)
    update = Frame(8, 1, b"")
    for _ in range(5 * FLOOD_BURST):
        allowance.sent_data()
        for _ in range(UPDATES_PER_FRAME):
            allowance.heard(update, 0)
    for _ in range(FLOOD_BURST):
        allowance.heard(update, 0)
    with pytest.raises(BadFrame):
        allowance.heard(update, 0)


def test_heads_and_bodies_are_no_flood() -> None:
    allowance = Allowance(0)
    for _ in range(2 * FLOOD_BURST):
        allowance.heard(Frame(HEADERS, 1, b""), 0)
        allowance.heard(Frame(DATA, 1, b""), 0)


def test_streams_that_come_to_nothing_are_counted() -> None:
    allowance = Allowance(0)
    for _ in range(FUTILE_BURST):
        allowance.futile(0)
    with pytest.raises(BadFrame):
        allowance.futile(0)
    allowance.futile(1)
