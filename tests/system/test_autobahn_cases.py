"""The Autobahn test suite's cases against `--ws-echo` of a real twistd, over real sockets."""

from __future__ import annotations

import random
import socket
import zlib
from collections.abc import Iterator
from typing import Final

import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from tests.system.autobahn import CASES, OFFERS, SIZES, Case, closing, pieces
from tests.system.programs import Twistd, dial, read_until
from tests.web.sockets import UPGRADE, masked
from tests.web.wire import request_bytes

ECHO: Final = "/ws/echo"
SAMPLES: Final = {
    "12.1 like JSON": b'{"name": "value", "numbers": [1, 2, 3, 4, 5]}, ' * 4000,
    "12.2 a picture": bytes(random.Random(12).randrange(16) * 15 for _ in range(140_000)),
    "12.3 prose": b"All work and no play makes Jack a dull boy. " * 4000,
    "12.4 markup": b"<tr><td class='left'>text</td><td>number</td></tr>\n" * 4000,
    "12.5 compressed already": random.Random(125).randbytes(140_000),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    folder = tmp_path_factory.mktemp("autobahn")
    with Twistd("web", "-p", "0", "--ws-echo", ECHO, cwd=folder) as twistd:
        yield twistd
        assert "Unhandled" not in twistd.output
        assert "Traceback" not in twistd.output


@pytest.fixture
def peer(server: Twistd) -> Iterator[socket.socket]:
    with dial(server.port("web")) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


class Ears:
    """What the server says, frame by frame; a client that is sent no compressed ones."""

    def __init__(self, connection: socket.socket, offer: str = "") -> None:
        self._connection = connection
        fields = {**UPGRADE, "Sec-WebSocket-Extensions": offer} if offer else UPGRADE
        connection.sendall(request_bytes(ECHO, "GET", fields, b""))
        self.head = read_until(connection, b"\r\n\r\n").decode("latin-1")
        assert " 101 " in self.head
        self._client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
        if offer:
            said = [line for line in self.head.split("\r\n") if "Extensions" in line]
            agreed = said[0].partition(": ")[2]
            parameters = [each.strip().partition("=") for each in agreed.split(";")[1:]]
            self._client.extensions = [
                ClientPerMessageDeflateFactory().process_response_params(
                    [(name, value or None) for name, _, value in parameters], []
                )
            ]

    def hear(self, count: int) -> list[tuple[int, bytes]]:
        """So many frames; those behind them are kept."""
        heard: list[tuple[int, bytes]] = []
        while len(heard) < count:
            if not self._client.events:
                data = self._connection.recv(65536)
                assert data, f"the connection ended after {heard[-3:]}"
                self._client.receive_data(data)
            for event in self._client.events[: count - len(heard)]:
                assert isinstance(event, Frame)
                heard.append((int(event.opcode), bytes(event.data)))
            del self._client.events[:count]
        return heard

    def hear_the_end(self) -> None:
        """Nothing more comes, and the server hangs up."""
        assert not self._client.events
        assert self._connection.recv(1) == b""


def run_case(case: Case, peer: socket.socket, offer: str = "") -> None:
    ears = Ears(peer, offer)
    step = case.chop or len(case.sends)
    for at in range(0, len(case.sends), step):
        peer.sendall(case.sends[at : at + step])
    assert ears.hear(len(case.echoes)) == list(case.echoes)
    if not case.fails and not case.closes:
        peer.sendall(closing(1000))
    ((opcode, told),) = ears.hear(1)
    assert opcode == 8
    assert told[:2] == (b"" if case.code is None else case.code.to_bytes(2, "big"))
    if case.reason is not None:
        assert told[2:] == case.reason
    ears.hear_the_end()


@pytest.mark.parametrize("case", CASES, ids=[case.number for case in CASES])
def test_a_case_of_autobahn(case: Case, peer: socket.socket) -> None:
    run_case(case, peer)


def test_the_cases_have_the_suites_numbers() -> None:
    numbers = [case.number for case in CASES]
    assert len(numbers) == len(set(numbers))
    chapters = [number.partition(".")[0] for number in numbers]
    counted = {chapter: chapters.count(chapter) for chapter in dict.fromkeys(chapters)}
    # As the suite counts them; 9.9.1 is switched off there, too.
    assert counted == {
        **{"1": 16, "2": 11, "3": 7, "4": 10, "5": 20},
        **{"6": 145, "7": 37, "9": 54, "10": 1},
    }


def squeezed(payload: bytes, bits: int, size: int) -> bytes:
    """A compressed message, in pieces of that size if there are to be any."""
    squeeze = zlib.compressobj(wbits=-bits)
    packed = (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
    frames = bytearray(pieces(2, packed, size) if size else masked(2, packed))
    frames[0] |= 0x40
    return bytes(frames)


@pytest.mark.parametrize("sample", SAMPLES)
def test_12_compressed_messages_come_back(sample: str, peer: socket.socket) -> None:
    ears = Ears(peer, OFFERS["13.1"])
    assert "client_max_window_bits=12" in ears.head
    for size, piece in SIZES:
        payload = SAMPLES[sample][:size]
        peer.sendall(squeezed(payload, 12, piece) * 2)
        assert ears.hear(2) == [(2, payload)] * 2
    peer.sendall(closing(1000))
    assert ears.hear(1) == [(8, b"\x03\xe8")]


@pytest.mark.parametrize("section", OFFERS)
def test_13_every_offer_is_taken_as_it_may_be(section: str, peer: socket.socket) -> None:
    ears = Ears(peer, OFFERS[section])
    assert "server_no_context_takeover; client_no_context_takeover" in ears.head
    bits = 9 if "=9" in OFFERS[section] else 12
    assert f"server_max_window_bits={bits}" in ears.head
    offered = "client_max_window_bits" in OFFERS[section]
    assert ("client_max_window_bits=12" in ears.head) is offered
    for size, piece in SIZES:
        payload = SAMPLES["12.1 like JSON"][:size]
        peer.sendall(squeezed(payload, 12 if offered else 15, piece))
        assert ears.hear(1) == [(2, payload)]
