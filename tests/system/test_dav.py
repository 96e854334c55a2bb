"""`--dav` on a real twistd: litmus, curl over HTTP/1.1 and HTTP/2, and a disk that is full."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificate import write_pair
from tests.system.disks import SmallDisk
from tests.system.programs import DEADLINE, Twistd, program, run

SUITES = ("basic", "copymove", "props", "locks", "http")


def write_users(folder: Path) -> None:
    command = (sys.executable, "-m", "proto.web.passwords", "user")
    done = run(*command, cwd=folder, stdin=b"pass\n")
    assert done.returncode == 0
    (folder / "users").write_bytes(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dav")
    write_pair(folder)
    write_users(folder)
    (folder / "files").mkdir()
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Twistd]:
    with Twistd(
        *("web", "--port", "0", "--port", "tls:0", "--tls", ".", "--logfile", "access.log"),
        *("--dav", "files", "--dav-users", "users", "--dav-max-upload", "5000000"),
        cwd=folder,
    ) as running:
        yield running
        assert running.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("suite", SUITES)
def test_litmus_finds_nothing(folder: Path, server: Twistd, suite: str) -> None:
    url = f"http://127.0.0.1:{server.port('web')}/dav/"
    scratch = folder / f"litmus-{suite}"
    scratch.mkdir()
    command = ("env", f"TESTS={suite}", program("litmus", "litmus"), url, "user", "pass")
    done = run(*command, cwd=scratch)
    told = done.stdout.decode("latin-1")
    assert done.returncode == 0, told
    assert re.search(rf"<- summary for `{suite}': of \d+ tests run: \d+ passed, 0 failed", told)
    assert "FAIL" not in told
    assert "WARNING" not in told


@pytest.fixture(params=["http", "https"])
def base(server: Twistd, request: pytest.FixtureRequest) -> str:
    kind = {"http": "tcp", "https": "tls"}[request.param]
    return f"{request.param}://127.0.0.1:{server.port('web', kind)}/dav"


def curl(
    folder: Path, url: str, *options: str, user: str = "user:pass", stdin: bytes = b""
) -> tuple[int, str]:
    """The status and the body; over TLS curl speaks HTTP/2."""
    version = "--http2" if url.startswith("https") else "--http1.1"
    command = (program("curl", "curl"), "-sSk", version, "-m", str(DEADLINE), "--path-as-is")
    asked = ("-w", "%{stderr}%{http_code}", "-u", user, *options, url)
    done = run(*command, *asked, cwd=folder, stdin=stdin)
    return int(done.stderr[-3:]), done.stdout.decode("latin-1")


def test_all_methods_pass_in_both_versions(folder: Path, base: str) -> None:
    def ask(path: str, *options: str) -> int:
        return curl(folder, base + path, *options)[0]

    assert ask("/d", "-X", "MKCOL") == 201
    (folder / "sent").write_bytes(b"x" * 1_000_000)
    assert ask("/d/a", "-T", "sent") == 201
    assert ask("/d/a", "-T", "sent", "-H", "Expect: 100-continue") == 204
    status, body = curl(folder, base + "/d", "-X", "PROPFIND", "-H", "Depth: 1")
    assert status == 207
    assert "/dav/d/a" in body
    assert ask("/d/a", "-X", "COPY", "-H", f"Destination: {base}/d/b") == 201
    assert ask("/d/b", "-X", "MOVE", "-H", f"Destination: {base}/d/c") == 201
    assert (folder / "files" / "d" / "c").read_bytes() == b"x" * 1_000_000
    assert ask("/d", "-X", "DELETE") == 204
    assert not (folder / "files" / "d").exists()


def test_nobody_gets_in_without_a_password(folder: Path, base: str) -> None:
    for path in ("", "/", "/a", "/../dav/a", "//a", "/%2e/a"):
        assert curl(folder, base + path, user=":")[0] in (400, 401)
    assert curl(folder, base, user="user:wrong")[0] == 401


def test_what_is_too_large_is_refused(folder: Path, base: str) -> None:
    (folder / "large").write_bytes(b"x" * 5_000_001)
    assert curl(folder, f"{base}/large", "-T", "large")[0] == 413
    assert curl(folder, f"{base}/large", "-T", "-", stdin=b"x" * 5_000_001)[0] == 413
    assert not (folder / "files" / "large").exists()


def test_a_full_disk_is_told_and_leaves_the_old_file(folder: Path) -> None:
    with (
        SmallDisk(folder / "small", "1m") as disk,
        Twistd(
            *("web", "-p", "0", "--dav", "/=small", "--dav-open"), cwd=folder, prefix=disk.prefix
        ) as server,
    ):
        url = f"http://127.0.0.1:{server.port('web')}"
        disk.find(server.process.pid)
        (folder / "old").write_bytes(b"old\n")
        assert curl(folder, f"{url}/a", "-T", "old")[0] == 201
        disk.fill()
        (folder / "sent").write_bytes(b"x" * 200_000)
        assert curl(folder, f"{url}/a", "-T", "sent")[0] == 507
        assert curl(folder, f"{url}/new", "-T", "sent")[0] == 507
        assert curl(folder, f"{url}/a") == (200, "old\n")
        disk.clear()
        assert curl(folder, f"{url}/a", "-T", "sent")[0] == 204
        assert server.end(signal.SIGTERM) == 0
