"""Every case: who takes part, with which command line, under which load.  Read this first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import disk, golang, logcases
from benchmarks.commands import PEERS, peer, proto
from benchmarks.contest import Case, Contestant
from benchmarks.load import Load
from benchmarks.load.chat import FanOut, LightTalk
from benchmarks.load.echo import Bulk, PingPong
from benchmarks.load.static import Requests
from benchmarks.scale import Scale
from benchmarks.servers import TWISTD, Command

STRONGEST: Final = (
    "proto, on disk",
    "proto, memory",
    "Twisted tutorial, TCP_NODELAY",
    "Go",
    "sink",
)
"""The chats that take part where there is little time."""
FROZEN_LINE: Final = 4000
"""Bytes of a line where some do not read: large, so that what waits for them soon shows."""


def echo(scale: Scale) -> list[Case]:
    """Small messages there and back, and a stream."""

    def contestants(load: Load) -> list[Contestant]:
        return [
            Contestant("proto", proto("echo"), load),
            Contestant("Twisted tutorial", peer("echo_twisted"), load),
            Contestant("asyncio Protocol", peer("echo_asyncio"), load),
            Contestant("asyncio streams", peer("echo_asyncio", "--streams"), load),
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
    """Fan-out, everybody reading; then with one in a hundred who does not; then a line now and
    then, of which the delay counts."""
    go = golang.built(PEERS / "chat_go")
    remarks = [f"on disk: {disk.described(scale.folder)}"]
    if isinstance(go, str):
        remarks.append(f"Go left out: {go}")
    if not scale.every_chat:
        remarks.append("the weaker chats left out: there is little time")
    fan_out = [
        Case(
            f"chat: {readers} readers and {scale.senders} senders",
            "deliveries a second",
            _chatters(scale, FanOut(readers, scale.senders), go),
            remarks=remarks,
        )
        for readers in scale.readers
    ]
    frozen = [
        _beside_frozen(scale, readers, lines, go, remarks) for readers, lines in scale.beside_frozen
    ]
    people, senders = scale.light_people, min(scale.senders, scale.light_people - 1)

    def talk(crowd: FanOut) -> LightTalk:
        return LightTalk(crowd, scale.light_pause, scale.light_stretch)

    light = Case(
        f"chat: {people} people, a line every {scale.light_pause * 1000:.0f} ms",
        "milliseconds until 99 in 100 readers have it",
        _chatters(scale, FanOut(people - senders, senders), go, talk),
        waits=True,
        remarks=remarks,
    )
    return [*fan_out, *frozen, light]


def static(scale: Scale) -> list[Case]:
    """One file, asked for again and again; all of them log every request."""

    def contestants(size: int) -> list[Contestant]:
        load = Requests("/file.txt", size, scale.web_connections)
        http_server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]

        def prepare(folder: Path) -> None:
            (folder / "public").mkdir()
            (folder / "public" / "file.txt").write_bytes(b"." * size)

        return [
            Contestant("proto", proto("web", "--path", "public"), load, prepare),
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
    "logfile": logcases.logfile,
    "lag": logcases.lag,
    "static": static,
}


def chat_server(*options: str) -> Command:
    """Our chat, which takes as many clients and lines as come."""
    limits = ("flood-rate", "max-per-address", "max-per-minute", "max-connections")
    lifted = [word for limit in limits for word in (f"--{limit}", "0")]
    return proto("chat", *lifted, *options)


def greeted_early(crowd: FanOut) -> FanOut:
    """For our chat, which waits a moment before it greets, unless a newcomer speaks: an empty line
    is enough."""
    return replace(crowd, hello=b"\r\n", ready=b"You are ")


def _beside_frozen(
    scale: Scale, readers: int, lines: int, go: Path | str, remarks: Sequence[str]
) -> Case:
    frozen = max(1, readers // 100)
    crowd = FanOut(
        readers, scale.senders, frozen=frozen, window=2, line_bytes=FROZEN_LINE, lines=lines
    )
    everybody = _chatters(replace(scale, with_sink=False), crowd, go)
    if scale.every_chat:
        remarks = [*remarks, "asyncio streams left out: it waits for whoever reads nothing"]
    return Case(
        f"chat: {readers} readers, {scale.senders} senders and {frozen} who read nothing; "
        f"{lines * scale.seconds:.0f} lines of {FROZEN_LINE} bytes",
        "deliveries a second",
        [contestant for contestant in everybody if contestant.name != "asyncio streams"],
        remarks=remarks,
    )


def _chatters(
    scale: Scale,
    crowd: FanOut,
    go: Path | str,
    talk: Callable[[FanOut], Load] = lambda crowd: crowd,
) -> list[Contestant]:
    ours, plain = talk(greeted_early(crowd)), talk(crowd)
    everybody = [
        Contestant("proto, on disk", chat_server("--state", "state"), ours),
        Contestant("proto, memory", chat_server("--state", "memory"), ours),
        Contestant("Twisted tutorial", peer("chat_twisted"), plain),
        Contestant("Twisted tutorial, TCP_NODELAY", peer("chat_twisted", "--nodelay"), plain),
        Contestant("asyncio streams", peer("chat_asyncio"), plain),
        *_in_go(go, plain),
        *_sink(scale, "chat", plain),
    ]
    return [each for each in everybody if scale.every_chat or each.name in STRONGEST]


def _in_go(program: Path | str, load: Load) -> list[Contestant]:
    """None, if there is no program."""
    if isinstance(program, str):
        return []
    # One core, as the others have; `env` becomes the program and keeps its pid.
    command = ["env", "GOMAXPROCS=1", str(program)]
    return [
        Contestant("Go", lambda folder, port: [*command, "-port", str(port)], load),
        Contestant(
            "Go, each line by itself",
            lambda folder, port: [*command, "-each", "-port", str(port)],
            load,
        ),
    ]


def _twisted_web(folder: Path, port: int) -> Sequence[str]:
    listen = f"tcp:{port}:interface=127.0.0.1"
    return [TWISTD, "--pidfile=", "-n", "twisted-web", "--path", "public", "--listen", listen]


def _sink(scale: Scale, service: str, load: Load, *options: str) -> list[Contestant]:
    return [Contestant("sink", peer("sink", service, *options), load)] if scale.with_sink else []
