"""The web service as the clients see it that people use, and while others attack it slowly."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.programs import DEADLINE, Program, Twistd, program, run

BIG: Final = os.urandom(20_000_000)
STYLE: Final = b"body { color: red }\n" * 500
TOKEN: Final = "0123456789abcdef"
BEARER: Final = f"Authorization: Bearer {TOKEN}"
CROWD: Final = 200
"""The connections of an attacker."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    folder = tmp_path_factory.mktemp("clients")
    served = folder / "served"
    (served / "folder").mkdir(parents=True)
    (served / "folder" / "index.html").write_bytes(b"<p>index")
    (served / "big.bin").write_bytes(BIG)
    (served / "style.css").write_bytes(STYLE)
    for number in range(50):
        (served / f"{number}.txt").write_text(f"page {number}\n")
    (folder / "token").write_text(TOKEN)
    options = ["--path", str(served), "--upload", "--upload-token-file", "token"]
    # Nobody is to be hung up on while others are served: the crowd stays.
    options += ["--head-timeout", "300", "--body-rate", "1", "--stall-timeout", "300"]
    options += ["--max-upload", "30000000"]
    options += ["--logfile", "access.log", "--metrics-port", "tcp:0:interface=127.0.0.1"]
    with Twistd("web", *options, "--port", "tcp:0:interface=127.0.0.1", cwd=folder) as server:
        yield server
        assert "Traceback" not in server.output


@pytest.fixture
def port(server: Twistd) -> int:
    return server.port("web")


@pytest.fixture
def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def curl(cwd: Path, *words: str, stdin: bytes = b"") -> tuple[bytes, str]:
    """What it got, and what it told of that."""
    done = run(program("curl", "curl"), "-sS", *words, cwd=cwd, stdin=stdin)
    told = done.stderr.decode()
    assert done.returncode == 0, told
    return done.stdout, told


def test_wget_resumes_what_was_cut(url: str, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(BIG[:7_654_321])
    done = run(program("wget", "wget"), "-S", "-c", f"{url}/big.bin", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b" 206 Partial Content" in done.stderr
    assert b"Content-Range: bytes 7654321-19999999/20000000" in done.stderr
    assert (tmp_path / "big.bin").read_bytes() == BIG


def test_wget_has_nothing_to_do_when_all_is_there(url: str, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(BIG)
    done = run(program("wget", "wget"), "-S", "-c", f"{url}/big.bin", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b" 416 " in done.stderr
    assert (tmp_path / "big.bin").read_bytes() == BIG


def test_wget_takes_a_new_copy_only_of_a_file_that_has_changed(url: str, tmp_path: Path) -> None:
    words = (program("wget", "wget"), "-S", "-N", f"{url}/style.css")
    first, second = run(*words, cwd=tmp_path), run(*words, cwd=tmp_path)
    assert (first.returncode, second.returncode) == (0, 0)
    assert b" 200 OK" in first.stderr
    assert b" 304 Not Modified" in second.stderr
    assert (tmp_path / "style.css").read_bytes() == STYLE


def test_wget_mirrors_a_listing(url: str, tmp_path: Path) -> None:
    words = ("-r", "-nH", "-np", "--reject=big.bin", "--accept=txt", f"{url}/")
    done = run(program("wget", "wget"), "-nv", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    got = {path.name: path.read_text() for path in tmp_path.glob("*.txt")}
    assert {f"{n}.txt": f"page {n}\n" for n in range(50)}.items() <= got.items()


def test_aria2c_puts_a_file_together_from_eight_connections(
    url: str, server: Twistd, tmp_path: Path
) -> None:
    log = Path(os.readlink(f"/proc/{server.process.pid}/cwd")) / "access.log"
    before = len(log.read_text())
    words = ("-x8", "-s8", "-k1M", "--no-conf", "--file-allocation=none", "-d", str(tmp_path))
    done = run(program("aria2c", "aria2"), *words, f"{url}/big.bin", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "big.bin").read_bytes() == BIG
    parts = re.findall(r'"GET /big.bin HTTP/1.1" 206 ', log.read_text()[before:])
    assert len(parts) >= 7  # the first may ask for everything and hang up


def test_curl_speaks_http_1_0(url: str, tmp_path: Path) -> None:
    got, told = curl(tmp_path, "-v", "--http1.0", f"{url}/0.txt", f"{url}/1.txt")
    assert got == b"page 0\npage 1\n"
    assert told.count("< HTTP/1.0 200 OK") == 2


def test_curl_gets_many_files_on_one_connection(url: str, tmp_path: Path) -> None:
    got, told = curl(tmp_path, "-w", "%{stderr}%{num_connects}\n", f"{url}/[0-49].txt")
    assert got == b"".join(b"page %d\n" % n for n in range(50))
    assert told.split() == ["1", *["0"] * 49]


def test_curl_unpacks_what_came_compressed(url: str, tmp_path: Path) -> None:
    got, _ = curl(tmp_path, "--compressed", "-D", "fields", f"{url}/style.css")
    fields = (tmp_path / "fields").read_text()
    length = re.search(r"^content-length: (\d+)", fields, re.IGNORECASE | re.MULTILINE)
    assert got == STYLE
    assert re.search(r"^content-encoding: (br|zstd|gzip)", fields, re.IGNORECASE | re.MULTILINE)
    assert length is not None
    assert int(length[1]) < len(STYLE)


def test_curl_gets_what_it_uploaded_when_it_was_told_to_go_on(url: str, tmp_path: Path) -> None:
    (tmp_path / "new.bin").write_bytes(BIG)
    words = ("-v", "-T", "new.bin", "-H", BEARER, "-H", "Expect: 100-continue")
    _, told = curl(tmp_path, *words, f"{url}/folder/")
    assert re.search(r"< HTTP/1.1 100 Continue.*< HTTP/1.1 201 Created", told, re.DOTALL)
    got, _ = curl(tmp_path, f"{url}/folder/new.bin")
    assert got == BIG


def test_curl_uploads_in_chunks_what_has_no_length(url: str, tmp_path: Path) -> None:
    curl(tmp_path, "-T", "-", "-H", BEARER, f"{url}/folder/piped.bin", stdin=BIG)
    got, _ = curl(tmp_path, f"{url}/folder/piped.bin")
    assert got == BIG


def test_curl_sends_no_body_that_is_too_long(url: str, tmp_path: Path) -> None:
    (tmp_path / "huge.bin").write_bytes(BIG + BIG)
    words = ("-v", "-T", "huge.bin", "-H", BEARER, "-H", "Expect: 100-continue")
    got, told = curl(tmp_path, *words, "-w", "%{size_upload}", f"{url}/folder/")
    assert "< HTTP/1.1 413 " in told
    assert "100 Continue" not in told
    assert got.endswith(b"0")


def test_http_client_keeps_its_connection(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    local: set[object] = set()
    for number in range(50):
        connection.request("GET" if number % 2 else "HEAD", f"/{number}.txt")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read() == (b"page %d\n" % number if number % 2 else b"")
        assert isinstance(connection.sock, socket.socket)
        local.add(connection.sock.getsockname())
    connection.request("PUT", "/0.txt", body=iter([b"a", b"b"]), encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["WWW-Authenticate"].split()[0]) == (401, "Bearer")
    connection.close()
    assert len(local) == 1


def test_urllib_follows_a_redirect_to_the_folder(url: str) -> None:
    with urllib.request.urlopen(f"{url}/folder", timeout=30) as answer:
        assert (answer.url, answer.read()) == (f"{url}/folder/", b"<p>index")


def test_urllib_asks_for_a_part_and_for_a_coding(url: str) -> None:
    part = urllib.request.Request(f"{url}/big.bin", headers={"Range": "bytes=-10"})
    with urllib.request.urlopen(part, timeout=30) as answer:
        assert (answer.status, answer.read()) == (206, BIG[-10:])
    packed = urllib.request.Request(f"{url}/style.css", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(packed, timeout=30) as answer:
        assert gzip.decompress(answer.read()) == STYLE


def test_urllib_raises_what_is_not_there(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/none", timeout=30)
    with caught.value as error:
        assert (error.code, error.headers.get_content_type()) == (404, "text/html")


SLOWLY: Final = {
    "slow heads": ("-H",),
    "slow bodies": ("-B", "-s", "100000", "-t", "POST"),
    "slow readers": ("-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5", "-k", "3"),
}


@pytest.mark.parametrize("words", SLOWLY.values(), ids=SLOWLY)
def test_who_is_slow_on_purpose_leaves_the_others_served(
    server: Twistd, port: int, url: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    attack = ("-c", str(CROWD), "-r", str(CROWD), "-i", "1", "-l", "60", "-u", f"{url}/big.bin")
    with Program(program("slowhttptest", "slowhttptest"), *words, *attack, cwd=tmp_path) as slow:
        while connected(server) < CROWD:
            assert slow.process.poll() is None, slow.output
        for number in range(50):
            with urllib.request.urlopen(f"{url}/{number}.txt", timeout=30) as answer:
                assert answer.read() == b"page %d\n" % number
        assert connected(server) >= CROWD
        assert slow.process.poll() is None, slow.output
    end = time.monotonic() + DEADLINE
    while connected(server):
        assert time.monotonic() < end, "the crowd is gone, and its connections are not"


def connected(server: Twistd) -> int:
    """The connections that the service has now."""
    address = f"http://127.0.0.1:{server.port('metrics')}/metrics"
    with urllib.request.urlopen(address, timeout=30) as answer:
        told = re.search(
            r'^proto_connections_open{service="web"} (\d+)', answer.read().decode(), re.M
        )
    assert told is not None
    return int(told[1])
