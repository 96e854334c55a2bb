"""Every case: who takes part, with which command line, under which load.  Read this first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.contest import Case, Contestant
from benchmarks.load import Load
from benchmarks.load.chat import FanOut
from benchmarks.load.echo import Bulk, PingPong
from benchmarks.load.logfile import Lines, verify
from benchmarks.load.static import Requests
from benchmarks.servers import TWISTD, Command

PEERS: Final = Path(__file__).with_name("peers")
FROZEN_LINE: Final = 4000
"""Bytes of a line where some do not read: large, so that what waits for them soon shows."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything: rounds, seconds of each, and the sizes that each case is run in."""

    rounds: int = 5
    seconds: float = 0.75
    echo_connections: Sequence[int] = (1, 64)
    readers: Sequence[int] = (10, 100, 1000)
    readers_beside_frozen: int = 100
    lines_beside_frozen: int = 5000
    senders: int = 10
    log_connections: Sequence[int] = (1, 50)
    log_lines: int = 500_000
    file_sizes: Sequence[int] = (1024, 102_400)
    web_connections: int = 64
    with_sink: bool = False


FULL: Final = Scale()
QUICK: Final = Scale(rounds=3, seconds=0.25, readers=(10, 100), log_lines=200_000)


def echo(scale: Scale) -> list[Case]:
    """Small messages there and back, and a stream."""

    def contestants(load: Load) -> list[Contestant]:
        return [
            Contestant("proto", _proto("echo"), load),
            Contestant("Twisted tutorial", _peer("echo_twisted"), load),
            Contestant("asyncio Protocol", _peer("echo_asyncio"), load),
            Contestant("asyncio streams", _peer("echo_asyncio", "--streams"), load),
            *_sink(scale, "echo", load),
        ]

    cases = [
        Case(
            f"echo: 64 bytes there and back, connections: {count}",
            "messages a second",
            contestants(PingPong(count)),
        )
        for count in scale.echo_connections
    ]
    return [
        *cases,
        Case("echo: blocks of 64 KiB on one connection", "MiB a second", contestants(Bulk())),
    ]


def chat(scale: Scale) -> list[Case]:
    """Fan-out, everybody reading; then with one in a hundred who does not."""
    cases = [
        Case(
            f"chat: {readers} readers and {scale.senders} senders",
            "deliveries a second",
            _chatters(scale, FanOut(readers, scale.senders)),
        )
        for readers in scale.readers
    ]
    readers = scale.readers_beside_frozen
    frozen = max(1, readers // 100)
    crowd = FanOut(
        readers,
        scale.senders,
        frozen=frozen,
        window=2,
        line_bytes=FROZEN_LINE,
        lines=scale.lines_beside_frozen,
    )
    title = (
        f"chat: {readers} readers, {scale.senders} senders and {frozen} who read nothing; "
        f"{scale.lines_beside_frozen * scale.seconds:.0f} lines of {FROZEN_LINE} bytes"
    )
    two = _chatters(replace(scale, with_sink=False), crowd)[:2]
    return [*cases, Case(title, "deliveries a second", two)]


def logfile(scale: Scale) -> list[Case]:
    """Lines into one file, which must hold them all when the server has stopped."""

    def contestants(load: Load) -> list[Contestant]:
        log = ("--file", "log.txt")
        return [
            Contestant("proto", _proto("logfile", *log), load, verify=verify),
            Contestant("Twisted tutorial", _peer("logfile_twisted", *log), load, verify=verify),
            Contestant("asyncio streams", _peer("logfile_asyncio", *log), load, verify=verify),
            *_sink(scale, "logfile", load),
        ]

    return [
        Case(
            f"logfile: lines of 100 bytes, connections: {count}",
            "lines a second",
            contestants(Lines(count, scale.log_lines)),
        )
        for count in scale.log_connections
    ]


def static(scale: Scale) -> list[Case]:
    """One file, asked for again and again; all of them log every request."""

    def contestants(size: int) -> list[Contestant]:
        load = Requests("/file.txt", size, scale.web_connections)
        http_server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]

        def prepare(folder: Path) -> None:
            (folder / "public").mkdir()
            (folder / "public" / "file.txt").write_bytes(b"." * size)

        return [
            Contestant("proto", _proto("web", "--path", "public"), load, prepare),
            Contestant("twisted-web", _twisted_web, load, prepare),
            Contestant(
                "http.server",
                lambda folder, port: [*http_server, "-p", "HTTP/1.1", "-d", "public", str(port)],
                load,
                prepare,
            ),
            *_sink(scale, "static", load, "--size", str(size)),
        ]

    return [
        Case(
            f"static: a file of {size // 1024} KiB, connections: {scale.web_connections}",
            "requests a second",
            contestants(size),
        )
        for size in scale.file_sizes
    ]


BENCHMARKS: Final[dict[str, Callable[[Scale], list[Case]]]] = {
    "echo": echo,
    "chat": chat,
    "logfile": logfile,
    "static": static,
}


def _chatters(scale: Scale, crowd: FanOut) -> list[Contestant]:
    # Ours waits a moment before it greets, unless a newcomer speaks: an empty line is enough.
    impatient = replace(crowd, hello=b"\r\n", ready=b"You are ")
    no_limits = ("--flood-rate", "0", "--max-per-address", "0", "--max-per-minute", "0")
    return [
        Contestant("proto", _proto("chat", *no_limits), impatient),
        Contestant("Twisted tutorial", _peer("chat_twisted"), crowd),
        Contestant("asyncio streams", _peer("chat_asyncio"), crowd),
        *_sink(scale, "chat", crowd),
    ]


def _proto(service: str, *options: str) -> Command:
    twistd = [TWISTD, "--pidfile=", "-n", service, "--interface", "127.0.0.1", *options]
    return lambda folder, port: [*twistd, "--port", str(port)]


def _twisted_web(folder: Path, port: int) -> Sequence[str]:
    listen = f"tcp:{port}:interface=127.0.0.1"
    return [TWISTD, "--pidfile=", "-n", "twisted-web", "--path", "public", "--listen", listen]


def _peer(name: str, *options: str) -> Command:
    program = [sys.executable, str(PEERS / f"{name}.py"), *options]
    return lambda folder, port: [*program, "--port", str(port)]


def _sink(scale: Scale, service: str, load: Load, *options: str) -> list[Contestant]:
    return [Contestant("sink", _peer("sink", service, *options), load)] if scale.with_sink else []
