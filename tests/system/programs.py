"""Real programs in the tests: twistd itself, and the clients that people use.

Everything here has a deadline and nothing sleeps: a test waits for a line, a byte or an exit.
"""

from __future__ import annotations

import codecs
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
TWISTD: Final = str(Path(sys.executable).with_name("twistd"))
"""The twistd that belongs to the Python of the tests."""
DEADLINE: Final = 30.0
"""Seconds that anything may take before a test gives up."""


def program(name: str, package: str) -> str:
    """The path of a client; without it CI fails, and elsewhere the run says what to install."""
    path = shutil.which(name)
    if path is None:
        told = f"{name} is not installed; on Debian: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return path


def environment(**extra: str) -> dict[str, str]:
    """Our environment with the checkout on sys.path, as `PYTHONPATH=.` gives it."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **extra}


def free_port() -> int:
    """A port on which nobody listens, for a server that must be told one.

    It is below those that the kernel gives to clients (ip_local_port_range): of these, any may be
    taken before the server comes to it.  And it is none that browsers refuse, as 10080.  Tests that
    run side by side have ports of their own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 11_000 + worker % 8 * 2_000
    while True:
        port = random.randrange(first, first + 2_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Program:
    """A running program whose output is read as it comes; it is ended with the `with` block."""

    def __init__(
        self,
        *command: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        deadline: float = DEADLINE,
    ) -> None:
        self.deadline = deadline
        self.process = subprocess.Popen(
            [*prefix, *command],
            cwd=cwd,
            env=dict(env or environment()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.output = ""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def wait_for(self, pattern: str, *, after: int = 0) -> re.Match[str]:
        """Wait until the output holds `pattern` (from offset `after` on); fail at the deadline."""
        compiled = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + self.deadline
        with self._news:
            while (found := compiled.search(self.output, after)) is None:
                over = not self._reader.is_alive()
                if over or not self._news.wait(end - time.monotonic()):
                    pytest.fail(f"{pattern!r} did not come; the output was:\n{self.output}")
            return found

    def port(self, service: str, kind: str = "tcp") -> int:
        """The port of a service, when twistd is ready: from then on signals stop it in order."""
        self.wait_for(r"ready: ")
        return int(self.wait_for(rf"{service} listens on {kind} \S*:(\d+)$")[1])

    def type(self, text: str) -> None:
        """Write to the program's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end(self, number: signal.Signals | None = None) -> int:
        """Signal the program if asked to, and wait for its end; the result is its exit code."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return code

    def _read(self) -> None:
        """Take the output as it comes, so that the program never waits for its reader."""
        assert self.process.stdout is not None
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        while data := os.read(self.process.stdout.fileno(), 65536):
            with self._news:
                self.output += decode(data)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


class Twistd(Program):
    """A real `twistd -n`."""

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        reactor: str | None = None,
        twistd: str | None = None,
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        reactor = reactor or os.environ.get("PROTO_REACTOR")
        flags = [f"--reactor={reactor}"] if reactor else []
        command = [twistd or TWISTD, "--pidfile=", "-n", *flags, *arguments]
        super().__init__(*command, cwd=cwd, env=env, prefix=prefix)


def run(
    *command: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=dict(env or environment()),
        input=stdin,
        capture_output=True,
        timeout=DEADLINE * 4,
        check=False,
    )


@contextmanager
def dial(port: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A plain connection with the deadline on every call."""
    with socket.create_connection((host, port), DEADLINE) as connection:
        yield connection


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    """What comes, up to and with `mark`; fails at the deadline or the end."""
    data = b""
    while mark not in data:
        chunk = connection.recv(65536)
        if not chunk:
            pytest.fail(f"the connection ended before {mark!r}; it said {data!r}")
        data += chunk
    return data


def leave(connection: socket.socket) -> None:
    """Hang up, and wait until the server has done so too and counts this peer no longer."""
    connection.shutdown(socket.SHUT_WR)
    read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return data
