from __future__ import annotations

import pytest

from proto.web.echosocket import MAX_MESSAGE, MAX_QUEUE, SHARE, EchoListener
from proto.web.sockets import Socket
from tests.web.sockets import Visit, masked


class Watched(EchoListener):
    """The echo, whose socket can be looked at."""

    __slots__ = ()

    @property
    def socket(self) -> Socket:
        return self._socket


def visit_echo(deflate: bool = False) -> Visit:
    return Visit(Watched(), deflate=deflate, max_message=MAX_MESSAGE, max_queue=MAX_QUEUE)


@pytest.mark.parametrize("deflate", [False, True])
def test_what_is_said_comes_back(deflate: bool) -> None:
    visit = visit_echo(deflate)
    long = "grüß dich " * 5000
    visit.client.send_text(long.encode())
    visit.client.send_binary(b"\0\xff")
    visit.send()
    visit.clock.advance(0)
    assert visit.heard() == [(1, long.encode()), (2, b"\0\xff")]


def test_a_peer_that_does_not_read_its_echo_has_to_wait_and_loses_nothing() -> None:
    visit = visit_echo()
    visit.wire.fill()
    said = [b"%d" % number for number in range(5000)]
    flood = b"".join(masked(1, each) for each in said)
    visit.send(flood)
    visit.clock.advance(0)
    assert visit.wire.producerState == "paused"
    assert 0 < visit.socket.waiting < 4096
    heard: list[tuple[int, bytes]] = []
    while len(heard) < len(said):
        visit.wire.drain()
        visit.wire.fill()
        visit.clock.advance(0)
        heard += visit.heard()
    assert heard == [(1, each) for each in said]
    visit.wire.drain()
    visit.clock.advance(0)
    assert visit.wire.producerState == "producing"


def test_whoever_says_much_leaves_turns_to_others() -> None:
    visit = visit_echo()
    turns: list[int] = []
    visit.clock.callLater(0, lambda: turns.append(len(visit.heard())))
    visit.send(masked(2, bytes(SHARE // 2)) * 10)
    visit.clock.advance(0)
    assert turns == [2]
    assert len(visit.heard()) == 8


def test_a_message_above_the_bound_ends_with_1009() -> None:
    visit = visit_echo()
    visit.send(masked(2, bytes(MAX_MESSAGE)))
    visit.clock.advance(0)
    assert visit.heard() == [(2, bytes(MAX_MESSAGE))]
    visit.send(masked(2, b"", length=MAX_MESSAGE + 126))
    assert visit.heard()[0][1][:2] == (1009).to_bytes(2, "big")


def test_the_server_says_goodbye() -> None:
    visit = visit_echo()
    visit.site.farewell()
    assert visit.heard() == [(8, b"\x03\xe9the server hangs up")]
    visit.send()
    assert visit.wire.disconnecting
