"""A real process with the log receiver and, beside it, the echo; and what its metrics say."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final

from tests.system.programs import DEADLINE, Twistd

ALL_DOORS: Final = {"port": "0", "relp": ["0"], "http": ["0"], "ack": True}


class LogServer(Twistd):
    """`twistd proto` with a log in `folder`/log/log.txt, which must be there."""

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, object] | None = None,
        *,
        prefix: tuple[str, ...] = (),
    ) -> None:
        """`options` are more of the section [logfile]."""
        self.folder = folder / "log"
        settings = {"file": str(self.folder / "log.txt"), **ALL_DOORS, **(options or {})}
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        config = folder / "proto.toml"
        config.write_text("\n".join(["[logfile]", *lines, "[echo]", 'port = "0"', ""]))
        super().__init__("proto", "--config", str(config), cwd=folder, prefix=prefix)

    def figures(self) -> dict[str, int]:
        """What /metrics says of the log; each time received = durable + held + refused."""
        address = f"http://127.0.0.1:{self.port('http')}/metrics"
        with urllib.request.urlopen(address, timeout=DEADLINE) as answer:
            text = answer.read().decode()
        shown = {}
        for row in text.splitlines():
            name, _, value = row.partition(" ")
            if name.startswith("proto_logfile_") and "{" not in name:
                short = name.removeprefix("proto_logfile_").removesuffix("_total")
                shown[short] = int(float(value))
        settled = sum(shown[f"lines_{name}"] for name in ("durable", "held", "refused"))
        assert shown["lines_received"] == settled, text
        return shown

    def until(self, true: Callable[[dict[str, int]], bool]) -> dict[str, int]:
        """Look at the figures until they are so."""
        end = time.monotonic() + DEADLINE
        while not true(shown := self.figures()):
            assert time.monotonic() < end, shown
            with suppress(TimeoutExpired):
                code = self.process.wait(0.01)
                raise AssertionError(f"it ended with {code}:\n{self.output}")
        return shown

    def keeps(self, lines: int) -> None:
        """Wait until so many lines are on the disk."""
        self.until(lambda shown: shown["lines_durable"] >= lines)

    def echoes(self, times: int) -> list[float]:
        """Say something to the echo so often; the seconds that each answer took."""
        took = []
        address = ("127.0.0.1", self.port("echo"))
        with socket.create_connection(address, DEADLINE) as echo:
            for number in range(times):
                said = b"%d are you there?" % number
                began = time.monotonic()
                echo.sendall(said)
                heard = b""
                while len(heard) < len(said):
                    data = echo.recv(4096)
                    assert data, "the echo hung up"
                    heard += data
                took.append(time.monotonic() - began)
                assert heard == said
        return took
