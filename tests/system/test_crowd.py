"""Two thousand people in one room of a real chat: everybody reads every line, once and in order."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.crowd import Crowd, Listener, descriptors
from tests.system.programs import Twistd
from tests.system.talkers import PATIENCE, Kept

PEOPLE: Final = 2000
NO_LIMITS: Final = (
    *("--max-connections", "0", "--max-per-address", "0", "--max-per-minute", "0"),
    *("--flood-rate", "0", "--hide-addresses", "--stuck-after", "600"),
    *("--send-queue", "128 KiB", "--hold-input", "16 KiB"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crowd")


@pytest.fixture(scope="module")
def crowd(folder: Path) -> Iterator[Crowd]:
    """People who came before the first line was said."""
    with (
        descriptors(),
        Twistd("chat", "--port", "0", "--state", "state", *NO_LIMITS, cwd=folder) as server,
    ):
        server.deadline = PATIENCE
        with Crowd(server.port("chat"), PEOPLE) as crowd:
            yield crowd
        assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in server.output


def logged(folder: Path) -> bytes:
    """The numbers in the log, as listeners note them."""
    texts = Kept(str(folder / "state")).read()
    return b"".join(text.split()[0].encode() + b" " for text in texts)


def wrong(people: Iterable[Listener], log: bytes) -> list[int]:
    """Who read something else than all of the log."""
    return [number for number, each in enumerate(people) if each.heard != log]


def test_everybody_reads_every_line_once_and_in_order(crowd: Crowd, folder: Path) -> None:
    chance = random.Random(1)
    for _ in range(20):
        for sender in chance.choices(crowd.people, k=chance.randrange(1, 20)):
            crowd.say(sender)
        crowd.pump(crowd.all_heard)
    for sender in chance.choices(crowd.people, k=200):
        crowd.say(sender)
    crowd.pump(crowd.all_heard)
    log = logged(folder)
    assert wrong(crowd.people, log) == []
    assert len(log.split()) == len(set(log.split())) == crowd.said


def test_a_reader_who_is_frozen_delays_nobody_and_is_dropped_with_a_reason(
    crowd: Crowd, folder: Path
) -> None:
    frozen = crowd.come(1)[0]
    frozen.say("/NAME frozen")
    crowd.pump(lambda: crowd.was_told(rb" changed name to frozen\r\n"))
    # It reads nothing from now on: what the system itself takes for it is filled first.
    crowd.forget(frozen)
    frozen.say("\n".join(["/HELP"] * 3000))
    chance = random.Random(2)
    end = time.monotonic() + PATIENCE
    while not crowd.was_told(rb"\nfrozen has disconnected \(too slow\)\.\r\n"):
        assert time.monotonic() < end, "it was never dropped"
        crowd.say(chance.choice(crowd.people), " " + "x" * 4000)
        crowd.pump(crowd.all_heard)
    assert wrong(crowd.people, logged(folder)) == []
    frozen.wire.close()


def test_people_who_come_and_go_lose_no_line_and_take_none_from_others(
    crowd: Crowd, folder: Path
) -> None:
    chance = random.Random(3)
    visitors: list[Listener] = []
    for _ in range(20):
        new = crowd.visit(50)
        visitors += new
        for sender in chance.choices(crowd.people, k=10):
            crowd.say(sender)
        crowd.pump(lambda: sum(each.is_in for each in new) > 25)  # noqa: B023
        for each in new:
            if each.is_in and chance.random() < 0.5:
                crowd.hang_up(each)
            else:
                each.say("/EXIT")
        for sender in chance.choices(crowd.people, k=10):
            crowd.say(sender)
    crowd.pump(lambda: crowd.all_heard() and not any(each.open for each in visitors))
    log = logged(folder)
    assert wrong(crowd.people, log) == []
    assert any(each.heard for each in visitors)
    assert [each.heard for each in visitors if b" " + each.heard not in b" " + log] == []
