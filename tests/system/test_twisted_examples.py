"""What is written for twisted.web runs unchanged on our site: in memory, and served by twistd."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import pytest
import pytest_twisted
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from proto.web.site import ProtoSite
from tests.support import connect
from tests.system.programs import DEADLINE, Twistd, dial
from tests.web.wire import hang_up

RPY: Final = """
from twisted.web.resource import Resource

class Scripted(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"made by a script, " + b"/".join(request.postpath)

resource = Scripted()
"""
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Reply:
    """An answer, its body decoded if it came in chunks."""

    status: int
    phrase: str
    fields: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each.lower() == name.lower()]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value


class Server(Protocol):
    """Where the examples are served."""

    async def ask(
        self, path: str, method: str = "GET", body: bytes = b"", **fields: str
    ) -> Reply: ...

    async def interrupt(self, path: str) -> None:
        """Ask, and leave when the request is being answered."""
        ...


def head_of(path: str, method: str, body: bytes, fields: dict[str, str]) -> bytes:
    lines = {"Host": "localhost", **{name.replace("_", "-"): text for name, text in fields.items()}}
    if body or method in ("POST", "PUT"):
        lines["Content-Length"] = str(len(body))
    told = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{told}\r\n".encode()


def read_reply(method: str, stream: Any) -> Reply:
    """Raises HTTPException for an answer that is not whole."""
    response = http.client.HTTPResponse(stream, method=method)
    response.begin()
    return Reply(response.status, response.reason, response.getheaders(), response.read())


class _Stream:
    """Bytes as http.client wants them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@dataclass
class Memory:
    """The site on transports in memory."""

    site: ProtoSite
    reactor: Any

    async def ask(self, path: str, method: str = "GET", body: bytes = b"", **fields: str) -> Reply:
        protocol, wire = connect(self.site)
        protocol.dataReceived(head_of(path, method, body, fields))
        for start in range(0, len(body), 65536):
            protocol.dataReceived(body[start : start + 65536])
        end = self.reactor.seconds() + DEADLINE
        while True:
            try:
                reply = read_reply(method, _Stream(wire.value()))
                break
            except (http.client.HTTPException, ValueError):
                assert self.reactor.seconds() < end, wire.value()[:2000]
            await deferLater(self.reactor, 0.001, lambda: None)
        hang_up(protocol)
        return reply

    async def interrupt(self, path: str) -> None:
        protocol, _ = connect(self.site)
        protocol.dataReceived(head_of(path, "GET", b"", {}))
        hang_up(protocol)


@dataclass
class Real:
    """A twistd."""

    port: int

    async def ask(self, path: str, method: str = "GET", body: bytes = b"", **fields: str) -> Reply:
        with dial(self.port) as connection:
            connection.sendall(head_of(path, method, body, fields) + body)
            return read_reply(method, connection)

    async def interrupt(self, path: str) -> None:
        with dial(self.port) as connection:
            connection.sendall(head_of(path, "GET", b"", {}))
            # Who only closes may still be reading, so leave as a process that is killed does.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    (folder / "hello.txt").write_text("hello from a file\n")
    (folder / "scripted.rpy").write_text(RPY)
    return folder


@pytest.fixture(scope="module", params=["memory", "twistd", "lean"])
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    if request.param == "memory":
        from twisted.internet import reactor

        from tests.system.twisted_examples import Examples

        yield Memory(ProtoSite(Examples(str(folder)), cast(IReactorTime, reactor)), reactor)
        return
    command = ["web", "-p", "0", "--class", "tests.system.twisted_examples.Examples"]
    lean = "lean" if request.param == "lean" else None
    with Twistd(*command, cwd=folder, reactor=lean) as program:
        yield Real(program.port("web"))


async def text(server: Server, path: str, **fields: str) -> str:
    reply = await server.ask(path, "GET", b"", **fields)
    assert reply.status == 200
    return reply.body.decode()


@pytest_twisted.ensureDeferred
async def test_static_files(server: Server) -> None:
    reply = await server.ask("/files/hello.txt")
    assert (reply.status, reply.body) == (200, b"hello from a file\n")
    assert reply.one("Content-Type") == "text/plain"
    assert reply.one("Content-Length") == "18"
    part = await server.ask("/files/hello.txt", Range="bytes=0-4")
    assert (part.status, part.body) == (206, b"hello")
    head = await server.ask("/files/hello.txt", "HEAD")
    assert (head.status, head.body, head.one("Content-Length")) == (200, b"", "18")
    since = await server.ask("/files/hello.txt", If_Modified_Since=reply.one("Last-Modified"))
    assert (since.status, since.body) == (304, b"")
    assert b"hello.txt" in (await server.ask("/files/")).body
    assert (await server.ask("/files/none")).status == 404


@pytest_twisted.ensureDeferred
async def test_dynamic_url_dispatch_and_a_404_page(server: Server) -> None:
    assert "the year 1999" in await text(server, "/calendar/1999")
    assert "Welcome" in await text(server, "/calendar/")
    assert "Welcome" in await text(server, "/calendar")
    reply = await server.ask("/calendar/soon")
    assert reply.status == 404
    assert b"No Such Resource" in reply.body
    assert (await server.ask("/no/such/child")).status == 404
    assert (await server.ask("/forbidden")).status == 403


@pytest_twisted.ensureDeferred
async def test_an_answer_that_comes_late(server: Server) -> None:
    assert "Sorry to keep you waiting." in await text(server, "/delayed")
    reply = await server.ask("/coroutine")
    assert (reply.body, reply.one("Transfer-Encoding")) == (b"one two three", "chunked")
    assert await text(server, "/late") == "resource came late"


@pytest_twisted.ensureDeferred
async def test_a_request_that_is_interrupted(server: Server) -> None:
    await server.interrupt("/interrupted")
    assert await text(server, "/interrupted/ends") in (
        "ConnectionDone",
        "ConnectionLost",
        "ConnectionAborted",
    )


@pytest_twisted.ensureDeferred
async def test_forms(server: Server) -> None:
    assert '<form method="POST">' in await text(server, "/form")
    sent = b"the-field=%3Cb%3E+%26+caf%C3%A9&other=1"
    reply = await server.ask("/form", "POST", sent, **FORM)
    assert "You submitted: &lt;b&gt; &amp; caf\u00e9<" in reply.body.decode()
    parts = (
        b'--b\r\nContent-Disposition: form-data; name="the-field"\r\n\r\nin parts\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n\x00\xff\r\n'
        b"--b--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    reply = await server.ask("/form", "POST", parts, **kind)
    assert b"You submitted: in parts<" in reply.body
    refused = await server.ask("/form", "DELETE")
    assert refused.status == 405
    assert {"GET", "HEAD", "POST"} <= set(refused.one("Allow").split(", "))


@pytest_twisted.ensureDeferred
async def test_a_large_upload(server: Server) -> None:
    body = os.urandom(1024) * 5000
    body = b"1234" + body
    reply = await server.ask("/upload", "PUT", body)
    assert json.loads(reply.body) == [len(body), "1234"]
    assert reply.one("Content-Type") == "application/json"
    empty = await server.ask("/upload", "PUT")
    assert json.loads(empty.body) == [0, ""]


@pytest_twisted.ensureDeferred
async def test_sessions(server: Server) -> None:
    first = await server.ask("/session")
    cookie = first.one("Set-Cookie").partition(";")[0]
    assert cookie.startswith("TWISTED_SESSION=")
    assert first.body == b"1 in " + cookie.partition("=")[2].encode()
    second = await server.ask("/session", Cookie=cookie)
    assert second.body.startswith(b"2 in ")
    assert second.all("Set-Cookie") == []
    await server.ask("/expire", Cookie=cookie)
    third = await server.ask("/session", Cookie=cookie)
    assert third.body.startswith(b"1 in ")
    await server.ask("/expire", Cookie=third.one("Set-Cookie").partition(";")[0])


@pytest_twisted.ensureDeferred
async def test_cookies(server: Server) -> None:
    reply = await server.ask("/cookies", Cookie="sent=yes; other=no")
    assert reply.body == b"you sent yes"
    first, second = reply.all("Set-Cookie")
    assert first == "first=1; Path=/; HttpOnly"
    assert second == "second=2; Max-Age=60; SameSite=lax"


@pytest_twisted.ensureDeferred
async def test_redirects(server: Server) -> None:
    reply = await server.ask("/away")
    assert (reply.status, reply.one("Location")) == (302, "/calendar/")
    reply = await server.ask("/redirect")
    assert (reply.status, reply.one("Location")) == (302, "/form")


@pytest_twisted.ensureDeferred
async def test_http_authentication_with_twisteds_own_guard(server: Server) -> None:
    refused = await server.ask("/basic/me")
    assert refused.status == 401
    assert refused.one("WWW-Authenticate") == 'basic realm="example.com"'
    wrong = base64.b64encode(b"joe:wrong").decode()
    assert (await server.ask("/basic/me", Authorization=f"Basic {wrong}")).status == 401
    right = base64.b64encode(b"joe:blow").decode()
    assert await text(server, "/basic/me", Authorization=f"Basic {right}") == "hello, joe"
    challenge = (await server.ask("/digest/me")).one("WWW-Authenticate")
    assert await text(server, "/digest/me", Authorization=digest(challenge)) == "hello, joe"


def digest(challenge: str) -> str:
    """What a client answers to a digest challenge (RFC 2617)."""
    told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce, opaque = told["realm"], told["nonce"], told["opaque"]
    response = md5(f"{md5(f'joe:{realm}:blow')}:{nonce}:{md5('GET:/digest/me')}")
    return (
        f'Digest username="joe", realm="{realm}", nonce="{nonce}", uri="/digest/me", '
        f'algorithm="md5", opaque="{opaque}", response="{response}"'
    )


@pytest_twisted.ensureDeferred
async def test_rpy_scripts(server: Server) -> None:
    assert await text(server, "/files/scripted.rpy") == "made by a script, "
    assert await text(server, "/files/scripted.rpy/a/b") == "made by a script, a/b"
    assert await text(server, "/files/scripted") == "made by a script, "


@pytest_twisted.ensureDeferred
async def test_producers(server: Server) -> None:
    whole = b"0123456789abcdef" * 4096 * 40
    pushed = await server.ask("/pushed")
    assert pushed.body == whole
    pulled = await server.ask("/pulled")
    assert pulled.body == whole
    assert pulled.one("Content-Length") == str(len(whole))


@pytest_twisted.ensureDeferred
async def test_statuses_headers_and_validators(server: Server) -> None:
    reply = await server.ask("/teapot")
    assert (reply.status, reply.phrase) == (418, "I am a teapot")
    assert (reply.body, reply.one("X-Tea"), reply.one("ETag")) == (
        b"short and stout",
        "green",
        '"tea"',
    )
    assert reply.one("Last-Modified") == "Sun, 09 Sep 2001 01:46:40 GMT"
    assert reply.one("Content-Length") == "15"
    head = await server.ask("/teapot", "HEAD")
    assert (head.status, head.body, head.one("Content-Length")) == (418, b"", "15")


@pytest_twisted.ensureDeferred
async def test_what_a_request_knows_of_itself(server: Server) -> None:
    reply = await server.ask("/where/a%20b/c?x=1&y=%C3%A9", User_Agent="a test")
    told = json.loads(reply.body)
    assert told.pop("client") in ("127.0.0.1", "192.0.2.1")
    assert told == {
        "prepath": ["where"],
        "postpath": ["a b", "c"],
        "host": "localhost",
        "secure": False,
        "uri": "/where/a%20b/c?x=1&y=%C3%A9",
        "agent": "a test",
        "args": {"x": "1", "y": "\u00e9"},
    }


@pytest_twisted.ensureDeferred
async def test_virtual_hosts_and_encodings(server: Server) -> None:
    assert await text(server, "/hosts") == "any host"
    assert await text(server, "/hosts", Host="one.example") == "host one"
    packed = await server.ask("/packed", Accept_Encoding="gzip")
    assert packed.one("Content-Encoding") == "gzip"
    assert gzip.decompress(packed.body) == b"x" * 5000
    assert await text(server, "/packed") == "x" * 5000


@pytest_twisted.ensureDeferred
async def test_a_mistake_gives_nothing_away(server: Server) -> None:
    reply = await server.ask("/broken")
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert await text(server, "/") == "the root"


@pytest_twisted.ensureDeferred
async def test_a_klein_application(server: Server) -> None:
    assert await text(server, "/klein/") == "Hello, Klein!"
    assert await text(server, "/klein/user/Ann%20B") == "Hi Ann B!"
    assert await text(server, "/klein/later") == "at last"
    assert await text(server, "/klein/deferred") == "at once"
    saved = await server.ask("/klein/items/tea", "PUT", b"green")
    assert (saved.status, saved.body) == (201, b"saved")
    shown = await server.ask("/klein/items/tea")
    assert (json.loads(shown.body), shown.one("Content-Type")) == (
        {"tea": "green"},
        "application/json",
    )
    missing = await server.ask("/klein/items/coffee")
    assert (missing.status, missing.body) == (404, b"no such item")
    assert (await server.ask("/klein/none")).status == 404
    assert (await server.ask("/klein/items/tea", "DELETE")).status == 405
