"""`--wsgi` on a real twistd: Flask, Django and odd applications, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.certificate import write_pair
from tests.system.programs import (
    DEADLINE,
    TWISTD,
    Twistd,
    dial,
    environment,
    program,
    read_all,
    read_until,
    run,
)

FLASK: Final = """
import hashlib
from flask import Flask, Response, jsonify, request

app = Flask(__name__)

@app.get("/")
def index():
    response = Response("hello from Flask")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response

@app.post("/form")
def form():
    return jsonify(name=request.form["name"], size=len(request.files["file"].read()))

@app.route("/sum", methods=["POST", "PUT"])
def sum():
    digest = hashlib.sha256()
    while chunk := request.stream.read(10_000):
        digest.update(chunk)
    return digest.hexdigest()

@app.get("/stream")
def stream():
    return Response(f"line {number}\\n" for number in range(1000))

@app.get("/boom")
def boom():
    raise RuntimeError("secret")
"""
DJANGO: Final = """
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], DEBUG=False)

def index(request):
    return HttpResponse(f"hello from Django at {request.path}, {request.scheme}")

def form(request):
    size = len(request.FILES["file"].read())
    return JsonResponse({"name": request.POST["name"], "size": size})

def stream(request):
    return StreamingHttpResponse(f"line {number}\\n" for number in range(1000))

urlpatterns = [path("", index), path("form", form), path("stream", stream)]
app = get_wsgi_application()
"""
ODD: Final = """
import os, time
from pathlib import Path

def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/environ":
        names = sorted(name for name in environ if not name.startswith("wsgi."))
        return ["\\n".join(f"{name}={environ[name]}" for name in names).encode()]
    if path == "/endless":
        return Endless()
    if path.startswith("/wait/"):
        Path(path[6:] + ".begun").touch()
        while not Path(path[6:]).exists():
            time.sleep(0.01)
    return [b"done"]

class Endless:
    def __iter__(self):
        while True:
            yield b"x" * 10_000
    def close(self):
        Path("closed").touch()

def shout(inner):
    def app(environ, start_response):
        return [part.upper() for part in inner(environ, start_response)]
    return app

def quote(inner):
    def app(environ, start_response):
        return [b"<" + part + b">" for part in inner(environ, start_response)]
    return app
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wsgi")
    write_pair(folder)
    (folder / "modules").mkdir()
    (folder / "flask_site.py").write_text(FLASK)
    (folder / "modules" / "django_site.py").write_text(DJANGO)
    (folder / "odd.py").write_text(ODD)
    return folder


@pytest.fixture(scope="module", params=[None, "lean"])
def server(folder: Path, request: pytest.FixtureRequest) -> Iterator[Twistd]:
    with Twistd(
        *("web", "--port", "0", "--port", "tls:0", "--tls", "."),
        *(
            "--wsgi",
            "flask_site:app",
            "--wsgi",
            "/django=django_site.app",
            "--wsgi",
            "/odd=odd:app",
        ),
        *("--wsgi-path", "modules", "--wsgi-threads", "4", "--logfile", "access.log"),
        cwd=folder,
        reactor=request.param,
        env=environment(SECRET_OF_OURS="never told"),
    ) as running:
        yield running


@pytest.fixture(params=["http", "https"])
def base(server: Twistd, request: pytest.FixtureRequest) -> str:
    kind = {"http": "tcp", "https": "tls"}[request.param]
    return f"{request.param}://127.0.0.1:{server.port('web', kind)}"


def curl(folder: Path, url: str, *options: str, stdin: bytes = b"") -> str:
    """What curl prints; over TLS it speaks HTTP/2."""
    version = "--http2" if url.startswith("https") else "--http1.1"
    command = program("curl", "curl"), "-sSk", version, "-m", str(DEADLINE), *options, url
    done = run(*command, cwd=folder, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("latin-1")


@pytest.mark.parametrize(("path", "told"), [("/", "Flask"), ("/django/", "Django at /django/, ")])
def test_a_framework_answers_at_its_path(folder: Path, base: str, path: str, told: str) -> None:
    answer = curl(folder, base + path)
    assert answer.startswith(f"hello from {told}")
    assert "Django" not in answer or answer.endswith(base.partition(":")[0])


@pytest.mark.parametrize("path", ["/", "/stream", "/django/", "/odd/endless"])
def test_head_has_no_body(folder: Path, base: str, path: str) -> None:
    head = curl(folder, base + path, "-I")
    assert head.split(" ")[1] == "200"
    assert head.endswith("\r\n\r\n")


def test_cookies_stay_apart(folder: Path, base: str) -> None:
    head = curl(folder, f"{base}/", "-D", "-", "-o", "/dev/null").lower()
    assert head.count("set-cookie: ") == 2


@pytest.mark.parametrize("path", ["/form", "/django/form"])
def test_a_form_with_a_file_arrives(folder: Path, base: str, path: str) -> None:
    (folder / "file").write_bytes(os.urandom(3_000_000))
    answer = curl(folder, base + path, "-F", "name=ann", "-F", "file=@file")
    assert json.loads(answer) == {"name": "ann", "size": 3_000_000}


@pytest.mark.parametrize("path", ["/stream", "/django/stream"])
def test_a_stream_arrives(folder: Path, base: str, path: str) -> None:
    lines = "".join(f"line {number}\n" for number in range(1000))
    assert curl(folder, base + path) == lines


@pytest.mark.parametrize("expect", ["", "100-continue"])
def test_a_body_of_unknown_length_arrives(folder: Path, base: str, expect: str) -> None:
    body = os.urandom(2_000_000)
    told = curl(folder, f"{base}/sum", "-T", "-", "-H", f"Expect: {expect}", stdin=body)
    assert told == hashlib.sha256(body).hexdigest()


def test_100_continue_comes_when_the_application_reads(folder: Path, server: Twistd) -> None:
    with dial(server.port("web")) as peer:
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        peer.sendall(head % b"/sum")
        assert read_until(peer, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(b"ok")
        assert read_until(peer, hashlib.sha256(b"ok").hexdigest().encode())
    with dial(server.port("web")) as peer:
        peer.sendall(head % b"/odd/x")
        assert read_until(peer, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_nothing_of_our_environment_is_told(folder: Path, base: str) -> None:
    options = ("-H", "Proxy: evil", "-H", "X_Real_IP: evil", "-H", "X-A: 1", "-A", "x")
    told = curl(folder, f"{base}/odd/environ?a=b", *options)
    names = [line.partition("=")[0] for line in told.splitlines()]
    secure = ["HTTPS"] if base.startswith("https") else []
    assert names == [
        *secure,
        *("HTTP_ACCEPT", "HTTP_HOST", "HTTP_USER_AGENT", "HTTP_X_A", "PATH_INFO", "QUERY_STRING"),
        *("REMOTE_ADDR", "REMOTE_PORT", "REQUEST_METHOD", "REQUEST_URI", "SCRIPT_NAME"),
        *("SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE"),
    ]
    assert "never told" not in told
    assert "evil" not in told


def test_a_failure_is_a_page_and_a_traceback_in_the_log(folder: Path, server: Twistd) -> None:
    url = f"http://127.0.0.1:{server.port('web')}/boom"
    assert "secret" not in curl(folder, url)
    server.wait_for("RuntimeError: secret")


def test_the_body_is_closed_when_the_client_is_gone(folder: Path, base: str) -> None:
    (folder / "closed").unlink(missing_ok=True)
    command = program("curl", "curl"), "-sk", "--http2"
    assert run(
        *command, "-o", "/dev/null", "-m", "0.3", f"{base}/odd/endless", cwd=folder
    ).returncode
    until_there(folder / "closed")


def until_there(path: Path) -> None:
    """Wait for a file that somebody makes."""
    end = time.monotonic() + DEADLINE
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        threading.Event().wait(0.01)


def test_too_many_are_refused_and_the_others_are_served_before_the_end(folder: Path) -> None:
    command = ["web", "-p", "0", "--wsgi", "odd:app", "--wsgi-threads", "2", "--wsgi-queue", "3"]
    around = ["--wsgi-middleware", "odd:shout", "--wsgi-middleware", "odd:quote"]
    request = b"GET /wait/go HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with Twistd(*command, *around, cwd=folder) as server, ExitStack() as stack:
        peers = [stack.enter_context(dial(server.port("web"))) for _ in range(12)]
        for peer in peers:
            peer.sendall(request)
        server.wait_for('(?s)(" 503 .*){7}')
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("received SIGTERM, stopping")
        (folder / "go").touch()
        answers = [read_all(peer) for peer in peers]
        refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
        assert len(refused) == 7
        assert all(b"\r\nRetry-After: 1\r\n" in answer for answer in refused)
        assert sum(answer.endswith(b"\r\n\r\n<DONE>") for answer in answers) == 5
        assert server.end() == 0


def test_a_call_without_an_end_does_not_keep_the_service(folder: Path) -> None:
    with Twistd("web", "-p", "0", "--wsgi", "odd:app", "--grace", "0.1", cwd=folder) as server:
        with dial(server.port("web")) as peer:
            peer.sendall(b"GET /wait/never HTTP/1.1\r\nHost: x\r\n\r\n")
            until_there(folder / "never.begun")
            assert server.end(signal.SIGTERM) == 0
        assert "1 calls of applications did not end within 2 s" in server.output


def the_line(folder: Path, *command: str) -> str:
    """The one line that a start that fails leaves."""
    done = run(TWISTD, "-n", *command, cwd=folder)
    lines = (done.stdout + done.stderr).decode().splitlines()
    assert done.returncode == 1
    assert len(lines) == 1, lines
    return lines[0]


def test_a_wrong_start_is_one_line(folder: Path) -> None:
    line = the_line(folder, "web", "-p", "0", "--wsgi", "nowhere:app")
    assert "--wsgi nowhere:app cannot be used (ModuleNotFoundError: No module named" in line


def test_a_mistake_is_found_without_a_start(folder: Path) -> None:
    settings = "[web]\nport = 0\nwsgi = 'odd:app'\nwsgi-middleware = ['odd:shout', 'odd:none']\n"
    (folder / "proto.toml").write_text(settings)
    line = the_line(folder, "proto", "--check", "--config", "proto.toml")
    assert "odd:none cannot be used (AttributeError: module 'odd' has no attribute 'none')" in line
