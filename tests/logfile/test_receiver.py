from __future__ import annotations

import errno

import pytest

from proto.logfile.receiver import DEADLINE, LAST_SECONDS
from tests.logfile.site import PATH, Site


def test_the_log_is_closed_when_its_last_door_is_and_all_is_on_the_disk() -> None:
    site = Site()
    closed: list[None] = []
    site.receiver.join()
    alice, _ = site.connect()
    alice.dataReceived(b"one\n")
    alice.connectionLost()
    site.receiver.when_closed().addCallback(closed.append)
    site.factory.doStop()
    site.settle()
    assert site.disk.open_files
    assert closed == []
    site.receiver.leave()
    site.settle()
    assert not site.disk.open_files
    assert site.stored == b"one\n"
    site.receiver.when_closed().addCallback(closed.append)
    assert closed == [None, None]


def test_a_disk_that_takes_nothing_is_not_waited_for_longer_than_said() -> None:
    site = Site()
    alice, _ = site.connect()
    site.disk.fail(errno.ENOSPC)
    alice.dataReceived(b"one\n")
    site.settle()
    closed: list[None] = []
    site.receiver.when_closed().addCallback(closed.append)
    alice.connectionLost()
    site.factory.doStop()
    site.settle(DEADLINE - 1)
    assert closed == []
    site.settle(1)
    assert closed == [None]
    assert site.shown("lines_refused") == 1


@pytest.mark.parametrize(
    ("drained", "left"), [(0.0, DEADLINE), (4.0, 6.0), (DEADLINE, LAST_SECONDS)]
)
def test_the_time_to_close_runs_from_when_the_first_door_begins_to(
    drained: float, left: float
) -> None:
    site = Site()
    alice, _ = site.connect()
    site.disk.fail(errno.ENOSPC)
    alice.dataReceived(b"one\n")
    site.settle()
    site.factory.farewell()
    alice.connectionLost()
    site.clock.advance(drained)
    site.factory.doStop()
    closed: list[None] = []
    site.receiver.when_closed().addCallback(closed.append)
    site.settle(left - 0.5)
    assert closed == []
    site.settle(0.5)
    assert closed == [None]


def test_the_time_to_close_is_what_it_is_by_then() -> None:
    site = Site()
    site.disk.fail(errno.ENOSPC)
    site.receiver.note(b"one")
    site.settle()
    site.grace = 3.0
    closed: list[None] = []
    site.receiver.when_closed().addCallback(closed.append)
    site.factory.doStop()
    site.settle(2.5)
    assert closed == []
    site.settle(0.5)
    assert closed == [None]


def test_a_note_of_our_own_is_a_line_like_others() -> None:
    site = Site()
    site.receiver.note(b"said \x1b here")
    site.settle()
    assert site.stored == b"said \\x1b here\n"


def test_a_note_is_lost_and_counted_while_the_disk_takes_no_more_and_after_the_end() -> None:
    site = Site()
    site.disk.fail(errno.ENOSPC)
    site.receiver.note(b"one")
    site.settle()
    site.receiver.note(b"two")
    site.disk.heal()
    site.settle(1)
    site.settle()
    site.receiver.note(b"three")
    site.settle()
    site.factory.doStop()
    site.receiver.note(b"four")
    assert site.stored == b"one\nthree\n"
    assert site.shown("notes_lost") == 2


def test_rotating_goes_on_in_a_new_file_and_not_after_the_end() -> None:
    site = Site()
    site.receiver.note(b"one")
    site.settle()
    site.receiver.rotate()
    site.settle()
    site.receiver.note(b"two")
    site.settle()
    assert site.disk.text(PATH) == b"two\n"
    assert len(site.disk.names()) == 2
    assert site.stored == b"one\ntwo\n"
    site.factory.doStop()
    site.settle()
    site.receiver.rotate()
    assert len(site.disk.names()) == 2


def test_listeners_that_joined_are_told_to_wait_and_to_go_on() -> None:
    site = Site()
    one: list[bool] = []
    other: list[bool] = []
    site.receiver.hold(one.append)
    site.receiver.hold(other.append)
    site.disk.fail(errno.ENOSPC)
    site.receiver.note(b"one")
    site.settle()
    site.disk.heal()
    site.settle(1)
    site.settle()
    assert one == other == [True, False]


def test_what_a_crash_left_half_written_is_counted() -> None:
    assert Site(found=b"whole\nhalf").shown("torn_bytes") == 4
    assert Site().shown("torn_lines") == 0
