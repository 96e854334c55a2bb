"""A real PostgreSQL server, for the tests alone: in a folder of its own, on a unix socket there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.system.programs import DEADLINE

_NOBODY: Final[dict[str, Any]] = (
    {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
)
"""PostgreSQL refuses to run as root."""


def _program(name: str) -> str:
    found = [shutil.which(name), *sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    paths = [str(path) for path in found if path]
    if not paths:
        pytest.fail(f"{name} is not installed; on Debian: apt-get install postgresql")
    return paths[-1]


class Server:
    """A server that is running, unless a test stopped it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count()
        self._run("initdb", "-D", f"{folder}/data", "-U", "proto", "-E", "UTF8", "--locale=C")
        self.start()

    def start(self) -> None:
        """It accepts connections when this is done."""
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=50"
        log = f"{self.folder}/log"
        self._run("pg_ctl", "start", "-w", "-D", f"{self.folder}/data", "-l", log, "-o", options)

    def crash(self) -> None:
        """It ends at once, as after a loss of power but for what the disk has not yet."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", f"{self.folder}/data")

    def url(self, database: str) -> str:
        return f"postgresql://proto@/{database}?host={self.folder}"

    def new(self) -> str:
        """The URL of a new database."""
        name = f"chat{next(self._numbers)}"
        with self.ask("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    @contextmanager
    def ask(self, database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection that sees what is there; it is closed at the end."""
        url = database if "//" in database else self.url(database)
        with psycopg.connect(url, autocommit=True, connect_timeout=int(DEADLINE)) as connection:
            yield connection

    def signal(self, number: signal.Signals) -> None:
        """Signal every process of the server."""
        pid = self.pid()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            os.kill(each, number)

    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [_program(program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=DEADLINE * 2,
            env={**os.environ, "LC_ALL": "C"},
            **_NOBODY,
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def running() -> Iterator[Server]:
    """A server that is gone at the end, and its folder too."""
    # The path of a socket has at most 107 bytes: not pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="proto-"))
    if _NOBODY:
        shutil.chown(folder, _NOBODY["user"], _NOBODY["group"])
    try:
        server = Server(folder)
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                server.crash()
    finally:
        shutil.rmtree(folder)
