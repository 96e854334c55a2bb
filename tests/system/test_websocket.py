"""WebSockets and server-sent events of a real twistd, read by a real client and by curl."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.certificate import write_pair
from tests.system.programs import DEADLINE, Twistd, dial, program, read_until, run
from tests.web.sockets import UPGRADE, masked
from tests.web.wire import request_bytes

SCRIPT: Final = """
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.web.events import EventStream
from proto.web.websocket import WebSocketResource, text_frame

FLOOD = text_frame(b"x" * 65000) * 4


class Echo:
    def opened(self, socket):
        self.socket = socket

    def text(self, message):
        if message == "flood":
            for _ in range(200):
                self.socket.send_frames(FLOOD)
        elif message == "fail":
            raise RuntimeError("asked to fail")
        else:
            self.socket.send_text(message)

    def binary(self, message):
        self.socket.send_binary(message)

    def writable(self):
        print("writable")

    def dismissed(self):
        self.socket.close(1001, "the server hangs up")

    def closed(self, code, reason):
        print(f"closed {code} {reason}")


class Events(Resource):
    isLeaf = True

    def render(self, request):
        stream = EventStream(request, reactor, lambda: print("stream closed"))
        stream.send("after " + stream.last_event_id, id="1", event="began")
        if request.args.get(b"short"):
            stream.end()
        return NOT_DONE_YET


def socket(**options):
    return WebSocketResource(reactor, lambda request: Echo(), **options)


resource = Resource()
resource.putChild(b"ws", socket(origins=["https://friend.example"]))
resource.putChild(b"watched", socket(ping_every=0.4))
resource.putChild(b"strict", socket(stuck_after=0.5, max_queue=1 << 30))
resource.putChild(b"events", Events())
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Twistd]:
    with serving(tmp_path, "tcp:0:interface=127.0.0.1") as twistd:
        yield twistd


def serving(folder: Path, listen: str) -> Twistd:
    (folder / "echo.rpy").write_text(SCRIPT)
    return Twistd("web", "--resource-script", "echo.rpy", "--listen", listen, cwd=folder)


def visit(server: Twistd, path: str = "ws", **options: Any) -> ClientConnection:
    url = f"ws://127.0.0.1:{server.port('web')}/{path}"
    client: ClientConnection = connect(
        url, open_timeout=DEADLINE, close_timeout=DEADLINE, proxy=None, **options
    )
    return client


def ending(client: ClientConnection) -> int:
    """The code of the server's close frame, when it has come."""
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(DEADLINE)
    assert caught.value.rcvd is not None, "the connection ended without a close frame"
    return int(caught.value.rcvd.code)


def test_a_long_message_comes_back_compressed_or_not(server: Twistd) -> None:
    text = "all work and no play " * 3000
    for compression in ("deflate", None):
        with visit(server, compression=compression) as client:
            assert client.response is not None
            agreed = client.response.headers.get("Sec-WebSocket-Extensions", "")
            assert agreed.startswith("permessage-deflate") is (compression is not None)
            client.send(text)
            assert client.recv(DEADLINE) == text
    server.wait_for(r'"GET /ws HTTP/1\.1" 101 0 ')
    server.wait_for(r"closed 1000")


@pytest.mark.parametrize("compression", ["deflate", None])
def test_64_kib_pass_and_one_byte_more_gets_1009(server: Twistd, compression: str | None) -> None:
    with visit(server, compression=compression) as client:
        client.send(bytes(65536))
        assert client.recv(DEADLINE) == bytes(65536)
        client.send(bytes(65537))
        assert ending(client) == 1009
    with visit(server, compression=compression) as client:
        client.send(bytes(5_000_000))
        assert ending(client) == 1009


def test_a_page_of_another_origin_gets_403(server: Twistd) -> None:
    with pytest.raises(InvalidStatus) as caught, visit(server, origin="http://evil.example"):
        pass
    assert caught.value.response.status_code == 403
    own = f"http://127.0.0.1:{server.port('web')}"
    for origin in (own, "https://friend.example"):
        with visit(server, origin=origin) as client:
            client.send("hello")
            assert client.recv(DEADLINE) == "hello"


def test_a_failing_application_closes_with_1011_and_goes_on(server: Twistd) -> None:
    with visit(server) as client, visit(server) as other:
        client.send("fail")
        assert ending(client) == 1011
        other.send("hello")
        assert other.recv(DEADLINE) == "hello"
    server.wait_for(r"RuntimeError: asked to fail")


@pytest.mark.parametrize(
    ("path", "why"), [("ws", "more than 1048576 bytes wait"), ("strict", "did not read for 0.5 s")]
)
def test_a_reader_that_is_frozen_is_dropped_and_nobody_else_waits(
    server: Twistd, path: str, why: str
) -> None:
    with socket.socket() as frozen, visit(server) as other:
        frozen.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        frozen.settimeout(DEADLINE)
        frozen.connect(("127.0.0.1", server.port("web")))
        frozen.sendall(request_bytes(f"/{path}", "GET", UPGRADE, b""))
        read_until(frozen, b"\r\n\r\n")
        frozen.sendall(masked(1, b"flood"))
        server.wait_for(f"a WebSocket was cut off: the peer .*{why}")
        server.wait_for(f"closed 1006 .*{why}")
        other.send("hello")
        assert other.recv(DEADLINE) == "hello"


def test_a_peer_that_is_gone_without_a_word_is_pinged_and_dropped(server: Twistd) -> None:
    with dial(server.port("web")) as silent:
        silent.sendall(request_bytes("/watched", "GET", UPGRADE, b""))
        read_until(silent, b"\r\n\r\n")
        assert silent.recv(2) == b"\x89\x00"
        server.wait_for(r"closed 1006 silent for 0\.8 s")


def test_sigterm_tells_everybody_1001_and_exits_with_0(server: Twistd) -> None:
    with visit(server) as client, visit(server) as other:
        with dial(server.port("web")) as reader:
            reader.sendall(request_bytes("/events", "GET", {"Accept": "*/*"}, b""))
            read_until(reader, b"data: after \n\n")
            server.process.send_signal(signal.SIGTERM)
            assert (ending(client), ending(other)) == (1001, 1001)
            read_until(reader, b"0\r\n\r\n")
        assert server.end() == 0
    assert server.output.count("closed 1001 the server hangs up") == 2
    assert "stream closed" in server.output
    assert "Unhandled" not in server.output


def test_over_tls_everything_is_the_same(tmp_path: Path) -> None:
    write_pair(tmp_path)
    trust = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
    with serving(tmp_path, "tls:0:interface=127.0.0.1:certs=.") as server:
        port = server.port("web", "tls")
        with (
            socket.create_connection(("127.0.0.1", port), DEADLINE) as raw,
            connect(
                f"wss://test.example:{port}/ws",
                sock=raw,
                ssl=trust,
                origin=Origin(f"https://test.example:{port}"),
            ) as client,
        ):
            client.send(bytes(65536))
            assert client.recv(DEADLINE) == bytes(65536)
            client.send(bytes(1_000_000))
            assert ending(client) == 1009
        curl = program("curl", "curl")
        for version in ("--http1.1", "--http2"):
            url = f"https://127.0.0.1:{port}/events?short=1"
            done = run(curl, "-sSk", version, "-H", "Last-Event-ID: 41", url, cwd=tmp_path)
            assert done.stdout == b":\n\nid: 1\nevent: began\ndata: after 41\n\n"
            assert (done.returncode, done.stderr) == (0, b"")
        url = f"https://127.0.0.1:{port}/ws"
        done = run(curl, "-sSk", "--http2", "-o", "x", "-w", "%{http_code}", url, cwd=tmp_path)
        assert done.stdout == b"400"  # an upgrade is a thing of HTTP/1.1
        assert server.end(signal.SIGTERM) == 0
