"""Many clients with a file each: none makes the others wait for long."""

from __future__ import annotations

import errno

import pytest
from twisted.logger import capturedLogs, formatEvent

from proto.logfile.portion import Portion
from proto.logfile.writing import OPENED, RETRY_SECONDS, TRIES
from tests.logfile.desk import Desk
from tests.logfile.paper import PaperShelf, error


def test_a_crowd_of_new_clients_makes_nobody_wait_whose_file_is_open() -> None:
    shelf = PaperShelf()
    desk = Desk(shelf)
    desk.say(b"first\n", "honest")
    desk.step()
    for number in range(3 * OPENED):
        desk.say(b"new\n", f"new{number}")
    desk.say(b"second\n", "honest")
    desk.settled.clear()
    assert desk.step() == 0.0
    assert (b"second\n", True) in desk.settled
    assert len(desk.settled) == OPENED + 1
    assert desk.step() == 0.0
    assert desk.step() is None
    assert len(desk.settled) == 3 * OPENED + 1
    assert len(shelf.logs) == 3 * OPENED + 1


@pytest.mark.parametrize("deed", ["write", "sync"])
def test_an_open_file_that_becomes_unusable_stops_nobody_and_its_lines_are_refused(
    deed: str,
) -> None:
    shelf = PaperShelf()
    desk = Desk(shelf)
    for name in ("ann", "bob"):
        desk.say(b"one\n", name)
    desk.step()
    desk.settled.clear()
    shelf.troubles[f"{deed} ann"] = error(errno.ELOOP)
    desk.say(b"two\n", "ann")
    with capturedLogs() as events:
        for _ in range(TRIES):
            desk.say(b"more\n", "bob")
            desk.step(RETRY_SECONDS)
        assert not desk.intake.full
        assert desk.settled.count((b"more\n", True)) == TRIES
        assert (b"two\n", False) in desk.settled
        shelf.heal()
        desk.say(b"three\n", "ann")
        desk.step(RETRY_SECONDS)
    assert desk.settled[-1] == (b"three\n", True)
    assert desk.stuck == []
    assert [formatEvent(event)[:28] for event in events] == [
        "cannot open the log of ann: ",
        "ann.log can be opened again",
    ]


def test_what_everybody_waits_for_is_synced_at_once() -> None:
    desk = Desk(PaperShelf(), sync=60.0)
    desk.say(b"one\n")
    desk.step()
    assert desk.settled == []
    desk.writer.append(Portion(b"two\n", 1, desk.accounts[""], urgent=True))
    desk.step()
    assert desk.settled == [(b"one\n", True), (b"two\n", True)]
