"""What is profiled: of each benchmark a case that stands for it, with our server and its load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.chatcases import chat_server
from benchmarks.contest import Contestant
from benchmarks.echocases import echo_server
from benchmarks.load.chat import FanOut
from benchmarks.load.dialect import OURS
from benchmarks.load.echo import PingPong
from benchmarks.load.http import Requests
from benchmarks.load.logfile import Lines
from benchmarks.load.logfile import verify as every_line_once
from benchmarks.logcases import log_server
from benchmarks.scale import FULL
from benchmarks.webcases import prepared, verify, web_server
from benchmarks.webservers import PUBLIC

CONNECTIONS: Final = 64
READERS: Final = 100
LOG_CONNECTIONS: Final = 50
LOG_LINE: Final = 100
"""Bytes."""
FILE_SIZE: Final = 1024
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One server under one load; `one` is what the load counts, as a word for one of them.

    `name` is also that of its flame graph's file.
    """

    name: str
    title: str
    one: str
    many: str
    contestant: Contestant


def echo() -> list[Subject]:
    """Small messages there and back."""
    title = f"echo: 64 bytes there and back, connections: {CONNECTIONS}"
    server = Contestant("proto", echo_server(), PingPong(CONNECTIONS))
    return [Subject("echo", title, "message", "messages", server)]


def chat() -> list[Subject]:
    """Fan-out without a history on disk, and with one."""
    crowd = FanOut(READERS, FULL.senders, dialect=OURS)
    return [
        Subject(
            f"chat-{name}",
            f"chat, {told}: {READERS} readers and {FULL.senders} senders",
            "delivery",
            "deliveries",
            Contestant("proto", chat_server("--state", state), crowd),
        )
        for name, told, state in (("memory", "memory", "memory"), ("disk", "on disk", "state"))
    ]


def logfile() -> list[Subject]:
    """Lines into a file that is synced, as they came and as JSON."""
    load = Lines(LOG_CONNECTIONS, LOG_LINE, FULL.log_bytes)
    return [
        Subject(
            f"logfile-{form}",
            f"logfile, {form}, sync always: lines of {LOG_LINE} bytes, "
            f"connections: {LOG_CONNECTIONS}",
            "line",
            "lines",
            Contestant(
                "proto",
                log_server("--format", form, "--sync", "always"),
                load,
                verify=every_line_once,
            ),
        )
        for form in ("raw", "json")
    ]


def web() -> list[Subject]:
    """A text from a function that is registered, and a small file."""
    hello = Contestant(
        "proto",
        web_server("--class", "benchmarks.peers.web_proto.Root"),
        Requests("/hello", 14, CONNECTIONS),
        verify=verify,
    )
    file = Contestant(
        "proto",
        web_server("--path", PUBLIC),
        Requests("/files/file.txt", FILE_SIZE, CONNECTIONS),
        prepared(FILE_SIZE),
        verify,
    )
    told = f"connections: {CONNECTIONS}"
    return [
        Subject("web-hello", f"web, register(): 14 bytes, {told}", "request", "requests", hello),
        Subject("web-file", f"web, a file of 1 KiB, {told}", "request", "requests", file),
    ]


SUBJECTS: Final[dict[str, Callable[[], list[Subject]]]] = {
    "echo": echo,
    "chat": chat,
    "logfile": logfile,
    "web": web,
}
