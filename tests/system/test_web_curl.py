"""The web service as curl sees it: real sockets, HTTP/1.1 and, over TLS, HTTP/2."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from zope.interface import implementer

from proto.web.accesslog import AccessLog
from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.tree import build_tree

CURL: Final = "/usr/bin/curl"
DEADLINE_SECONDS: Final = 20
BIG: Final = os.urandom(3_000_000)
HUGE: Final = 1_000_000_000  # of a sparse file, which takes no room


@dataclass
class Server:
    """A site that listens on a free port of 127.0.0.1."""

    site: ProtoSite
    port: Any  # an IListeningPort
    scheme: str

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port.getHost().port}{path}"

    async def curl(self, path: str, *options: str) -> str:
        """What curl prints; it must succeed."""
        out, err, code = await self.run(path, *options)
        assert code == 0, f"curl ended with {code}: {err}"
        return out

    async def run(self, path: str, *options: str) -> tuple[str, str, int]:
        arguments = ["-sS", "-k", "--max-time", str(DEADLINE_SECONDS), *options, self.url(path)]
        running: Deferred[Any] = getProcessOutputAndValue(CURL, arguments, env={})
        out, err, code = await running
        return out.decode("latin-1"), err.decode("latin-1"), code

    async def stop(self) -> None:
        await maybeDeferred(self.port.stopListening)
        self.site.farewell()
        await self.until_nobody_is_connected()

    async def until_nobody_is_connected(self) -> None:
        await until(lambda: not self.site.connections)


@implementer(IOpenSSLContextFactory)
class Tls:
    """TLS with a certificate that was signed a moment ago by itself."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .sign(key, hashes.SHA256())
        )
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.use_certificate(certificate)
        self._context.use_privatekey(key)
        self._context.set_alpn_select_callback(
            lambda _, offered: b"h2" if b"h2" in offered else b"http/1.1"
        )

    def getContext(self) -> SSL.Context:
        return self._context


async def until(condition: Callable[[], bool]) -> None:
    """Let the reactor turn until the condition holds."""
    from twisted.internet import reactor

    clock: Any = reactor
    deadline = clock.seconds() + DEADLINE_SECONDS
    while not condition():
        assert clock.seconds() < deadline, "it did not happen in time"
        await deferLater(clock, 0.005)


def build_site(folder: Path) -> ProtoSite:
    from twisted.internet import reactor

    clock: Any = reactor
    handlers = Handlers()
    handlers.register("/body", lambda request: request.content.read(), methods=["POST"])
    tree = build_tree(folder, clock, handlers=handlers, ready=dict)
    log = AccessLog(folder.parent / "access.log", clock)
    return ProtoSite(tree, clock, access_log=log, max_body=100_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "big").write_bytes(BIG)
    (root / "a.txt").write_bytes(b"0123456789")
    return root


@pytest_twisted.async_yield_fixture
async def server(folder: Path) -> AsyncIterator[Server]:
    from twisted.internet import reactor

    listening: Any = reactor
    site = build_site(folder)
    running = Server(site, listening.listenTCP(0, site, interface="127.0.0.1"), "http")
    yield running
    await running.stop()


@pytest_twisted.async_yield_fixture
async def tls_server(folder: Path) -> AsyncIterator[Server]:
    from twisted.internet import reactor

    listening: Any = reactor
    site = build_site(folder)
    running = Server(site, listening.listenSSL(0, site, Tls(), interface="127.0.0.1"), "https")
    yield running
    await running.stop()


@pytest.fixture(autouse=True)
def no_descriptor_stays_open(folder: Path) -> Iterator[None]:
    yield
    links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert str(folder / "big") not in links


@pytest_twisted.ensureDeferred
async def test_a_large_file_arrives_whole(server: Server, tmp_path: Path) -> None:
    await server.curl("/big", "-o", str(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes() == BIG


@pytest_twisted.ensureDeferred
async def test_a_download_is_resumed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "got").write_bytes(BIG[:1_234_567])
    status = await server.curl("/big", "-C", "-", "-o", str(tmp_path / "got"), "-w", "%{http_code}")
    assert status == "206"
    assert (tmp_path / "got").read_bytes() == BIG


@pytest_twisted.ensureDeferred
async def test_ranges(server: Server) -> None:
    assert await server.curl("/a.txt", "-r", "2-4") == "234"
    assert await server.curl("/a.txt", "-r", "-20") == "0123456789"
    several = await server.curl("/a.txt", "-r", "0-1,8-9")
    assert "Content-Range: bytes 0-1/10\r\n\r\n01\r\n--" in several
    assert "Content-Range: bytes 8-9/10\r\n\r\n89\r\n--" in several
    head = await server.curl("/a.txt", "-r", "10-", "-D", "-", "-o", "/dev/null")
    assert head.startswith("HTTP/1.1 416 ")
    assert "\r\nContent-Range: bytes */10\r\n" in head


@pytest_twisted.ensureDeferred
async def test_head(server: Server) -> None:
    head = await server.curl("/a.txt", "-I")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "\r\nContent-Length: 10\r\n" in head


@pytest_twisted.ensureDeferred
async def test_an_unchanged_file_is_not_sent_again(server: Server, tmp_path: Path) -> None:
    saved = str(tmp_path / "etag")
    assert await server.curl("/a.txt", "--etag-save", saved) == "0123456789"
    again = ("--etag-compare", saved, "-w", "%{http_code} %{size_download}")
    assert await server.curl("/a.txt", *again) == "304 0"
    (tmp_path / "root" / "a.txt").write_bytes(b"changed")
    server.site.known.forget()
    assert await server.curl("/a.txt", *again) == "changed200 7"


@pytest_twisted.ensureDeferred
async def test_nothing_outside_is_reached(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("S")
    for path, status in [
        ("/../secret", "400"),
        ("/%2e%2e/secret", "400"),
        ("/..%2fsecret", "400"),
        ("/a.txt%00", "400"),
        ("/%zz", "400"),
        ("/%252e%252e/secret", "404"),
        ("/..\\secret", "404"),
        ("/%5c..%5csecret", "404"),
        ("/%c0%ae%c0%ae/secret", "404"),
        ("/%ff", "404"),
    ]:
        got = await server.curl(path, "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}")
        assert (path, got) == (path, status)


@pytest_twisted.ensureDeferred
async def test_a_connection_serves_many_requests(server: Server) -> None:
    told = await server.curl("/a.txt", "-w", "[%{num_connects} %{http_code}]", server.url("/a.txt"))
    assert told == "0123456789[1 200]0123456789[0 200]"


@pytest_twisted.ensureDeferred
async def test_a_body_that_is_too_large_is_refused_at_once(server: Server, tmp_path: Path) -> None:
    options = ("--data-binary", f"@{tmp_path / 'root' / 'big'}", "-w", "%{http_code}")
    for more in ((), ("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked")):
        out = await server.curl("/body", *options, *more)
        assert out.endswith("413")
        assert "A request body may have 100000 bytes here." in out
    assert await server.curl("/body", "--data-binary", "abc") == "abc"


@pytest_twisted.ensureDeferred
async def test_a_peer_that_hangs_up_halfway_is_logged(server: Server, tmp_path: Path) -> None:
    os.truncate(tmp_path / "root" / "big", HUGE)
    _, _, code = await server.run(
        "/big", "--max-time", "0.3", "--limit-rate", "1M", "-o", "/dev/null"
    )
    assert code == 28
    await server.until_nobody_is_connected()
    server.site.stopFactory()
    (line,) = (tmp_path / "access.log").read_text().splitlines()
    sent = int(line.partition('"GET /big HTTP/1.1" 200 ')[2].split(" ")[0])
    assert 0 < sent < HUGE


@pytest_twisted.ensureDeferred
async def test_http_2_over_tls(tls_server: Server, tmp_path: Path) -> None:
    told = "%{http_version} %{http_code}"
    got = str(tmp_path / "got")
    assert await tls_server.curl("/big", "--http2", "-o", got, "-w", told) == "2 200"
    assert (tmp_path / "got").read_bytes() == BIG
    assert await tls_server.curl("/a.txt", "--http2", "-r", "2-4", "-w", told) == "2342 206"
    assert await tls_server.curl("/a.txt", "--http1.1", "-o", got, "-w", told) == "1.1 200"
    assert await tls_server.curl("/../x", "--http2", "--path-as-is", "-o", got, "-w", told) == (
        "2 400"
    )


@pytest_twisted.ensureDeferred
async def test_http_2_refuses_a_body_that_is_too_large(tls_server: Server, tmp_path: Path) -> None:
    body = f"@{tmp_path / 'root' / 'big'}"
    out = await tls_server.curl("/body", "--http2", "--data-binary", body, "-w", "%{http_code}")
    assert out.endswith("413")
    assert await tls_server.curl("/body", "--http2", "--data-binary", "abc") == "abc"


@pytest_twisted.ensureDeferred
async def test_http_2_breaks_off_a_file_that_shrinks(tls_server: Server, tmp_path: Path) -> None:
    got, big = tmp_path / "got", tmp_path / "root" / "big"
    os.truncate(big, HUGE)
    running = Deferred.fromCoroutine(tls_server.run("/big", "--http2", "-o", str(got)))
    await until(got.exists)
    os.truncate(big, 100_000)
    _, _, code = await running
    assert code == 92  # its stream was reset
    assert await tls_server.curl("/a.txt", "--http2") == "0123456789"


@pytest_twisted.ensureDeferred
async def test_a_farewell_lets_downloads_finish(
    server: Server, tls_server: Server, tmp_path: Path
) -> None:
    for each, protocol in ((server, "--http1.1"), (tls_server, "--http2")):
        got = tmp_path / protocol
        running = Deferred.fromCoroutine(
            each.curl("/big", protocol, "--limit-rate", "4M", "-o", str(got))
        )
        await until(lambda got=got: got.exists() and got.stat().st_size > 0)  # type: ignore[misc]
        each.site.farewell()
        await running
        assert got.read_bytes() == BIG
        await each.until_nobody_is_connected()
