"""The command itself, against a real server on 127.0.0.1."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from proto.client.__main__ import converse, endpoint_of, main
from proto.client.script import parse
from proto.echo.echo import EchoFactory

ROOT = Path(__file__).parents[2]
DEADLINE = 30.0


def the_reactor() -> Any:
    """The one that pytest-twisted installed; imported late, so that it can choose."""
    from twisted.internet import reactor

    return reactor


@pytest_twisted.async_yield_fixture(name="port")
async def echo_port() -> AsyncIterator[int]:
    listening = the_reactor().listenTCP(0, EchoFactory(), interface="127.0.0.1")
    yield listening.getHost().port
    await listening.stopListening()


@pytest.fixture(name="closed_port")
def port_where_nobody_listens() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


async def run(*arguments: str) -> tuple[int, bytes]:
    """The exit code, and what was shown."""
    shown: list[bytes] = []
    talk = Deferred.fromCoroutine(converse(the_reactor(), parse(arguments), shown.append))
    talk.addTimeout(DEADLINE, the_reactor())
    return await talk, b"".join(shown)


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:{}", "localhost:{}", "tcp:127.0.0.1:{}", "tcp:host=127.0.0.1:port={}"]
)
@pytest_twisted.ensureDeferred
async def test_an_endpoint_is_host_and_port_or_an_endpoint_string(port: int, endpoint: str) -> None:
    assert await run(endpoint.format(port), "--send", "hello") == (0, b"hello")


def test_an_ipv6_address_stands_in_brackets() -> None:
    # Asked by its name and not connected to: not every machine has ::1.
    assert repr(endpoint_of(the_reactor(), "[::1]:8007")) == "<HostnameEndpoint [::1]:8007>"


@pytest_twisted.ensureDeferred
async def test_nobody_listening_is_one_line_and_exit_code_1(
    closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(f"127.0.0.1:{closed_port}", "--send", "x") == (1, b"")
    assert capsys.readouterr().err == (
        f"127.0.0.1:{closed_port}: Connection was refused by other side: 111: Connection refused.\n"
    )


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("nowhere", "nowhere: no port in it; write HOST:PORT, such as nowhere:8007"),
        ("nowhere:x", "nowhere:x: no port in it; write HOST:PORT, such as nowhere:8007"),
        ("what:ever:1", "no endpoint (Unknown endpoint type: 'what')"),
        ("tcp:80", "no endpoint ("),
        ("tcp:localhost:port=x", "no endpoint ("),
        ("localhost:99999", "no endpoint (99999 is not a port)"),
        ("localhost:0", "no endpoint (0 is not a port)"),
        ("tcp:127.0.0.1:99999", "port must be 0-65535"),
        ("", "no endpoint ("),
        ("unix:/nowhere/at/all", "No such file or directory"),
        ("no.such.host.invalid:80", "DNS lookup failed"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_place_that_is_none_is_one_line_and_exit_code_1(
    endpoint: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(endpoint) == (1, b"")
    said = capsys.readouterr().err
    assert said.startswith(f"{endpoint}: ")
    assert told in said
    assert said.count("\n") == 1


class HangsUp(Protocol):
    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"bye")
        self.transport.loseConnection()


@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_up_early_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    factory = Factory.forProtocol(HangsUp)
    listening = the_reactor().listenTCP(0, factory, interface="127.0.0.1")
    try:
        endpoint = f"127.0.0.1:{listening.getHost().port}"
        assert await run(endpoint, "--after", "20", "--send", "x") == (1, b"bye")
        said = capsys.readouterr().err
        assert said == f"{endpoint}: the server hung up with 1 still to send\n"
    finally:
        await listening.stopListening()


def client(*arguments: str) -> Callable[[], subprocess.CompletedProcess[bytes]]:
    """The command as it is typed; blocks, so it runs in a thread of its own."""

    def call() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "proto.client", *arguments],
            cwd=ROOT,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )

    return call


@pytest_twisted.ensureDeferred
async def test_the_tutorial_as_it_is_typed(port: int) -> None:
    told = ["--send", "Hello", "--send", "1 2 3 4", "--after", "0.1", "--send", "world"]
    done = await deferToThread(
        client(f"tcp:127.0.0.1:{port}", *told, "--after", "0.2", "--hang-up")
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Hello1 2 3 4world", b"")


@pytest_twisted.ensureDeferred
async def test_a_failure_as_it_is_seen_has_no_traceback(closed_port: int) -> None:
    done = await deferToThread(client(f"127.0.0.1:{closed_port}", "--send", "x"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1


def test_usage_errors_exit_before_anything_is_connected() -> None:
    with pytest.raises(SystemExit) as exit:
        main(["127.0.0.1:1", "--after", "soon"])
    assert exit.value.code == 2
