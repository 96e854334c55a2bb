"""Files over real sockets: disks that hang, the kernel's sendfile, TLS, uploads with curl."""

from __future__ import annotations

import gzip
import os
import re
import select
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.certificate import write_pair
from tests.system.disks import SmallDisk
from tests.system.programs import ROOT, Twistd, dial, environment, program, read_all, run
from tests.system.tracing import injecting, traced

HANG: Final = 4_000_000  # microseconds
TOKEN: Final = "0123456789abcdef"
BEARER: Final = f"Authorization: Bearer {TOKEN}"
BIG: Final = os.urandom(3_000_000)
SOME: Final = BIG[:70_000]  # more than one chunk
REACTORS: Final = [None, "lean"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "hung").mkdir(parents=True)
    (folder / "hung" / "x.png").write_bytes(b"PNG")
    (folder / "big.bin").write_bytes(BIG)
    (folder / "some.bin").write_bytes(SOME)
    (folder / "text.txt").write_bytes(b"text " * 100)
    for n in range(20):
        (folder / f"{n}.txt").write_text(str(n))
    return folder


@pytest.fixture
def token(tmp_path: Path) -> list[str]:
    (tmp_path / "token").write_text(TOKEN)
    return ["--upload", "--upload-token-file", str(tmp_path / "token")]


def serve(
    root: Path,
    *options: str,
    reactor: str | None = None,
    prefix: tuple[str, ...] = (),
    port: str = "tcp:0:interface=127.0.0.1",
) -> Twistd:
    words = ("web", "--path", str(root), "--port", port, *options)
    return Twistd(*words, cwd=root.parent, reactor=reactor, prefix=prefix)


def ask(connection: socket.socket, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())


def get(port: int, path: str) -> bytes:
    """The body of a 200."""
    with dial(port) as connection:
        ask(connection, path)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body


def curl(port: int, path: str, *options: str, scheme: str = "http") -> bytes:
    url = f"{scheme}://127.0.0.1:{port}{path}"
    done = run(program("curl", "curl"), "-sSk", *options, url, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    return done.stdout


def recv_now(connection: socket.socket) -> bytes:
    """What has come already, without waiting for more."""
    readable = select.select([connection], [], [], 0)[0]
    return connection.recv(65536) if readable else b""


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def nobody_is_answered(waiting: list[socket.socket]) -> bool:
    return select.select(waiting, [], [], 0)[0] == []


@pytest.mark.slow
def test_a_folder_that_hangs_delays_only_who_asks_for_it(root: Path, tmp_path: Path) -> None:
    """More ask for it than there are threads, and others ask for what nobody asked for before."""
    hanging = [
        *injecting("openat", f"delay_enter={HANG}", paths=[Path("hung")]),
        *injecting("openat2", "error=EAGAIN", paths=[Path("hung/x.png")]),
        *("-e", "trace=openat,openat2"),
    ]
    with serve(root, prefix=traced(tmp_path, *hanging)) as server, ExitStack() as clients:
        port = server.port("web")
        stuck = [clients.enter_context(dial(port)) for _ in range(20)]
        for client in stuck:
            ask(client, "/hung/x.png")
        for n in range(20):
            assert get(port, f"/{n}.txt") == str(n).encode()
        assert b"text.txt" in get(port, "/")
        assert nobody_is_answered(stuck)
        for client in stuck:
            assert read_all(client).endswith(b"\r\n\r\nPNG")


@pytest.mark.slow
@pytest.mark.parametrize("reactor", REACTORS)
def test_a_file_whose_disk_hangs_delays_only_who_reads_it(
    root: Path, tmp_path: Path, reactor: str | None
) -> None:
    """What is read ahead or for others is read in threads; what is in memory is sent at once."""
    hanging = [
        *injecting("preadv2", "error=EAGAIN", paths=[root / "some.bin"]),
        *injecting("pread64", f"delay_enter={HANG}", paths=[root / "some.bin"]),
        *("-e", "trace=preadv2,pread64"),
    ]
    prefix = traced(tmp_path, *hanging)
    with serve(root, reactor=reactor, prefix=prefix) as server, ExitStack() as clients:
        port = server.port("web")
        stuck = [clients.enter_context(dial(port)) for _ in range(3)]
        for client in stuck:
            ask(client, "/some.bin")
        for n in range(20):
            assert get(port, f"/{n}.txt") == str(n).encode()
        seen = [recv_now(client) for client in stuck]
        assert not any(body_of(data) for data in seen)
        for client, data in zip(stuck, seen, strict=True):
            assert body_of(data + read_all(client)) == SOME


def test_on_the_lean_reactor_the_kernel_sends_large_files(root: Path, tmp_path: Path) -> None:
    prefix = traced(tmp_path, "-e", "trace=sendfile")
    with serve(root, reactor="lean", prefix=prefix) as server:
        port = server.port("web")
        assert get(port, "/big.bin") == BIG
        assert curl(port, "/big.bin", "-r", "1000-2000000") == BIG[1000:2000001]
        assert BIG[-100_000:] in curl(port, "/big.bin", "-r", "0-9,-100000")
        with dial(port) as connection:  # another answer behind it on the same connection
            connection.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            ask(connection, "/5.txt")
            first, second = read_all(connection).split(BIG)
        assert first.startswith(b"HTTP/1.1 200 ")
        assert second.endswith(b"\r\n\r\n5")
        assert server.end(signal.SIGTERM) == 0
    assert '"GET /big.bin HTTP/1.1" 200 3000000' in server.output
    assert "sendfile(" in (tmp_path / "calls.txt").read_text()


def test_a_peer_that_leaves_in_the_middle_leaves_no_file_open(root: Path) -> None:
    with serve(root, reactor="lean") as server:
        port = server.port("web")
        (root / "huge.bin").touch()
        os.truncate(root / "huge.bin", 1_000_000_000)  # sparse: it takes no room
        for _ in range(3):
            with dial(port) as connection:
                ask(connection, "/huge.bin")
                connection.recv(1000)
        server.wait_for(r'(?s)("GET /huge.bin HTTP/1.1" 200 .*){3}')
        assert get(port, "/5.txt") == b"5"  # so the turns in which they left are over
        files = Path(f"/proc/{server.process.pid}/fd").iterdir()
        assert not [fd for fd in files if os.readlink(fd).endswith("huge.bin")]


def test_a_file_that_is_cut_while_the_kernel_sends_it_ends_the_connection(root: Path) -> None:
    huge = root / "huge.bin"
    huge.touch()
    os.truncate(huge, 1_000_000_000)
    with serve(root, reactor="lean") as server:
        port = server.port("web")
        with dial(port) as connection:
            ask(connection, "/huge.bin")
            began = connection.recv(1000)
            os.truncate(huge, 100_000)
            assert len(began + read_all(connection)) < 900_000_000
        assert get(port, "/5.txt") == b"5"
        assert "Traceback" not in server.output


@pytest.mark.parametrize("reactor", REACTORS)
def test_over_tls_browsers_are_told_to_come_again_so(
    root: Path, tmp_path: Path, reactor: str | None
) -> None:
    (tmp_path / "certs").mkdir()
    write_pair(tmp_path / "certs")
    port = "tls:0:interface=127.0.0.1:certs=certs"
    both = ("--port", "tcp:0:interface=127.0.0.1")
    with serve(root, *both, port=port, reactor=reactor) as server:
        secure, plain = server.port("web", "tls"), server.port("web")
        for version in ("--http1.1", "--http2"):
            head = curl(secure, "/5.txt", "-I", version, scheme="https").lower()
            assert b"strict-transport-security: max-age=31536000\r\n" in head
            assert curl(secure, "/big.bin", version, scheme="https") == BIG
        assert b"strict-transport" not in curl(plain, "/5.txt", "-I").lower()
    with serve(root, "--hsts", "0", port=port, reactor=reactor) as server:
        head = curl(server.port("web", "tls"), "/5.txt", "-I", scheme="https")
        assert b"strict-transport" not in head.lower()


def test_curl_is_sent_what_it_can_unpack(root: Path) -> None:
    with serve(root) as server:
        port = server.port("web")
        assert curl(port, "/text.txt", "--compressed") == b"text " * 100
        packed = curl(port, "/text.txt", "-H", "Accept-Encoding: gzip")
        assert gzip.decompress(packed) == b"text " * 100


def test_folders_and_pages_are_where_they_were_put(root: Path, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "m.png").write_bytes(b"M")
    (root / "404.html").write_text("nothing here")
    words = ["--alias", f"/media={tmp_path / 'media'}", "--error-page", "404=/404.html"]
    with serve(root, *words, "--expires", "image/*=30d") as server:
        port = server.port("web")
        assert curl(port, "/media/m.png", "-i").endswith(b"\r\n\r\nM")
        assert b"Cache-Control: max-age=2592000\r\n" in curl(port, "/media/m.png", "-I")
        missing = curl(port, "/none", "-i")
        assert missing.startswith(b"HTTP/1.1 404 ")
        assert missing.endswith(b"nothing here")


def test_what_is_lacking_for_codings_is_said(root: Path, tmp_path: Path) -> None:
    for name in ("brotli", "zstandard"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    words = ["web", "--path", str(root), "--port", "tcp:0:interface=127.0.0.1"]
    env = environment(PYTHONPATH=f"{tmp_path}:{ROOT}")
    with Twistd(*words, cwd=tmp_path, env=env) as server:
        server.wait_for(r"no br and no zstd is made of files.*pip install 'proto\[compress\]'")
        head = curl(server.port("web"), "/text.txt", "-I", "-H", "Accept-Encoding: br, gzip;q=0.1")
        assert b"Content-Encoding: gzip" in head


# Uploads


def test_curl_puts_files_and_sends_forms(root: Path, token: list[str], tmp_path: Path) -> None:
    (tmp_path / "up.bin").write_bytes(BIG)
    put = ["-T", str(tmp_path / "up.bin"), "-H", BEARER, "-o", "/dev/null", "-w", "%{http_code}"]
    with serve(root, *token) as server:
        port = server.port("web")
        assert curl(port, "/hung/put.bin", *put) == b"201"
        assert curl(port, "/hung/put.bin", *put) == b"428"
        assert curl(port, "/hung/put.bin", *put, "-H", "If-Match: *") == b"204"
        assert get(port, "/hung/put.bin") == BIG
        form = ["-F", f"token={TOKEN}", "-F", f"file=@{tmp_path / 'up.bin'};filename=a b.bin"]
        assert curl(port, "/hung/", *form, "-w", "%{http_code}").endswith(b"303")
        assert (root / "hung" / "a b.bin").read_bytes() == BIG
    assert sorted(os.listdir(root / "hung")) == ["a b.bin", "put.bin", "x.png"]


def test_a_full_disk_is_507_and_keeps_nothing_of_the_file(tmp_path: Path, token: list[str]) -> None:
    (tmp_path / "up.bin").write_bytes(BIG)
    put = ["-T", str(tmp_path / "up.bin"), "-H", BEARER, "-w", "%{http_code}", "-o", "/dev/null"]
    with SmallDisk(tmp_path / "small", "1m") as disk:
        with serve(tmp_path / "small", *token, prefix=disk.prefix) as server:
            port = server.port("web")
            assert curl(port, "/up.bin", *put) == b"507"
            (tmp_path / "up.bin").write_bytes(BIG[:500_000])
            assert curl(port, "/up.bin", *put) == b"201"
            disk.find(server.process.pid)
        disk.copy(tmp_path / "kept")
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == {
        "up.bin": BIG[:500_000]
    }


def test_a_file_system_without_links_takes_files_too(
    root: Path, tmp_path: Path, token: list[str]
) -> None:
    with serve(
        root, *token, prefix=traced(tmp_path, *injecting("linkat", "error=EPERM"))
    ) as server:
        port = server.port("web")
        put = ["-T", str(root / "text.txt"), "-H", BEARER, "-o", "/dev/null", "-w", "%{http_code}"]
        assert curl(port, "/new.txt", *put) == b"201"
        assert curl(port, "/new.txt", *put) == b"428"
        assert get(port, "/new.txt") == b"text " * 100
    assert not [name for name in os.listdir(root) if name.startswith(".upload-")]


def test_a_file_is_on_the_disk_before_it_is_said_to_be(
    root: Path, tmp_path: Path, token: list[str]
) -> None:
    prefix = traced(tmp_path, "-e", "trace=fsync,linkat")
    with serve(root, *token, prefix=prefix) as server:
        port = server.port("web")
        put = ["-T", str(root / "text.txt"), "-H", BEARER]
        assert curl(port, "/new.txt", *put) == b"/new.txt\n"
        assert server.end(signal.SIGTERM) == 0
    lines = (tmp_path / "calls.txt").read_text().splitlines()
    calls = [found[1] for line in lines if (found := re.search(r"\b(fsync|linkat)\(", line))]
    assert calls == ["fsync", "linkat", "fsync"]
