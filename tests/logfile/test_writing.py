from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest
from twisted.logger import capturedLogs, formatEvent

from proto.logfile.budget import SHARE
from proto.logfile.writing import RETRY_SECONDS, SHUT, TRIES, UNSYNCED
from tests.logfile.desk import Desk
from tests.logfile.figures import figures
from tests.logfile.paper import PaperShelf, error

Said = Callable[[], list[str]]


@pytest.fixture
def shelf() -> PaperShelf:
    return PaperShelf()


@pytest.fixture
def desk(shelf: PaperShelf) -> Desk:
    return Desk(shelf)


@pytest.fixture
def said() -> Iterator[Said]:
    """What was logged so far, as text."""
    with capturedLogs() as events:
        yield lambda: [formatEvent(event) for event in events]


def test_all_that_waits_is_written_and_synced_at_once(desk: Desk, shelf: PaperShelf) -> None:
    desk.say(b"one\ntwo\n")
    desk.say(b"three\n")
    assert desk.lines() == (3, 0, 3, 0)
    assert desk.step() is None
    assert shelf.done() == ["tend here", "write here", "sync here"]
    assert shelf.logs[""].data == b"one\ntwo\nthree\n"
    assert desk.settled == [(b"one\ntwo\n", True), (b"three\n", True)]
    assert desk.lines() == (3, 3, 0, 0)
    shown = figures(desk.metrics)
    assert shown["logfile_batches"] == 1
    assert shown["logfile_write_seconds_count"] == shown["logfile_sync_seconds_count"] == 1
    assert desk.step() is None
    assert shelf.done() == []


def test_each_name_has_its_own_write_and_the_reactor_is_told_once(
    desk: Desk, shelf: PaperShelf
) -> None:
    for number in range(3):
        desk.say(b"a%d\n" % number, "ann")
        desk.say(b"b%d\n" % number, "bob")
    desk.writer.step()
    assert desk.calls.qsize() == 1
    desk.react()
    assert shelf.logs["ann"].data == b"a0\na1\na2\n"
    assert shelf.logs["bob"].data == b"b0\nb1\nb2\n"
    assert [deed for deed in shelf.done() if "tend" not in deed] == [
        "write ann",
        "write bob",
        "sync ann",
        "sync bob",
    ]
    assert desk.lines() == (6, 6, 0, 0)


def test_with_never_lines_are_settled_when_they_are_written(shelf: PaperShelf) -> None:
    desk = Desk(shelf, sync=None)
    desk.say(b"one\n")
    assert desk.step() is None
    assert desk.settled == [(b"one\n", True)]
    assert shelf.done() == ["tend here", "write here"]


def test_with_an_interval_lines_are_settled_by_the_sync_that_is_due(shelf: PaperShelf) -> None:
    desk = Desk(shelf, sync=5.0)
    desk.say(b"one\n")
    assert desk.step() == 5.0
    desk.say(b"two\n")
    assert desk.step(3) == 2.0
    assert desk.settled == []
    assert desk.step(1.5) == 0.5
    assert shelf.done() == ["tend here", "write here", "tend here", "write here"]
    assert desk.step(0.5) is None
    assert shelf.done() == ["tend here", "sync here"]
    assert desk.settled == [(b"one\n", True), (b"two\n", True)]
    desk.say(b"three\n")
    assert desk.step(60) == 5.0
    assert desk.lines() == (3, 2, 1, 0)


def test_an_interval_ends_early_when_much_is_unsynced(shelf: PaperShelf) -> None:
    desk = Desk(shelf, sync=5.0)
    for number in range(4):
        desk.say(b"x" * (UNSYNCED // 4 - 1) + b"\n", f"name {number}")
        assert desk.settled == []
        desk.step()
    assert desk.lines() == (4, 4, 0, 0)


def test_an_interval_ends_early_when_a_sender_waits_for_room(shelf: PaperShelf) -> None:
    desk = Desk(shelf, sync=5.0)
    desk.say(b"x" * SHARE + b"\n")
    assert desk.senders[""].waits()
    assert desk.step() is None
    assert not desk.senders[""].waits()


def test_a_clock_that_is_set_back_delays_no_sync(shelf: PaperShelf) -> None:
    desk = Desk(shelf, sync=5.0)
    desk.clock.advance(3600)
    desk.say(b"one\n")
    desk.step()
    desk.clock.rightNow = 0.0
    assert desk.writer.step() is None
    desk.react()
    assert desk.lines() == (1, 1, 0, 0)


def test_a_clock_that_is_set_back_delays_no_second_try(desk: Desk, shelf: PaperShelf) -> None:
    desk.clock.advance(3600)
    shelf.fail(errno.ENOSPC)
    desk.say(b"one\n")
    desk.step()
    desk.clock.rightNow = 0.0
    assert desk.writer.step() == 1.0
    shelf.heal()
    desk.clock.rightNow = -60.0
    desk.step()
    assert desk.lines() == (1, 1, 0, 0)


def test_a_full_disk_stops_everybody_is_said_once_and_is_tried_each_second(
    desk: Desk, shelf: PaperShelf, said: Said
) -> None:
    shelf.fail(errno.ENOSPC, room=6)
    desk.say(b"one\ntwo\n")
    assert desk.step() == 1.0
    assert desk.senders[""].waits()
    assert desk.lines() == (2, 0, 2, 0)
    assert figures(desk.metrics)["logfile_disk_full"] == 1
    desk.say(b"late\n")
    assert desk.step(0.25) == 0.75
    shelf.done()
    for _ in range(3):
        desk.step(1)
    assert shelf.done() == ["tend here", "write here"] * 3
    assert shelf.logs[""].data == b"one\ntw"
    assert said() == [
        "cannot write here.log: the disk is full; free some space; "
        "2 lines are held, all senders are paused"
    ]
    assert (desk.stuck, desk.settled) == ([True], [])
    shelf.heal()
    assert desk.step(1) is None
    assert shelf.logs[""].data == b"one\ntwo\nlate\n"
    assert shelf.logs[""].safe == len(b"one\ntwo\nlate\n")
    assert desk.settled == [(b"one\ntwo\n", True), (b"late\n", True)]
    assert desk.stuck == [True, False]
    assert not desk.senders[""].waits()
    assert figures(desk.metrics)["logfile_disk_full"] == 0
    assert said()[1:] == ["the disk takes lines again"]


def test_while_one_file_takes_nothing_the_lines_of_the_others_are_stored(
    desk: Desk, shelf: PaperShelf
) -> None:
    shelf.cannot_open["ann"] = error(errno.ENOSPC)
    desk.say(b"a\n", "ann")
    desk.say(b"b\n", "bob")
    desk.step()
    assert desk.settled == [(b"b\n", True)]
    assert desk.stuck == [True]
    desk.say(b"c\n", "bob")
    desk.step()
    assert desk.settled == [(b"b\n", True), (b"c\n", True)]
    shelf.heal()
    desk.step(1)
    assert desk.settled[2:] == [(b"a\n", True)]
    assert desk.stuck == [True, False]


def test_a_trouble_is_said_once_for_each_kind(desk: Desk, shelf: PaperShelf, said: Said) -> None:
    shelf.fail(errno.ENOSPC)
    desk.say(b"one\n")
    desk.step()
    for number in (errno.EIO, errno.ENOSPC, errno.EIO):
        shelf.fail(number)
        desk.step(1)
    shelf.heal()
    desk.step(1)
    held = "1 lines are held, all senders are paused"
    assert said() == [
        f"cannot write here.log: the disk is full; free some space; {held}",
        "cannot write here.log: the disk reports an error; "
        f"look at dmesg and replace the disk; {held}",
        "the disk takes lines again",
    ]
    assert desk.stuck == [True, False]


def test_a_slow_reader_of_a_fifo_is_waited_for_without_a_word(
    desk: Desk, shelf: PaperShelf, said: Said
) -> None:
    shelf.fail(errno.EAGAIN, room=1)
    desk.say(b"one\n")
    assert desk.step() == 0.05
    assert desk.stuck == [True]
    shelf.heal()
    desk.step(0.05)
    assert desk.settled == [(b"one\n", True)]
    assert desk.stuck == [True, False]
    assert said() == []


@pytest.mark.parametrize("sync", [0.0, 60.0])
def test_nothing_is_settled_before_a_sync_that_failed_has_succeeded(
    sync: float, shelf: PaperShelf
) -> None:
    desk = Desk(shelf, sync)
    shelf.troubles["sync"] = error(errno.EIO)
    desk.say(b"one\n")
    desk.step()
    desk.step(60)
    assert (desk.settled, desk.stuck) == ([], [True])
    desk.say(b"two\n")
    shelf.done()
    assert desk.step(1) == 1.0
    assert shelf.done()[-1] == "sync here"
    shelf.heal()
    assert desk.step(1) is None
    assert desk.settled == [(b"one\n", True), (b"two\n", True)]
    assert shelf.logs[""].data == b"one\ntwo\n"
    assert desk.stuck == [True, False]


def test_with_never_nothing_is_settled_before_it_is_written_whole(shelf: PaperShelf) -> None:
    desk = Desk(shelf, sync=None)
    shelf.fail(errno.EFBIG, room=3)
    desk.say(b"one\n")
    desk.step()
    assert desk.settled == []
    shelf.heal()
    assert desk.step(1) is None
    assert desk.settled == [(b"one\n", True)]
    assert desk.stuck == [True, False]


@pytest.mark.parametrize("number", [errno.ELOOP, errno.EACCES, errno.EISDIR])
def test_a_clients_own_file_that_cannot_be_opened_stops_nobody_and_is_then_refused(
    number: int, desk: Desk, shelf: PaperShelf, said: Said
) -> None:
    shelf.cannot_open["ann"] = error(number)
    desk.say(b"a\n", "ann")
    desk.say(b"b\n", "bob")
    assert desk.step() == 1.0
    desk.step(1)
    assert desk.settled == [(b"b\n", True)]
    desk.say(b"aa\n", "ann")
    assert desk.step(1) is None
    assert desk.settled[1:] == [(b"a\n", False), (b"aa\n", False)]
    assert desk.lines() == (3, 1, 0, 2)
    assert desk.stuck == []
    assert len(said()) == 1
    assert said()[0].startswith("cannot open the log of ann: ")
    assert said()[0].endswith("its lines are refused, 2 so far")


def test_a_refused_file_is_tried_with_each_batch_until_it_opens_again(
    desk: Desk, shelf: PaperShelf, said: Said
) -> None:
    shelf.cannot_open["ann"] = error(errno.ELOOP)
    desk.say(b"a\n", "ann")
    for _ in range(3):
        desk.step(1)
    desk.say(b"b\n", "ann")
    assert desk.step() is None
    assert desk.lines() == (2, 0, 0, 2)
    shelf.heal()
    desk.say(b"c\n", "ann")
    desk.step()
    assert desk.settled[2:] == [(b"c\n", True)]
    assert [line.split(":")[0] for line in said()] == [
        "cannot open the log of ann",
        "ann.log can be opened again",
    ]


def test_the_one_log_is_waited_for_whatever_is_wrong_with_it(desk: Desk, shelf: PaperShelf) -> None:
    shelf.cannot_open[""] = error(errno.EACCES)
    desk.say(b"one\n")
    for _ in range(5):
        desk.step(1)
    assert (desk.settled, desk.stuck) == ([], [True])
    shelf.heal()
    desk.step(1)
    assert desk.settled == [(b"one\n", True)]


def test_a_folder_that_is_gone_is_waited_for(desk: Desk, shelf: PaperShelf) -> None:
    shelf.cannot_open["ann"] = error(errno.ENOENT)
    desk.say(b"one\n", "ann")
    for _ in range(5):
        desk.step(1)
    assert (desk.settled, desk.stuck) == ([], [True])


def test_refused_names_are_not_remembered_without_bound(
    desk: Desk, shelf: PaperShelf, said: Said
) -> None:
    for number in range(SHUT + 1):
        name = f"name {number}"
        shelf.cannot_open[name] = error(errno.ELOOP)
        desk.say(b"a\n", name)
    for _ in range(TRIES):
        desk.step(RETRY_SECONDS)
        while desk.step() == 0:
            pass
    assert len(said()) == SHUT + 1
    desk.say(b"b\n", f"name {SHUT}")
    desk.step()
    assert desk.lines() == (SHUT + 2, 0, 0, SHUT + 2)
    desk.say(b"b\n", "name 0")
    desk.step()
    assert desk.lines()[2] == 1


@pytest.mark.parametrize("deed", ["tend", "write", "sync"])
def test_a_bug_is_logged_and_loses_nothing(deed: str, desk: Desk, shelf: PaperShelf) -> None:
    shelf.troubles[deed] = KeyError("a bug")
    desk.say(b"one\n")
    with capturedLogs() as events:
        assert desk.step() == 1.0
        desk.step(1)
    assert [formatEvent(event) for event in events] == ["writing here.log failed"]
    assert events[0]["log_failure"].check(KeyError)
    assert (desk.settled, desk.stuck) == ([], [True])
    shelf.heal()
    desk.step(1)
    assert desk.settled == [(b"one\n", True)]
    assert shelf.logs[""].data.endswith(b"one\n")
    assert desk.stuck == [True, False]


def test_a_log_that_nothing_comes_for_is_tended_where_its_age_counts(shelf: PaperShelf) -> None:
    desk = Desk(shelf, sync=60.0, tend=1.0)
    desk.say(b"one\n")
    assert desk.step() == 1.0
    assert shelf.done() == ["tend here", "write here"]
    assert desk.step(0.5) == 0.5
    assert desk.step(0.5) == 1.0
    assert shelf.done() == ["tend here"]
    desk.clock.rightNow = -60.0
    desk.step()
    assert shelf.done() == ["tend here", "tend here", "sync here"]


def test_rotation_is_asked_of_each_open_log_also_while_nothing_comes(
    desk: Desk, shelf: PaperShelf
) -> None:
    desk.say(b"a\n", "ann")
    desk.say(b"b\n", "bob")
    desk.step()
    shelf.done()
    desk.writer.rotate()
    desk.step()
    desk.step()
    assert shelf.done() == ["rotate ann", "rotate bob"]


def test_rotation_tries_at_once_what_failed(desk: Desk, shelf: PaperShelf) -> None:
    shelf.fail(errno.ENOSPC)
    desk.say(b"one\n")
    desk.step()
    shelf.heal()
    desk.writer.rotate()
    desk.step()
    assert desk.lines() == (1, 1, 0, 0)
    assert desk.stuck == [True, False]
