"""The cases of the log receiver: how many lines a second, and who waits meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import disk, gcc, syslogs
from benchmarks.commands import PEERS, peer, proto
from benchmarks.contest import Case, Contestant
from benchmarks.figures import Figure
from benchmarks.load.lag import PORT_FILE, Asked
from benchmarks.load.logfile import FILE, Lines, verify
from benchmarks.scale import Scale
from benchmarks.servers import TWISTD, Command, free_port

LIMIT: Final = "C receiver"
USUAL: Final = "rsyslog imtcp"
OURS: Final[Mapping[str, Sequence[str]]] = {
    "proto, raw, sync always": ("--format", "raw", "--sync", "always"),
    "proto, raw, sync 0.5 s": ("--format", "raw", "--sync", "0.5"),
    "proto, raw, sync never": ("--format", "raw", "--sync", "never"),
    "proto, prefixed, sync always": ("--format", "prefixed", "--sync", "always"),
    "proto, json, sync always": ("--format", "json", "--sync", "always"),
}
STRONGEST: Final = (
    "proto, raw, sync always",
    "proto, raw, sync never",
    "proto, json, sync always",
    LIMIT,
    USUAL,
    "rsyslog imptcp",
)
"""Those who take part where there is little time."""
HELD: Final = 16_384
"""Bytes that a buffered file may hold back: Python's is 8 KiB, or a block of the file system."""
_BUFFERED: Final = frozenset({"Twisted tutorial", "asyncio streams"})
SLOW: Final = 100
"""Milliseconds that a write takes on the slow disk."""
SUITE: Final = """\
[echo]
port = "tcp:{echo}:interface=127.0.0.1"
[logfile]
port = "tcp:{lines}:interface=127.0.0.1"
file = "{file}"
"""


def logfile(scale: Scale) -> list[Case]:
    """Lines into one file, which must hold each of them once when the server has stopped.

    Every round has a server and a file of its own.
    """
    others, left_out = _others(scale)
    remarks = [f"files on: {disk.described(scale.folder)}", *left_out]
    if not scale.every_log:
        remarks.append("those who are not compared left out: there is little time")
    cases = []
    for size in scale.log_sizes:
        for connections in scale.log_connections:
            load = Lines(connections, size, scale.log_bytes, stretch=scale.log_stretch)
            contestants = [
                _writer(name, command, load)
                for name, command in (_ours() | others).items()
                if scale.every_log or name in STRONGEST
            ]
            cases.append(
                Case(
                    f"logfile: lines of {size} bytes, connections: {connections}",
                    "lines a second",
                    contestants + _discarding(scale, load),
                    remarks=remarks,
                    beside=(LIMIT, USUAL),
                    room=2 * scale.log_bytes,
                    afresh=True,
                )
            )
    return cases


def lag(scale: Scale) -> list[Case]:
    """How long an echo in the same process waits for its answer while lines come to a slow disk."""
    quiet, busy = (
        Asked(connections, 400, scale.log_bytes, stretch=scale.lag_stretch)
        for connections in (0, 10)
    )
    contestants = [
        Contestant("proto, no lines", _suite(), quiet),
        Contestant("proto, lines", _suite(), busy),
    ]
    remarks = [
        f"files on: {disk.described(scale.folder)}",
        "a question counts from when it was due, also if it had to wait for the last answer",
    ]
    slow = gcc.library(PEERS.parent / "load" / "slow_disk.c")
    if isinstance(slow, str):
        remarks.append(f"the slow disk left out: {slow}")
    else:
        name = f"proto, lines, each write or sync takes {SLOW} ms more"
        contestants.append(Contestant(name, _suite(slow), busy))
    return [
        Case(
            "lag: an echo is asked every 10 ms while 10 connections send lines to [logfile]",
            "milliseconds until 99 in 100 answers are there",
            contestants,
            figure=Figure.WAIT,
            remarks=remarks,
            beside=(),
            room=2 * scale.log_bytes,
            afresh=True,
        )
    ]


def log_server(*options: str) -> Command:
    """Our log receiver, which writes where the load looks."""
    return proto("logfile", "--file", FILE, *options)


def _ours() -> dict[str, Command]:
    return {name: log_server(*words) for name, words in OURS.items()}


def _others(scale: Scale) -> tuple[dict[str, Command], list[str]]:
    """The peers, and who is left out for what reason."""
    wanted: dict[str, Command | str] = {
        LIMIT: _in_c(),
        # A sync takes the longer the smaller the batch is: this one takes what there is.
        "C receiver, synced": _in_c("--sync", "--chunk", str(1 << 20)),
        USUAL: syslogs.rsyslog("imtcp"),
        "rsyslog imtcp, its own format": syslogs.rsyslog("imtcp", template="RSYSLOG_FileFormat"),
        "rsyslog imtcp, synced": syslogs.rsyslog("imtcp", sync=True),
        "rsyslog imptcp": syslogs.rsyslog("imptcp"),
        "rsyslog imptcp, synced": syslogs.rsyslog("imptcp", sync=True),
        "syslog-ng": syslogs.syslog_ng(scale.syslog_ng),
        "syslog-ng, synced": syslogs.syslog_ng(scale.syslog_ng, sync=True),
        "Twisted tutorial": peer("logfile_twisted", "--file", FILE),
        "asyncio streams": peer("logfile_asyncio", "--file", FILE),
    }
    found = {name: each for name, each in wanted.items() if not isinstance(each, str)}
    left_out = [f"{name} left out: {why}" for name, why in wanted.items() if isinstance(why, str)]
    return found, left_out


def _writer(name: str, command: Command, load: Lines) -> Contestant:
    if name in _BUFFERED:
        load = replace(load, held=HELD)
    return Contestant(name, command, load, verify=verify)


def _in_c(*options: str) -> Command | str:
    program = gcc.built(PEERS / "logfile_c" / "main.c")
    if isinstance(program, str):
        return program
    return lambda folder, port: [str(program), str(port), FILE, *options]


def _discarding(scale: Scale, load: Lines) -> list[Contestant]:
    """One that writes nothing, so that nothing but the load generator is the limit."""
    program = _in_c("--discard")
    if not scale.with_sink or isinstance(program, str):
        return []
    return [Contestant("C receiver, discards", program, replace(load, written=False))]


def _suite(library: Path | None = None) -> Command:
    """An echo and a log receiver in one process; `library` makes the log's disk slow."""

    def command(folder: Path, port: int) -> Sequence[str]:
        lines = free_port()
        (folder / PORT_FILE).write_text(str(lines))
        (folder / "proto.toml").write_text(SUITE.format(echo=port, lines=lines, file=FILE))
        slow = [
            "env",
            f"LD_PRELOAD={library}",
            f"SLOW_FILE=/{FILE}",
            f"SLOW_MICROSECONDS={SLOW * 1000}",
        ]
        twistd = [TWISTD, "--reactor=lean", "--pidfile=", "-n", "proto", "--config", "proto.toml"]
        return [*slow, *twistd] if library else twistd

    return command
