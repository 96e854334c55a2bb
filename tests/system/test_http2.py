"""A real `twistd web` over TLS and HTTP/2: curl, h2load, Chromium, and OpenSSL's own client."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_twisted
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, StreamEnded
from hyperframe.frame import Frame, GoAwayFrame, PingFrame, RstStreamFrame
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.protocols.tls import TLSMemoryBIOFactory

from proto.logfile.peers import subject_of
from proto.tls import Certificates
from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.certificate import write_pair
from tests.system.browser import _FLAGS, _found
from tests.system.programs import DEADLINE, Twistd, program, read_all, run

BIG: Final = bytes(range(256)) * 12_000
PAGE: Final = """<!doctype html><title>page</title><link rel="icon" href="data:,">
<script src="ready.js"></script>
"""
SCRIPT: Final = """
const wanted = [...Array(30).keys()].map((n) => fetch(`/hello/${n}`).then((r) => r.text()));
Promise.all(wanted).then((texts) => { document.title = `${texts.length} texts`; });
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pair(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    (root / "index.html").write_text(PAGE)
    (root / "ready.js").write_text(SCRIPT)
    (root / "big").write_bytes(BIG)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Twistd]:
    with Twistd(
        "web",
        *("--path", "root", "--port", "tls:0", "--tls", ".", "--logfile", "access.log"),
        *("--max-body", "100000"),
        cwd=folder,
    ) as running:
        yield running


def port_of(server: Twistd) -> int:
    return server.port("web", "tls")


def curl(server: Twistd, path: str, *options: str, cwd: Path) -> str:
    """What curl prints, over HTTP/2; it must succeed."""
    command = program("curl", "curl"), "-sSk", "--http2", "--max-time", str(DEADLINE), *options
    done = run(*command, f"https://127.0.0.1:{port_of(server)}{path}", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("latin-1")


@contextmanager
def speaking(server: Twistd) -> Iterator[tuple[ssl.SSLSocket, H2Connection]]:
    """A connection of HTTP/2 over real TLS, as its frames."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port_of(server)), DEADLINE) as plain,
        context.wrap_socket(plain) as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"
        client = H2Connection(H2Configuration())
        client.initiate_connection()
        secured.sendall(client.data_to_send())
        yield secured, client


def frames_of(raw: bytes) -> list[Frame]:
    found = []
    while raw:
        frame, length = Frame.parse_frame_header(memoryview(raw[:9]))
        frame.parse_body(memoryview(raw[9 : 9 + length]))
        found.append(frame)
        raw = raw[9 + length :]
    return found


def get(path: str) -> list[tuple[str, str]]:
    return [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", "a")]


def test_curl_gets_files_and_answers(server: Twistd, folder: Path) -> None:
    told = "%{http_version} %{http_code}"
    assert curl(server, "/hello/ann", "-w", f" {told}", cwd=folder).endswith(" 2 200")
    assert curl(server, "/big", "-o", "got", "-w", told, cwd=folder) == "2 200"
    assert (folder / "got").read_bytes() == BIG
    assert curl(server, "/big", "-r", "5-9", "-o", "got", "-w", told, cwd=folder) == "2 206"
    assert (folder / "got").read_bytes() == BIG[5:10]
    assert curl(server, "/none", "-o", "got", "-w", told, cwd=folder) == "2 404"
    assert curl(server, "/", "-X", "BREW", "-o", "got", "-w", told, cwd=folder) == "2 501"
    assert curl(server, "/", "-X", "TRACE", "-o", "got", "-w", told, cwd=folder) == "2 405"
    large = curl(server, "/", "--data-binary", "@root/big", "-w", told, cwd=folder)
    assert large.endswith("2 413")
    assert '"GET /big HTTP/2.0" 200 ' in (folder / "access.log").read_text()


def test_curl_gets_many_at_once_over_one_connection(server: Twistd, folder: Path) -> None:
    port = port_of(server)
    urls = [f"https://127.0.0.1:{port}/hello/{number}" for number in range(90)]
    done = run(
        *(program("curl", "curl"), "-sSk", "--http2", "--parallel", "--parallel-max", "90"),
        *("-w", "[%{http_code} %{num_connects}]", *urls),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    codes = re.findall(r"\[(\d+) (\d)\]", done.stdout.decode())
    assert [code for code, _ in codes] == ["200"] * 90
    assert sum(int(connects) for _, connects in codes) == 1


@pytest.mark.parametrize("window", ["16", "30"])
def test_h2load_finds_no_error(server: Twistd, folder: Path, window: str) -> None:
    port = port_of(server)
    load = program("h2load", "nghttp2-client")
    for path, count in (("/hello/ann", 3000), ("/big", 60)):
        done = run(
            *(load, "-n", str(count), "-c", "4", "-m", "30", "-w", window, "-W", window),
            f"https://127.0.0.1:{port}{path}",
            cwd=folder,
        )
        said = done.stdout.decode()
        assert f"{count} succeeded, 0 failed, 0 errored, 0 timeout" in said, said
        assert f"status codes: {count} 2xx" in said


def test_chromium_loads_a_page(server: Twistd, folder: Path) -> None:
    options = ChromeOptions()
    options.binary_location = _found("chromium", "chromium")
    options.set_capability("acceptInsecureCerts", True)
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    service = Service(executable_path=_found("chromedriver", "chromium-driver"))
    driver = Chrome(options=options, service=service)
    try:
        driver.set_script_timeout(DEADLINE)
        driver.get(f"https://127.0.0.1:{port_of(server)}/")
        driver.execute_async_script(
            "const done = arguments[0];"
            "const look = () => document.title === '30 texts' ? done() : setTimeout(look, 20);"
            "look();"
        )
        spoken = driver.execute_script(
            "return performance.getEntriesByType('resource').map((each) => each.nextHopProtocol)"
        )
    finally:
        driver.quit()
    assert spoken == ["h2"] * 31


def test_a_flood_gets_goaway_over_a_real_connection_and_others_go_on(
    server: Twistd, folder: Path
) -> None:
    with speaking(server) as (secured, _):
        ping = PingFrame(0).serialize()
        secured.sendall(ping * 1500)
        (goaway,) = [each for each in frames_of(read_all(secured)) if isinstance(each, GoAwayFrame)]
    assert goaway.error_code == 11  # ENHANCE_YOUR_CALM
    assert curl(server, "/hello/ann", cwd=folder)


def test_broken_compression_gets_goaway_and_not_a_time_out(server: Twistd) -> None:
    with speaking(server) as (secured, _):
        head = struct.pack(">I", 1)[1:] + struct.pack(">BBI", 1, 5, 1) + b"\xff"
        secured.sendall(head)
        frames = frames_of(read_all(secured))
    assert isinstance(frames[-1], GoAwayFrame)
    assert frames[-1].error_code == 1  # PROTOCOL_ERROR


def test_rapid_resets_are_cut(server: Twistd) -> None:
    with speaking(server) as (secured, client):
        for number in range(1, 801, 2):
            client.send_headers(number, get("/hello/ann"), end_stream=True)
            client.reset_stream(number, 8)
        secured.sendall(client.data_to_send())
        frames = frames_of(read_all(secured))
    assert isinstance(frames[-1], GoAwayFrame)
    assert frames[-1].error_code == 11
    assert not [each for each in frames if isinstance(each, RstStreamFrame)]


def test_sigterm_lets_a_download_finish_and_closes(server: Twistd, folder: Path) -> None:
    (folder / "root" / "huge").write_bytes(BIG * 10)
    port = port_of(server)
    downloading = subprocess.Popen(
        [
            *(program("curl", "curl"), "-sSk", "--http2", "--limit-rate", "20M", "-o", "got"),
            f"https://127.0.0.1:{port}/huge",
        ],
        cwd=folder,
        stderr=subprocess.PIPE,
    )
    with speaking(server) as (secured, client):
        client.send_headers(1, get("/hello/ann"), end_stream=True)
        secured.sendall(client.data_to_send())
        events: list[Event] = []
        while not any(isinstance(each, StreamEnded) for each in events):
            events += client.receive_data(secured.recv(65536))
        got = folder / "got"
        while not got.exists() or not got.stat().st_size:
            assert downloading.poll() is None
        server.process.send_signal(signal.SIGTERM)
        frames = frames_of(read_all(secured))  # the idle one is closed at once
    assert isinstance(frames[-1], GoAwayFrame)
    assert downloading.wait(DEADLINE) == 0, downloading.stderr
    assert got.read_bytes() == BIG * 10
    assert server.end() == 0
    assert downloading.stderr is not None
    downloading.stderr.close()


def client_hello(port: int, *options: str) -> subprocess.CompletedProcess[bytes]:
    """OpenSSL's client, with its doors wide open."""
    command = program("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{port}"
    return subprocess.run(
        [*command, *options], input=b"", capture_output=True, timeout=DEADLINE, check=False
    )


OLD: Final = "DEFAULT:@SECLEVEL=0"


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_of_tls_are_refused(server: Twistd, version: str) -> None:
    done = client_hello(port_of(server), version, "-cipher", OLD)
    assert done.returncode != 0
    assert b"alert protocol version" in done.stderr


@pytest.mark.parametrize(
    ("options", "cipher"),
    [
        (("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"), b"TLS_AES_128_GCM_SHA256"),
        (("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"), b"TLS_AES_256_GCM_SHA384"),
        (("-tls1_3",), b"TLS_AES"),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), b"ECDHE-ECDSA-AES128-GCM"),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"), b"ECDHE-ECDSA-CHACHA20"),
    ],
)
def test_what_mozilla_calls_intermediate_is_spoken(
    server: Twistd, options: tuple[str, ...], cipher: bytes
) -> None:
    done = client_hello(port_of(server), *options, "-alpn", "h2")
    assert done.returncode == 0, done.stderr
    assert b"Cipher is " + cipher in done.stdout
    assert b"ALPN protocol: h2" in done.stdout
    assert b"Compression: NONE" in done.stdout


@pytest.mark.parametrize(
    "cipher", ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "aNULL", "eNULL"]
)
def test_weaker_ciphers_are_refused(server: Twistd, cipher: str) -> None:
    done = client_hello(port_of(server), "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert done.returncode != 0
    assert b"handshake failure" in done.stderr


def test_who_speaks_no_http_2_speaks_http_1(server: Twistd, folder: Path) -> None:
    assert curl(server, "/hello/x", "--http1.1", "-w", " %{http_version}", cwd=folder).endswith(
        " 1.1"
    )


@pytest_twisted.ensureDeferred
async def test_a_request_knows_the_certificate_of_its_client(folder: Path) -> None:
    from twisted.internet import reactor

    here: Any = reactor
    (folder / "client").mkdir()
    cert, key = write_pair(folder / "client", "ann")
    handlers = Handlers()
    handlers.register("/", lambda request: subject_of(request.transport))
    site = ProtoSite(build_tree(None, here, handlers=handlers), here)
    creator = Certificates(str(folder), here.seconds, (b"h2", b"http/1.1"), client_ca=cert)
    behind = TLSMemoryBIOFactory(creator, False, site, here)
    port = here.listenTCP(0, behind, interface="127.0.0.1")
    options = ["-sSk", "--http2", "--cert", str(cert), "--key", str(key)]
    options += ["-w", " %{http_version}", f"https://127.0.0.1:{port.getHost().port}/"]
    try:
        asking: Deferred[Any] = getProcessOutputAndValue(program("curl", "curl"), options, env={})
        said, why, code = await asking
    finally:
        await maybeDeferred(port.stopListening)
    assert (said, why, code) == (b"ann 2", b"", 0)


def test_curl_hears_an_answer_to_a_long_body_that_nobody_reads(folder: Path) -> None:
    (folder / "app.py").write_text(
        "async def glance(request):\n    return 'seen'\n"
        "handlers.register('/glance', glance, ['POST'], streaming=True, max_body=1 << 24)\n"
    )
    (folder / "long").write_bytes(bytes(8_000_000))
    options = "--port", "tls:0", "--tls", ".", "--handlers", "app.py"
    with Twistd("web", *options, cwd=folder) as running:
        for _ in range(3):
            said = curl(running, "/glance", "--data-binary", "@long", cwd=folder)
            assert said == "seen"
