"""Servers to stand behind the proxy: real ones that are killed and come back, and a small one.

Each answers `/who` with its name, and `/health`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.system.programs import DEADLINE, TWISTD, Program, free_port, program

_NGINX: Final = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /who {{ return 200 "nginx"; }}
        location /health {{ return 204; }}
    }}
}}
"""
_FLASK: Final = """\
import flask

app = flask.Flask(__name__)


@app.get("/who")
def who():
    return "flask"


@app.get("/health")
def health():
    return "", 204
"""
KINDS: Final = ("nginx", "flask", "ours")


class Restarted:
    """A real server on a port of its own, which it has again after it was killed."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.port = free_port()
        self._folder = folder / kind
        self._folder.mkdir()
        self._running: Program | None = None
        self._ready = ""

    def start(self) -> None:
        """Begin to start it."""
        words, self._ready = getattr(self, f"_{self.kind}")()
        self._running = Program(*words, cwd=self._folder)

    def listens(self) -> None:
        """Wait until it does."""
        assert self._running is not None
        self._running.wait_for(self._ready)

    def kill(self) -> None:
        """End it and its children, in the middle of what they do."""
        if self._running is not None:
            running, self._running = self._running, None
            os.killpg(running.process.pid, signal.SIGKILL)
            with running:
                running.process.wait(DEADLINE)

    def _nginx(self) -> tuple[list[str], str]:
        settings = self._folder / "nginx.conf"
        settings.write_text(_NGINX.format(folder=self._folder, port=self.port))
        words = ["-p", str(self._folder), "-e", "stderr", "-c", str(settings)]
        return [program("nginx", "nginx-light"), *words], r"getrlimit\(RLIMIT_NOFILE\)"

    def _flask(self) -> tuple[list[str], str]:
        (self._folder / "app.py").write_text(_FLASK)
        words = ["--bind", f"127.0.0.1:{self.port}", "--threads", "8", "--keep-alive", "30"]
        gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket"]
        return [*gunicorn, *words, "app:app"], r"Booting worker"

    def _ours(self) -> tuple[list[str], str]:
        (self._folder / "who").write_text("ours")
        (self._folder / "health").write_text("well")
        port = f"tcp:{self.port}:interface=127.0.0.1"
        words = ["--pidfile=", "-n", "web", "--port", port, "--path", str(self._folder)]
        return [TWISTD, *words], r"ready: "


@contextmanager
def three(folder: Path) -> Iterator[list[Restarted]]:
    """One of each kind; they end with the `with` block."""
    servers = [Restarted(kind, folder) for kind in KINDS]
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.listens()
        yield servers
    finally:
        for server in servers:
            server.kill()


class Small:
    """A server in a thread, which a test makes ill or slow."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_well = True
        """What /health says."""
        self.fails = False
        """/who breaks off without an answer."""
        self.held = threading.Semaphore(0)
        """A request for /slow takes one, and waits for it."""
        self.asked = 0
        """How often /who was."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _of(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(DEADLINE)


@contextmanager
def small(*names: str) -> Iterator[list[Small]]:
    """Servers that live as long as the `with` block."""
    servers = [Small(name) for name in names]
    for server in servers:
        server.start()
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()


def _of(server: Small) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # a head and a body in two packets would wait for each other

        # The standard library calls these.
        def do_GET(self) -> None:
            if self.path == "/slow":
                server.held.acquire(timeout=DEADLINE)
            if self.path != "/health":
                server.asked += 1
                if server.fails:
                    self.close_connection = True
                    return
            body = server.name.encode()
            is_ill = self.path == "/health" and not server.is_well
            self.send_response(503 if is_ill else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    return Answer
