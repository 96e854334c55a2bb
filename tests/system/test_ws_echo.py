"""`--ws-echo` of a real twistd, talked to by the clients that people use."""

from __future__ import annotations

import asyncio
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.system.browser import chromium
from tests.system.programs import DEADLINE, Twistd, dial, program, read_until, run
from tests.web.sockets import UPGRADE, masked
from tests.web.wire import request_bytes

ECHO: Final = "/ws/echo"
FRIEND: Final = "https://friend.example"


@pytest.fixture(scope="module", params=[None, "lean"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Twistd]:
    """Serves the whole module, for each reactor; at the end it stops in order."""
    options = ["-p", "0", "--ws-echo", ECHO, "--ws-echo-origin", FRIEND]
    folder = tmp_path_factory.mktemp("echo")
    with Twistd("web", *options, cwd=folder, reactor=request.param) as twistd:
        yield twistd
        with visit(twistd) as client:
            twistd.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(DEADLINE)
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, twistd.end()) == (1001, 0)
        assert "Traceback" not in twistd.output


def visit(server: Twistd, path: str = ECHO, **options: Any) -> ClientConnection:
    url = f"ws://127.0.0.1:{server.port('web')}{path}"
    client: ClientConnection = connect(
        url, open_timeout=DEADLINE, close_timeout=DEADLINE, proxy=None, max_size=None, **options
    )
    return client


def test_websockets_gets_its_words_back_and_1009_above_the_bound(server: Twistd) -> None:
    for compression in ("deflate", None):
        with visit(server, compression=compression) as client:
            for message in ("grüß dich", "", b"\0\xff", "long " * 50_000, bytes(1 << 20)):
                client.send(message)
                assert client.recv(DEADLINE) == message
            client.send(["in ", "pieces"])
            assert client.recv(DEADLINE) == "in pieces"
            client.ping().wait(DEADLINE)
            client.send(bytes((1 << 20) + 1))
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(DEADLINE)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009


def test_aiohttp_gets_its_words_back(server: Twistd) -> None:
    async def talk() -> None:
        url = f"http://127.0.0.1:{server.port('web')}{ECHO}"
        async with aiohttp.ClientSession() as session:
            for window in (0, 15):
                async with session.ws_connect(url, compress=window, max_msg_size=0) as ws:
                    await ws.send_str("grüß dich" * 1000)
                    assert await ws.receive_str() == "grüß dich" * 1000
                    await ws.send_bytes(bytes(1 << 20))
                    assert await ws.receive_bytes() == bytes(1 << 20)
                    await ws.close(code=4000, message=b"enough")
                    assert ws.close_code == 4000

    asyncio.run(asyncio.wait_for(talk(), DEADLINE))


def test_pages_of_others_and_other_paths_are_refused(server: Twistd) -> None:
    for origin, status in (("http://evil.example", 403), ("null", 403)):
        with pytest.raises(InvalidStatus) as caught, visit(server, origin=Origin(origin)):
            pass
        assert caught.value.response.status_code == status
    with visit(server, origin=Origin(FRIEND)) as client:
        client.send("hello")
        assert client.recv(DEADLINE) == "hello"
    with pytest.raises(InvalidStatus) as caught, visit(server, ECHO + "/below"):
        pass
    assert caught.value.response.status_code == 404
    curl = program("curl", "curl")
    url = f"http://127.0.0.1:{server.port('web')}{ECHO}"
    told = run(curl, "-sS", "-i", url, cwd=Path("/")).stdout
    assert told.startswith(b"HTTP/1.1 426 ")


def queued(server: Twistd) -> int:
    """Bytes that wait for slow peers, as Prometheus is told."""
    url = f"http://127.0.0.1:{server.port('web')}/metrics"
    told = run(program("curl", "curl"), "-sS", url, cwd=Path("/")).stdout.decode()
    (line,) = (each for each in told.splitlines() if each.startswith("proto_echo_socket_queue_"))
    return int(float(line.split()[1]))


def test_who_does_not_read_cannot_send_and_nothing_is_lost(server: Twistd) -> None:
    chunk = masked(2, bytes(65536)) * 16
    with socket.socket() as slow, visit(server) as other:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(DEADLINE)
        slow.connect(("127.0.0.1", server.port("web")))
        slow.sendall(request_bytes(ECHO, "GET", UPGRADE, b""))
        read_until(slow, b"\r\n\r\n")
        slow.setblocking(False)
        sent = 0
        while select.select([], [slow], [], 0.5)[1]:  # until nobody takes any more
            sent += slow.send(chunk[sent % len(chunk) :])
            assert sent < 64 << 20
        assert 0 < queued(server) < 8 << 20
        other.send("hello")
        assert other.recv(DEADLINE) == "hello"
        slow.settimeout(DEADLINE)
        frame = 65536 + 10  # the server's are not masked
        whole = sent // (frame + 4)
        expected = whole * frame
        while expected > 0:
            expected -= len(slow.recv(min(expected, 1 << 20)))
        assert queued(server) == 0


def test_a_peer_that_stops_sending_is_hung_up_on_in_order(server: Twistd) -> None:
    with dial(server.port("web")) as peer:
        peer.sendall(request_bytes(ECHO, "GET", UPGRADE, b"") + masked(1, b"last"))
        read_until(peer, b"\x81\x04last")
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b""


SCRIPT: Final = """
const done = arguments[arguments.length - 1], heard = [];
const socket = new WebSocket(arguments[0]);
socket.binaryType = "arraybuffer";
socket.onopen = () => {
  heard.push(socket.extensions);
  for (const message of ["grüß dich".repeat(1000), new Uint8Array(1 << 20)]) socket.send(message);
};
socket.onmessage = (event) => {
  heard.push(typeof event.data == "string" ? event.data : event.data.byteLength);
  if (heard.length == 3) socket.close(4000, "enough");
};
socket.onclose = (event) => done([...heard, event.code, event.reason, event.wasClean]);
"""


def test_a_browser_gets_its_words_back(tmp_path: Path) -> None:
    with (
        Twistd("web", "-p", "0", "--ws-echo", ECHO, cwd=tmp_path) as server,
        chromium(tmp_path / "profile") as browser,
    ):
        place = f"127.0.0.1:{server.port('web')}"
        browser.driver.set_script_timeout(DEADLINE)
        browser.driver.get(f"http://{place}/hello/you")
        told = browser.driver.execute_async_script(SCRIPT, f"ws://{place}{ECHO}")
        offered, words, size, *ending = told
        assert offered.startswith("permessage-deflate")
        assert (words, size) == ("grüß dich" * 1000, 1 << 20)
        assert ending == [4000, "enough", True]
