"""The load of echoes: what it counts, and that nothing wrong passes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.commands import PEERS, in_c, in_go, on_uvloop, peer
from benchmarks.load.echo import Bulk, Idle, PingPong
from benchmarks.load.programs import Program
from benchmarks.load.sockets import LoadFailed
from benchmarks.servers import Server
from tests.benchmarks.echoes import Answer, listening

LATER = 200_000
"""Bytes after which an echo may begin to be wrong: when it is measured."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    command = [sys.executable, str(PEERS / "echo_asyncio.py")]
    with Server(lambda folder, port: [*command, "--port", str(port)], tmp_path) as running:
        running.wait_until_it_listens()
        yield running


@pytest.mark.parametrize("size", [1, 7, 64, 65536])
@pytest.mark.parametrize("connections", [1, 33])
def test_messages_of_any_size_come_back(server: Server, connections: int, size: int) -> None:
    sample = PingPong(connections, size)(server, 0.05)
    assert sample.amount >= connections
    assert sample.seconds >= 0.05
    assert sample.p50 is not None
    assert sample.p99 is not None
    assert 0 < sample.p50 <= sample.p99
    assert min(sample.worked, sample.loaded, sample.memory) > 0


@pytest.mark.parametrize(("block", "window"), [(65536, 1 << 20), (1, 1), (1000, 999), (65536, 100)])
def test_a_stream_comes_back(server: Server, block: int, window: int) -> None:
    sample = Bulk(block, window)(server, 0.05)
    assert sample.amount > 0
    assert sample.seconds >= 0.05
    assert sample.p50 is None
    assert min(sample.worked, sample.loaded, sample.memory) > 0


def test_what_idle_connections_take_is_told(server: Server) -> None:
    sample = Idle(200)(server, 0.05)
    assert sample.amount == 200
    assert sample.grown > 0
    assert min(sample.seconds, sample.worked, sample.loaded) > 0


@pytest.mark.parametrize(
    "command",
    [
        peer("echo_threads"),
        peer("echo_twisted"),
        peer("echo_asyncio", "--streams"),
        on_uvloop("echo_asyncio"),
        in_c("echo_c/echo.c"),
        in_go("echo_go"),
    ],
    ids=["threads", "twisted", "streams", "uvloop", "c", "go"],
)
def test_every_peer_sends_back_small_messages_and_more_than_the_kernel_takes(
    tmp_path: Path, command: object
) -> None:
    assert callable(command), command
    with Server(command, tmp_path) as running:
        running.wait_until_it_listens()
        assert PingPong(10)(running, 0.05).amount >= 10
        assert Bulk(window=1 << 26)(running, 0.2).amount > 0


def once_wrong(change: Answer, later: int = LATER) -> Answer:
    """Right for so many bytes, then what `change` makes of it."""
    return lambda data, before: data if before < later else change(data, before)


WRONG: dict[str, Answer] = {
    "another byte": lambda data, before: data[:-1] + bytes([data[-1] ^ 1]),
    "one too many": lambda data, before: data + b"a",
    "twice": lambda data, before: data * 2,
    "another message": lambda data, before: data[1:] + data[:1],
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("what", [("ping", 1, 64), ("ping", 3, 5000), ("bulk", 1000, 100_000)])
def test_an_echo_that_is_wrong_is_told(what: tuple[str, int, int], answer: Answer) -> None:
    assert "what came back is not what was sent" in trouble_with(once_wrong(answer), *what)


@pytest.mark.parametrize("what", [("ping", 1, 64), ("bulk", 1000, 100_000)])
def test_an_echo_that_is_wrong_at_once_is_told_before_it_is_measured(
    what: tuple[str, int, int],
) -> None:
    with (
        listening(WRONG["another byte"]) as (port, _),
        Program("echo", what[0], port, *what[1:], 9, 9) as program,
        pytest.raises(LoadFailed, match="not what was sent"),
    ):
        program.wait_until_ready()


def test_an_echo_that_is_one_message_behind_is_told() -> None:
    last = [b""]

    def late(data: bytes, before: int) -> bytes:
        last.append(data)
        return last[-2] if before >= LATER else data

    assert "what came back is not what was sent" in trouble_with(late, "ping", 1, 64)


@pytest.mark.parametrize("what", [("ping", 2, 64), ("bulk", 65536, 1 << 20)])
def test_an_echo_that_hangs_up_is_told(what: tuple[str, int, int]) -> None:
    told = trouble_with(once_wrong(lambda data, before: b""), *what)
    assert re.fullmatch(
        "the server hung up|(recv|send): (Connection reset by peer|Broken pipe)", told
    )


@pytest.mark.parametrize("what", [("ping", 2, 64), ("bulk", 64, 1000)])
def test_an_echo_that_keeps_something_back_is_not_waited_for_without_end(
    what: tuple[str, int, int],
) -> None:
    answer = once_wrong(lambda data, before: data[:-1] or data, later=1000)
    assert trouble_with(answer, *what, seconds=1, patience=1) in (
        "the server does not answer",
        "what came back is not what was sent",
    )


def trouble_with(
    answer: Answer, what: str, first: int, second: int, *, seconds: float = 30, patience: float = 20
) -> str:
    """What the load says of an echo that is wrong while it is measured."""
    with (
        listening(answer) as (port, _),
        Program("echo", what, port, first, second, seconds, patience) as program,
    ):
        program.wait_until_ready()
        program.go()
        with pytest.raises(LoadFailed) as caught:
            program.result(seconds)
    return str(caught.value)
