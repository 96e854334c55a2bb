from __future__ import annotations

import pytest

from proto.echo.time import TimeDatagrams, TimeFactory, time
from proto.errors import PeerError
from tests.echo.wire import ask
from tests.support import connect

BIRTHDAY = 1_234_567_890.9
BYTES = bytes.fromhex("cd408152")


@pytest.mark.parametrize(
    ("seconds_since_1900", "now"),
    [  # the examples of RFC 868
        (2_208_988_800, 0.0),
        (2_398_291_200, 189_302_400.0),
        (2_524_521_600, 315_532_800.0),
        (2_629_584_000, 420_595_200.0),
    ],
)
def test_seconds_are_counted_from_1900(seconds_since_1900: int, now: float) -> None:
    assert int.from_bytes(time(now), "big") == seconds_since_1900


def test_the_count_wraps_in_2036() -> None:
    last = 2**32 - 2_208_988_800 - 1
    assert time(last) == b"\xff\xff\xff\xff"
    assert time(last + 1) == b"\0\0\0\0"


def test_four_bytes_and_the_connection_is_over() -> None:
    _, wire = connect(TimeFactory(lambda: BIRTHDAY))
    assert wire.value() == BYTES
    assert wire.disconnecting


def test_a_refused_peer_gets_no_words_that_would_look_like_a_time() -> None:
    assert TimeFactory(lambda: BIRTHDAY).refusal(PeerError("full")) == b""


def test_a_datagram_needs_room_for_the_whole_number() -> None:
    service = TimeDatagrams(lambda: BIRTHDAY)
    assert ask(service, b"123") == []
    assert ask(service, b"1234") == [(BYTES, ("192.0.2.1", 4242))]
