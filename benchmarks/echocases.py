"""The cases of the echo: small messages there and back, a stream, and connections that idle."""

from __future__ import annotations

import shutil
from typing import Final

from benchmarks import descriptors
from benchmarks.commands import in_c, in_go, on_uvloop, peer, proto
from benchmarks.contest import Case, Contestant
from benchmarks.figures import Figure
from benchmarks.load import Load
from benchmarks.load.echo import Bulk, Idle, PingPong
from benchmarks.scale import Scale
from benchmarks.servers import Command

FEW: Final = ("socketserver, threads", "socat")
"""Those who have a thread or a process for each connection take part where there are few ..."""
MOST_FOR_FEW: Final = 64
"""... at most so many."""
SPARE: Final = 200
"""Descriptors that a process needs besides those of its connections."""


def echo(scale: Scale) -> list[Case]:
    """The more connections, the more there is for a server to do each time it wakes up."""
    return [
        *(_ping_pong(scale, count) for count in scale.echo_connections),
        _bulk(scale),
        _idle(scale),
    ]


def echo_server() -> Command:
    """Our echo.  No limit but this one would refuse a crowd; whatever else it does for safety, it
    does."""
    return proto("echo", "--max-connections", "0")


def _ping_pong(scale: Scale, count: int) -> Case:
    contestants, remarks = _contestants(scale, PingPong(count), few=count <= MOST_FOR_FEW)
    return Case(
        f"echo: 64 bytes there and back, connections: {count:,}",
        "messages a second",
        contestants,
        remarks=remarks,
    )


def _bulk(scale: Scale) -> Case:
    contestants, remarks = _contestants(scale, Bulk(), few=True)
    title = "echo: blocks of 64 KiB on one connection"
    return Case(title, "MiB a second", contestants, remarks=remarks)


def _idle(scale: Scale) -> Case:
    """Each round has a server of its own: none finds memory that the round before left free."""
    count = max(1, descriptors.allowed(scale.idle_connections + SPARE) - SPARE)
    contestants, remarks = _contestants(scale, Idle(count), few=False)
    if count < scale.idle_connections:
        remarks.append(f"not {scale.idle_connections:,}: RLIMIT_NOFILE does not allow it")
    return Case(
        f"echo: idle connections, {count:,} of them",
        "KiB of the server's memory for each",
        contestants,
        figure=Figure.GROWTH,
        remarks=remarks,
        afresh=True,
    )


def _contestants(scale: Scale, load: Load, *, few: bool) -> tuple[list[Contestant], list[str]]:
    """Who takes part, and who is left out for what reason."""
    wanted: dict[str, Command | str] = {
        "proto": echo_server(),
        "Twisted tutorial": peer("echo_twisted"),
        "asyncio Protocol": peer("echo_asyncio"),
        "asyncio streams": peer("echo_asyncio", "--streams"),
        "uvloop Protocol": on_uvloop("echo_asyncio"),
        "socketserver, threads": peer("echo_threads"),
        "socat": _socat(),
        "Go": in_go("echo_go"),
        "C": in_c("echo_c/echo.c"),
    }
    if scale.with_sink:
        wanted["sink"] = peer("sink", "echo")
    there = {name: each for name, each in wanted.items() if few or name not in FEW}
    remarks = [f"{name} left out: {why}" for name, why in there.items() if isinstance(why, str)]
    if not few:
        remarks.append(f"{' and '.join(FEW)} left out: one thread or process for each is too many")
    found = [(name, each) for name, each in there.items() if not isinstance(each, str)]
    return [Contestant(name, command, load) for name, command in found], remarks


def _socat() -> Command | str:
    program = shutil.which("socat")
    if program is None:
        return "socat is not installed"
    options = "bind=127.0.0.1,reuseaddr,fork,nodelay,backlog=128"
    return lambda folder, port: [program, f"TCP-LISTEN:{port},{options}", "PIPE"]
