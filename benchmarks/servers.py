"""A contestant's server: started on a free port in a folder of its own, ended by its pid."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from benchmarks import processes

ROOT: Final = Path(__file__).resolve().parents[1]
TWISTD: Final = str(Path(sys.executable).with_name("twistd"))
"""The twistd that belongs to the Python that runs this."""
START_SECONDS: Final = 20.0
"""That a server has to listen."""
STOP_SECONDS: Final = 15.0
"""That a server has to end by itself; ours gives its peers ten."""
IDLE_SECONDS: Final = 10.0
"""That a server has to be done with what the last round left it."""
QUIET_SECONDS: Final = 0.03
"""Without work, after which a server is held to be done."""

Command = Callable[[Path, int], Sequence[str]]
"""A folder of its own and a port -> the command line of a server that listens there."""


class ServerFailed(Exception):
    """It did not start, or it ended; the text is for people."""


class Server:
    """A running server.  Leaving the `with` block ends it, whatever happened."""

    def __init__(self, command: Command, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command(folder, self.port),
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we end it
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.end()

    def wait_until_it_listens(self) -> None:
        """Raises ServerFailed."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            try:
                with socket.create_connection(("127.0.0.1", self.port), START_SECONDS):
                    pass
            except OSError:
                time.sleep(0.01)
            else:
                self.check()  # whoever answered, was it this one?
                return
        raise ServerFailed(f"does not listen after {START_SECONDS:.0f} s{self._last_words()}")

    def wait_until_it_is_idle(self) -> None:
        """Let it finish what the last round left: peers that went, lines that nobody reads.

        Raises ServerFailed.
        """
        deadline = time.monotonic() + IDLE_SECONDS
        before = -1.0
        while (worked := self.worked()) - before > QUIET_SECONDS / 20:
            self.check()
            if time.monotonic() > deadline:
                raise ServerFailed(f"still works {IDLE_SECONDS:.0f} s after its peers went")
            before = worked
            time.sleep(QUIET_SECONDS)

    def check(self) -> None:
        """Raises ServerFailed if it has ended."""
        if (status := self._process.poll()) is not None:
            raise ServerFailed(f"ended with {status}{self._last_words()}")

    def memory(self) -> int:
        """Its resident bytes and those of its children."""
        return processes.memory(self.pid)

    def worked(self) -> float:
        """Seconds that it was on a core until now, in all its threads and its children."""
        return processes.worked(self.pid)

    def ask_to_end(self) -> None:
        """Return at once; `end` waits."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Ask it to end, and if it does not, make it; it is gone afterwards."""
        self.ask_to_end()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass  # killed below, as it is when Ctrl-C comes while we wait
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def _last_words(self) -> str:
        words = self._log.read_text(errors="replace").strip().splitlines()[-3:]
        return "".join(f"\n    {line}" for line in words)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
