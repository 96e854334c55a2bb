"""`twistd -n web --proxy` in front of real servers: nginx, Flask, our own, and some that lie."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.certificate import write_pair
from tests.system.liars import MIB, PIECE, Liar, liar, peak
from tests.system.programs import (
    DEADLINE,
    Twistd,
    dial,
    program,
    read_all,
    read_until,
    run,
)
from tests.system.upstreams import three

LOOPBACK: Final = "tcp:0:interface=127.0.0.1"
REACTORS: Final = [None, "lean"]
CLIENTS: Final = 4
LARGE: Final = 192 * MIB


@contextmanager
def proxy(
    folder: Path, *routes: str, options: tuple[str, ...] = (), reactor: str | None = None
) -> Iterator[tuple[Twistd, int]]:
    words = [word for route in routes for word in ("--proxy", route)]
    with Twistd("web", "-p", LOOPBACK, *words, *options, cwd=folder, reactor=reactor) as server:
        yield server, server.port("web")


class Clients:
    """Some who ask again and again, over connections that they keep."""

    def __init__(self, port: int) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self._port = port
        self._is_over = threading.Event()
        self._news = threading.Condition()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(DEADLINE)

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        with self._news:
            end = len(self.answers) + count
            assert self._news.wait_for(lambda: len(self.answers) >= end, DEADLINE)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE)
        while not self._is_over.is_set():
            connection.request("GET", "/who")
            answer = connection.getresponse()
            told = (answer.status, answer.read())
            with self._news:
                self.answers.append(told)
                self._news.notify_all()
        connection.close()


def test_no_get_fails_while_servers_are_killed_and_come_back(tmp_path: Path) -> None:
    with three(tmp_path) as servers:
        listed = ",".join(f"http://127.0.0.1:{each.port} fail_timeout=100ms" for each in servers)
        with proxy(tmp_path, f"/={listed}") as (_, port), Clients(port) as clients:
            for server in servers:
                clients.more(30)
                server.kill()
                clients.more(30)
                server.start()
            clients.more(60)
    assert {status for status, _ in clients.answers} == {200}
    assert {name for _, name in clients.answers} == {b"nginx", b"flask", b"ours"}


def asked(port: int, path: str) -> bytes:
    with dial(port) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return read_all(connection)


@pytest.fixture(scope="module")
def wrong() -> Iterator[Liar]:
    with liar() as server:
        yield server


@pytest.fixture(scope="module", params=REACTORS)
def running(
    request: pytest.FixtureRequest, wrong: Liar, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Twistd]:
    """A proxy in front of the one that lies."""
    folder = tmp_path_factory.mktemp("proxy")
    options = ("--proxy-read-timeout", "0.5", "--proxy-max-body", "8 GiB")
    route = f"/at=http://127.0.0.1:{wrong.port}/"
    with proxy(folder, route, options=options, reactor=request.param) as (server, port):
        assert asked(port, "/hello/you").startswith(b"HTTP/1.1 200 OK")
        yield server
        assert asked(port, "/hello/you").startswith(b"HTTP/1.1 200 OK")
        assert "Traceback" not in server.output


def test_servers_that_lie_are_found_out(running: Twistd) -> None:
    port = running.port("web")
    for path, status in (
        *[("/at/double", b"502"), ("/at/bare", b"502"), ("/at/endless-head", b"502")],
        *[("/at/silent", b"504"), ("/at/nothing", b"502")],
    ):
        told = asked(port, path)
        assert told.startswith(b"HTTP/1.1 " + status), path
        assert b"abc" not in told
        assert told.count(b"HTTP/1.1") == 1
    for path, body in (("/at/short", b"abc"), ("/at/chunks", b"3\r\nabc\r\n")):
        told = asked(port, path)
        # The kernel decides whether what is good comes before what is not, or with it.
        assert told.startswith(b"HTTP/1.1 502") or told.endswith(b"\r\n\r\n" + body), path


def test_a_server_that_resets_breaks_the_answer_off(running: Twistd) -> None:
    told = asked(running.port("web"), "/at/reset")
    assert told.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 10\r\n" in told
    assert told.endswith(b"\r\n\r\nabc")


def test_a_client_that_leaves_is_not_worked_for_any_more(running: Twistd, wrong: Liar) -> None:
    with dial(running.port("web")) as connection:
        connection.sendall(b"GET /at/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(connection, b"\r\n\r\n")
    assert wrong.left.acquire(timeout=DEADLINE)


def test_a_reader_that_stalls_holds_the_server_and_takes_no_memory(
    running: Twistd, wrong: Liar
) -> None:
    before = peak(running.process.pid)
    with dial(running.port("web")) as connection, dial(running.port("web")) as other:
        connection.sendall(b"GET /at/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(connection, b"\r\n\r\n")
        seen, count = -1, 0
        while count < 50:  # each answer takes turns in which the bytes could go on
            other.sendall(b"GET /hello/you HTTP/1.1\r\nHost: x\r\n\r\n")
            read_until(other, b"</html>\n")
            count = count + 1 if wrong.sent == seen else 0
            seen = wrong.sent
    # What was taken is in the kernel's buffers of four sockets.
    assert wrong.sent < 32 * MIB
    assert peak(running.process.pid) - before < 16 * MIB
    assert wrong.left.acquire(timeout=DEADLINE)


def test_a_large_body_passes_both_ways_through_little_memory(running: Twistd, wrong: Liar) -> None:
    before = peak(running.process.pid)
    with dial(running.port("web")) as connection:
        head = f"POST /at/large HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGE}\r\n\r\n"
        connection.sendall(head.encode())
        for _ in range(LARGE // len(PIECE)):
            connection.sendall(PIECE)
        told, _, rest = read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 200")
        assert wrong.received == LARGE
        size = len(rest)
        while size < LARGE:
            piece = connection.recv(len(PIECE))
            assert piece
            size += len(piece)
    assert size == LARGE
    assert peak(running.process.pid) - before < 64 * MIB


def test_a_websocket_goes_through(tmp_path: Path) -> None:
    with Twistd("web", "-p", LOOPBACK, "--ws-echo", "/echo", cwd=tmp_path) as server:
        upstream = f"/ws=http://127.0.0.1:{server.port('web')}/echo"
        with proxy(tmp_path, upstream, options=("--proxy-host", "keep")) as (
            running,
            port,
        ):
            with connect(f"ws://127.0.0.1:{port}/ws") as socket_:
                for size in (3, 70_000):
                    socket_.send("x" * size)
                    assert socket_.recv(DEADLINE) == "x" * size
            with connect(f"ws://127.0.0.1:{port}/ws") as socket_:
                server.process.kill()
                with pytest.raises(ConnectionClosed):
                    socket_.recv(DEADLINE)
            assert asked(port, "/ws").startswith(b"HTTP/1.1 502")
            assert "Traceback" not in running.output


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[int]:
    """The port of a server of ours that speaks TLS with a certificate that nobody knows."""
    (tmp_path / "certs").mkdir()
    write_pair(tmp_path / "certs", "localhost")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "file").write_text("well done")
    ports = ("-p", "tls:0:interface=127.0.0.1", "-p", f"unix:{tmp_path}/site.sock")
    words = ("web", *ports, "--tls", "certs", "--path", "site")
    with Twistd(*words, cwd=tmp_path) as server:
        yield server.port("web", "tls")


def test_a_server_with_tls_must_show_a_certificate_that_can_be_verified(
    tmp_path: Path, secure: int
) -> None:
    routes = (f"/tls=https://localhost:{secure}/", f"/unix=unix:{tmp_path}/site.sock:/")
    with proxy(tmp_path, *routes) as (_, port):
        assert asked(port, "/tls/file").startswith(b"HTTP/1.1 502")
        assert asked(port, "/unix/file").endswith(b"\r\n\r\nwell done")
    with proxy(tmp_path, *routes, options=("--proxy-insecure",)) as (_, port):
        assert asked(port, "/tls/file").endswith(b"\r\n\r\nwell done")


def test_a_client_may_speak_http_2(tmp_path: Path, wrong: Liar) -> None:
    (tmp_path / "certs").mkdir()
    write_pair(tmp_path / "certs", "localhost")
    route = f"/at=http://127.0.0.1:{wrong.port}/"
    options = ("--tls", "certs", "--proxy-trust", "127.0.0.1")
    command = ("web", "-p", "tls:0:interface=127.0.0.1", "--proxy", route, *options)
    with Twistd(*command, cwd=tmp_path) as server:
        port = server.port("web", "tls")
        done = run(
            *(program("curl", "curl"), "-sSik", "--http2", "--data-binary", "hello, end"),
            *("-H", "X-Forwarded-For: 203.0.113.7", "-H", "Cookie: a=b; c=d"),
            f"https://127.0.0.1:{port}/at/copy",
            cwd=tmp_path,
        )
    head, _, told = done.stdout.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/2 200")
    assert told.startswith(f"POST /copy HTTP/1.1\r\nHost: 127.0.0.1:{wrong.port}\r\n")
    assert told.endswith("\r\n\r\nhello, end")
    for line in (
        "X-Forwarded-For: 203.0.113.7, 127.0.0.1",
        "X-Real-IP: 203.0.113.7",
        "X-Forwarded-Proto: https",
        "Content-Length: 10",
        "Cookie: a=b; c=d",
        "Via: 2.0 proto",
    ):
        assert f"\r\n{line}\r\n" in told
