"""Real scripts of a real `twistd web --cgi`: shell, Python and Perl, many at once, and bad ones."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from tests.certificate import write_pair
from tests.system.programs import (
    DEADLINE,
    Twistd,
    dial,
    environment,
    program,
    read_all,
    read_until,
    run,
)
from tests.web.cgi.stage import PLAIN, PYTHON, shell, write_script
from tests.web.test_passwords import HASH

MIB = 1024 * 1024
SCRIPTS = {
    "who": PLAIN + 'echo "$REMOTE_USER $AUTH_TYPE $HTTP_AUTHORIZATION."',
    "env": PLAIN + "exec /usr/bin/env",
    "big": PLAIN + "exec cat /dev/zero",
    "deaf": PLAIN + "echo hi",
    "count": PLAIN + 'echo "$REQUEST_METHOD $SERVER_PROTOCOL $HTTPS $(wc -c)"',
    "wait": PLAIN + 'echo "$$"; read -r line <gate',
    "tree": PLAIN + 'sleep 600 & echo "$$ $!"; sleep 600',
    "stubborn": "trap '' TERM; " + PLAIN + 'echo "$$"; while :; do sleep 0.1; done',
    "drip": PLAIN + 'echo "$$"; while sleep 0.1; do echo more; done',
    "cry": "echo oh no >&2; " + PLAIN,
    "go": "echo 'Location: /cgi-bin/python/x?y'; echo",
    "away": "echo 'Location: http://example.org/'; echo",
}
PERL = """#!/usr/bin/perl
use strict; use warnings;
read(STDIN, my $body, $ENV{CONTENT_LENGTH});
print "Status: 201 Created\\r\\nContent-Type: text/plain\\r\\n\\r\\nperl has ", length $body, "\\n";
"""
FROM_PYTHON = """import os, sys
print("Content-Type: text/plain")
print()
print("python", os.environ["PATH_INFO"], os.environ["QUERY_STRING"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cgi")
    scripts = folder / "cgi-bin"
    scripts.mkdir()
    for name, text in SCRIPTS.items():
        shell(scripts, name, text)
    write_script(scripts, "perl", PERL)
    write_script(scripts, "python", PYTHON + FROM_PYTHON)
    (folder / "long").write_bytes(b"x" * 12 * MIB)
    (folder / "users").write_text(f"ann:{HASH}\n")
    return folder


def serving(folder: Path, *options: str) -> Twistd:
    return Twistd(
        *("web", "--interface", "127.0.0.1", "--cgi", "cgi-bin", "--max-per-address", "0"),
        *("--max-per-minute", "0", *options),
        cwd=folder,
        env=environment(SECRET="of ours"),
    )


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Twistd]:
    options = ("--auth", "/cgi-bin/who=users", "--cgi-env", "COLOUR=blue", "--cgi-timeout", "600")
    with serving(folder, "--port", "0", *options) as running:
        yield running
        assert running.end(signal.SIGTERM) == 0


def curl(server: Twistd, path: str, *options: str, kind: str = "tcp") -> str:
    """What curl prints; it must succeed."""
    scheme = "http" if kind == "tcp" else "https"
    url = f"{scheme}://127.0.0.1:{server.port('web', kind)}/cgi-bin{path}"
    command = (program("curl", "curl"), "-sSk", "--max-time", str(DEADLINE), *options, url)
    done = run(*command, cwd=Path("/"), env={})
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("latin-1")


class Watched:
    """Processes whose ends are waited for; nobody else can take their numbers meanwhile."""

    def __init__(self, pids: list[str]) -> None:
        self._fds = [os.pidfd_open(int(pid)) for pid in pids]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._fds:
            os.close(fd)

    def are_gone(self) -> bool:
        """Whether all of them end in time."""
        return all(select.select([fd], [], [], DEADLINE)[0] for fd in self._fds)

    def live(self) -> bool:
        """Whether none has ended yet."""
        return not select.select(self._fds, [], [], 0)[0]


def ask(connection: socket.socket, path: str, more: str = "") -> None:
    connection.sendall(f"GET /cgi-bin{path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())


def begin(connection: socket.socket, path: str) -> list[str]:
    """Ask, and take the words of the first line that the script says."""
    ask(connection, path)
    data = b""
    while (found := re.search(rb"\r\n\r\n[0-9a-f]+\r\n([^\n]*)\n\r\n", data)) is None:
        chunk = connection.recv(65536)
        assert chunk, f"the connection ended; it said {data!r}"
        data += chunk
    return found[1].decode().split()


def test_scripts_of_the_shell_of_perl_and_of_python(server: Twistd) -> None:
    program("perl", "perl")
    assert curl(server, "/count", "-d", "abc") == "POST HTTP/1.1  3\n"
    told = curl(server, "/perl", "-d", "abcd", "-w", "%{http_code}")
    assert told == "perl has 4\n201"
    assert curl(server, "/python/a%20b?c") == "python /a b c\n"


def test_the_environment_is_exactly_what_was_asked(folder: Path, server: Twistd) -> None:
    told = curl(server, "/env/a?b", "-A", "me", "-H", "Proxy: x", "-H", "Accept: a", "-H", "X-A: b")
    port = server.port("web")
    assert sorted(told.splitlines()) == sorted(
        [
            "COLOUR=blue",
            "GATEWAY_INTERFACE=CGI/1.1",
            "HTTP_ACCEPT=a",
            f"HTTP_HOST=127.0.0.1:{port}",
            "HTTP_USER_AGENT=me",
            "HTTP_X_A=b",
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "PATH_INFO=/a",
            f"PWD={folder / 'cgi-bin'}",  # the shell's own
            "QUERY_STRING=b",
            "REMOTE_ADDR=127.0.0.1",
            "REMOTE_HOST=127.0.0.1",
            "REQUEST_METHOD=GET",
            "SCRIPT_NAME=/cgi-bin/env",
            "SERVER_NAME=127.0.0.1",
            f"SERVER_PORT={port}",
            "SERVER_PROTOCOL=HTTP/1.1",
            "SERVER_SOFTWARE=proto",
        ]
    )


def test_the_name_of_who_has_shown_a_password(server: Twistd) -> None:
    assert curl(server, "/who", "-u", "ann:open sesame") == "ann Basic .\n"
    assert curl(server, "/who", "-u", "ann:x", "-o", "/dev/null", "-w", "%{http_code}") == "401"


def test_redirects_inside_and_outside(server: Twistd) -> None:
    told = "%{http_code} %{redirect_url}"
    assert curl(server, "/go", "-d", "x", "-w", told) == "python /x y\n200 "
    assert curl(server, "/away", "-w", told) == "302 http://example.org/"


def test_what_is_said_on_standard_error_is_in_the_log(server: Twistd) -> None:
    assert curl(server, "/cry") == ""
    server.wait_for(r"cgi \S+/cgi-bin/cry said: oh no$")


def test_a_long_body_that_nobody_reads_hangs_nobody(folder: Path, server: Twistd) -> None:
    body = ("--data-binary", f"@{folder / 'long'}")
    assert curl(server, "/deaf", *body) == "hi\n"
    assert curl(server, "/deaf", *body, "-H", "Transfer-Encoding: chunked") == "hi\n"
    with dial(server.port("web")) as connection:
        ask(connection, "/deaf", "Content-Length: 15000000\r\n")
        assert b"hi\n" in read_until(connection, b"0\r\n\r\n")


def test_a_long_body_reaches_the_script(folder: Path, server: Twistd) -> None:
    told = curl(server, "/count", "--data-binary", f"@{folder / 'long'}")
    assert told == f"POST HTTP/1.1  {12 * MIB}\n"


def test_a_hundred_run_at_once_and_the_others_wait(folder: Path, server: Twistd) -> None:
    os.mkfifo(folder / "cgi-bin" / "gate")
    gate = os.open(folder / "cgi-bin" / "gate", os.O_RDWR)
    with ExitStack() as stack:
        stack.callback(os.close, gate)
        waiting = [stack.enter_context(dial(server.port("web"))) for _ in range(100)]
        with ThreadPoolExecutor(20) as threads:
            pids = [pid for (pid,) in threads.map(begin, waiting, ["/wait"] * 100)]
        watched = stack.enter_context(Watched(pids))
        late = stack.enter_context(dial(server.port("web")))
        ask(late, "/deaf")
        until_told(server, "proto_web_cgi_waiting 1.0")
        until_told(server, "proto_web_cgi_running 100.0")
        assert watched.live()
        os.write(gate, b"\n" * 100)  # one for each
        for connection in waiting:
            read_until(connection, b"0\r\n\r\n")
        read_until(late, b"hi\n")
        assert watched.are_gone()


def until_told(server: Twistd, line: str) -> None:
    """Ask for the metrics until they hold that line."""
    end = time.monotonic() + DEADLINE
    while f"\n{line}\n" not in (told := curl(server, "/", "--request-target", "/metrics")):
        assert time.monotonic() < end, told


def test_a_client_that_does_not_read_does_not_grow_our_memory(server: Twistd) -> None:
    with dial(server.port("web")) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ask(connection, "/big")
        read_until(connection, b"\r\n\r\n")
        before = memory(server)
        for _ in range(20):
            assert curl(server, "/deaf") == "hi\n"
        assert memory(server) - before < 8 * MIB


def memory(server: Twistd) -> int:
    """Resident bytes of the server."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("path", ["/tree", "/stubborn", "/drip"])
def test_a_client_that_leaves_ends_the_script_and_all_that_it_began(
    server: Twistd, path: str
) -> None:
    with dial(server.port("web")) as connection:
        watched = Watched(begin(connection, path))
        assert watched.live()
        if path != "/drip":  # to who says nothing, only a reset tells that nobody listens
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with watched:
        assert watched.are_gone()


def test_late_scripts_and_long_ones_are_stopped(folder: Path) -> None:
    options = ("--cgi-timeout", "1", "--cgi-max-output", "1 MiB")
    with serving(folder, "--port", "0", *options) as server:
        with (
            dial(server.port("web")) as connection,
            Watched(begin(connection, "/tree")) as watched,
        ):
            assert read_all(connection) == b""
            assert watched.are_gone()
        server.wait_for(r"cgi \S+/tree: it took more than 1 s")
        with dial(server.port("web")) as connection:
            ask(connection, "/big")
            assert MIB // 2 < len(read_all(connection)) < MIB + 64 * 1024
        server.wait_for(r"cgi \S+/big: its document is longer than 1048576 bytes")


def test_what_runs_when_the_server_stops_is_stopped(folder: Path) -> None:
    with (
        serving(folder, "--port", "0", "--grace", "0.1") as server,
        dial(server.port("web")) as connection,
        Watched(begin(connection, "/stubborn")) as watched,
    ):
        assert server.end(signal.SIGTERM) == 0
        assert not watched.live()


def test_over_http_2(folder: Path, tmp_path: Path) -> None:
    write_pair(tmp_path)
    with serving(folder, "--port", "tls:0", "--tls", str(tmp_path)) as server:
        options = ("--http2", "-w", "%{http_version} %{http_code}")
        told = curl(server, "/count", *options, "-d", "x" * 100_000, kind="tls")
        assert told == "POST HTTP/2.0 on 100000\n2 200"
        assert curl(server, "/go", *options, "-d", "x", kind="tls") == "python /x y\n2 200"
        assert curl(server, "/deaf", *options, kind="tls") == "hi\n2 200"
