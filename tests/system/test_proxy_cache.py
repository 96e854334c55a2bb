"""`twistd -n web --proxy --proxy-cache` in front of a server that counts what it is asked."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.programs import DEADLINE, TWISTD, Program, Twistd, free_port, program, run

LOOPBACK: Final = "tcp:0:interface=127.0.0.1"
MINUTE: Final = {"Cache-Control": "max-age=60"}
CROWD: Final = 100

Answer = tuple[int, dict[str, str], bytes]


class Asked(BaseHTTPRequestHandler):
    """One connection to the upstream."""

    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        self.server.answer(self)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing: the tests count."""


class Upstream(ThreadingHTTPServer):
    """A server that counts; its bodies tell how often they were made."""

    request_queue_size = 256
    daemon_threads = False

    def __init__(self, **control: str) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.counts: Counter[str] = Counter()
        self.fields: dict[str, str] = control or MINUTE
        self.status = 200
        self.breaks_off = False
        self.go = threading.Event()
        self.go.set()
        self._lock = threading.Lock()
        self._open: set[Any] = set()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def stop(self) -> None:
        """Be gone, and all connections with it."""
        self.shutdown()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    # The server's own threads call these.
    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """A proxy that is killed resets its connections."""

    def answer(self, asked: Asked) -> None:
        with self._lock:
            self.counts[f"{asked.command} {asked.path}"] += 1
            made = sum(self.counts.values())
        assert self.go.wait(DEADLINE)
        body = f"{asked.path} {made} ".encode() + b"x" * 1000
        is_same = asked.headers.get("If-None-Match") == '"same"'
        asked.send_response(304 if is_same else self.status)
        for name, value in self.fields.items():
            asked.send_header(name, value)
        if not is_same:
            asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        if asked.command != "HEAD" and not is_same:
            asked.wfile.write(body[:500] if self.breaks_off else body)
        asked.close_connection = asked.close_connection or self.breaks_off


@contextmanager
def upstream(**control: str) -> Iterator[Upstream]:
    server = Upstream(**control)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield server
    finally:
        server.go.set()
        server.stop()
        serving.join(DEADLINE)


@contextmanager
def proxy(
    folder: Path, server: Upstream, store: str, *options: str, **more: Any
) -> Iterator[tuple[Twistd, int]]:
    words = ["web", "-p", LOOPBACK, "--proxy", f"/=http://127.0.0.1:{server.port}"]
    words += ["--proxy-cache", store, *options]
    with Twistd(*words, cwd=folder, **more) as running:
        yield running, running.port("web")


def ask(port: int, path: str = "/a", method: str = "GET", **fields: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    # The host is a part of what is asked for; each proxy has a port of its own.
    connection.request(method, path, headers={"Host": "a.test", **named})
    reply = connection.getresponse()
    try:
        body = reply.read()
    finally:
        connection.close()
    return reply.status, dict(reply.getheaders()), body


def told(answer: Answer) -> str:
    return answer[1].get("Cache-Status", "")


@pytest.mark.parametrize("reactor", [None, "lean"])
def test_one_fetch_answers_a_crowd_and_whoever_comes_later(
    tmp_path: Path, reactor: str | None
) -> None:
    with upstream() as server, proxy(tmp_path, server, "memory:1M", reactor=reactor) as (_, port):
        server.go.clear()
        answers: list[Answer] = []
        crowd = [threading.Thread(target=lambda: answers.append(ask(port))) for _ in range(CROWD)]
        for each in crowd:
            each.start()
        server.go.set()
        for each in crowd:
            each.join(DEADLINE)
        assert len(answers) == CROWD
        assert len({(status, body) for status, _, body in answers}) == 1
        assert server.counts == {"GET /a": 1}
        assert told(ask(port, method="HEAD")).startswith("proto; hit; ttl=")
        assert ask(port, Range="bytes=0-1")[2] == b"/a"
        assert "Age" in ask(port)[1]
        assert told(ask(port, method="POST")) == "proto; fwd=method"
        assert told(ask(port)) == "proto; fwd=uri-miss; stored"
        assert server.counts == {"GET /a": 2, "POST /a": 1}


def test_what_breaks_off_is_never_given_again(tmp_path: Path) -> None:
    with upstream() as server, proxy(tmp_path, server, "memory:1M") as (_, port):
        server.breaks_off = True
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            ask(port)
        server.breaks_off = False
        assert len(ask(port)[2]) > 1000
        assert server.counts == {"GET /a": 2}


def test_what_is_stale_helps_out_when_the_server_is_gone(tmp_path: Path) -> None:
    fields = {"Cache-Control": "max-age=0, stale-if-error=60", "ETag": '"same"'}
    with upstream(**fields) as server, proxy(tmp_path, server, "memory:1M") as (_, port):
        first = ask(port)
        assert told(ask(port)) == "proto; fwd=stale; fwd-status=304"
        server.status = 503
        server.fields = {"ETag": '"same"'}
        server.fields["ETag"] = '"other"'
        helped = ask(port)
        assert (helped[0], helped[2]) == (200, first[2])
        server.fields = {"Cache-Control": "max-age=0, must-revalidate", "ETag": '"new"'}
        server.status = 200
        ask(port, "/b")
        server.stop()
        assert ask(port)[2] == first[2]
        assert ask(port, "/b")[0] == 502


def test_a_folder_outlives_a_proxy_that_is_killed(tmp_path: Path) -> None:
    paths = [f"/{number}" for number in range(20)]
    with upstream() as server:
        with proxy(tmp_path, server, "files:kept:1M") as (running, port):
            bodies = [ask(port, path)[2] for path in paths]
            wait_for_files(tmp_path / "kept", len(paths))
            running.end(signal.SIGKILL)
        for torn in list((tmp_path / "kept").iterdir())[:3]:
            torn.write_bytes(torn.read_bytes()[:500])
        (tmp_path / "kept" / ("0" * 64)).write_bytes(b"foreign")
        with proxy(tmp_path, server, "files:kept:1M") as (_, port):
            again = [ask(port, path)[2] for path in paths]
        assert sum(one != other for one, other in zip(bodies, again, strict=True)) <= 3
        assert len(paths) < sum(server.counts.values()) <= len(paths) + 3


def test_workers_share_a_folder(tmp_path: Path) -> None:
    paths = [f"/{number}" for number in range(10)]
    with (
        upstream() as server,
        proxy(tmp_path, server, "files:kept:1M", "--workers", "2") as (_, port),
    ):
        bodies = [ask(port, path)[2] for path in paths]
        wait_for_files(tmp_path / "kept", len(paths))
        for _ in range(5):  # each over a connection of its own, to whichever of them
            assert [ask(port, path)[2] for path in paths] == bodies
        assert set(server.counts.values()) == {1}


def wait_for_files(folder: Path, count: int) -> None:
    """A body is whole before its file is."""
    end = threading.Event()
    for _ in range(int(DEADLINE * 100)):
        if sum(1 for each in folder.iterdir() if len(each.name) == 64) >= count:
            return
        end.wait(0.01)
    pytest.fail("not all of it was written")


@contextmanager
def memcached(folder: Path, port: int) -> Iterator[Program]:
    name = program("memcached", "memcached")
    command = (name, "-u", "nobody", "-p", str(port), "-l", "127.0.0.1", "-vv")
    with Program(*command, cwd=folder) as running:
        running.wait_for("server listening")
        yield running


def hits_again(port: int, path: str) -> None:
    """Ask until the store is back; each answer is one all the same."""
    for _ in range(2000):
        status, fields, _ = ask(port, path)
        assert status == 200
        if fields["Cache-Status"].startswith("proto; hit"):
            return
    pytest.fail("memcached is not asked again")


def test_a_memcached_may_die_and_come_back_in_the_middle(tmp_path: Path) -> None:
    at = free_port()
    store = f"memcached:127.0.0.1:{at}"
    with (
        upstream() as server,
        memcached(tmp_path, at) as running,
        proxy(tmp_path, server, store) as (web, port),
    ):
        hits_again(port, "/b")
        asking = Asking(port)
        asking.more(50)
        running.process.kill()
        web.wait_for("is away, nothing is cached")
        asking.more(50)
        with memcached(tmp_path, at):
            web.wait_for("answers again")
            hits_again(port, "/c")
            asking.more(50)
            assert asking.stop() == {200}
        assert web.end(signal.SIGTERM) == 0


def test_two_proxies_share_a_memcached(tmp_path: Path) -> None:
    at = free_port()
    store = f"memcached:127.0.0.1:{at}"
    with (
        upstream() as server,
        memcached(tmp_path, at),
        proxy(tmp_path, server, store) as (_, one),
        proxy(tmp_path, server, store) as (_, two),
    ):
        hits_again(one, "/a")
        body = ask(one)[2]
        hits_again(two, "/a")
        assert ask(two)[2] == body
        ask(two, method="POST")
        assert ask(one)[2] != body


class Asking:
    """Somebody who asks again and again, for what is kept and for what is not."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._statuses: list[int] = []
        self._news = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def more(self, count: int) -> None:
        with self._news:
            end = len(self._statuses) + count
            assert self._news.wait_for(lambda: len(self._statuses) >= end, DEADLINE)

    def stop(self) -> set[int]:
        self._is_over = True
        self._thread.join(DEADLINE)
        return set(self._statuses)

    def _ask(self) -> None:
        number = 0
        while not self._is_over:
            number += 1
            status = ask(self._port, f"/{number % 7 if number % 2 else number}")[0]
            with self._news:
                self._statuses.append(status)
                self._news.notify_all()


def test_a_store_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    words = ("web", "-p", LOOPBACK, "--proxy", "/=http://127.0.0.1:9")
    done = run(
        *(TWISTD, "--pidfile=", "-n", *words, "--proxy-cache", "files:no/folder:1M"), cwd=tmp_path
    )
    assert done.returncode == 1
    said = (done.stdout + done.stderr).decode()
    assert "name a folder that can be written to" in said
    assert "Traceback" not in said
