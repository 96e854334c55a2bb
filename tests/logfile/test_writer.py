from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from proto.logfile.budget import Account
from proto.logfile.origin import Origin
from proto.logfile.portion import Portion
from proto.logfile.writer import LogWriter, in_daemon_thread
from proto.metrics import Metrics
from tests.logfile.desk import DEADLINE, Desk
from tests.logfile.paper import PaperLog, PaperShelf, error
from tests.logfile.senders import Sender

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


class Threads:
    """Starts threads that a test can wait for."""

    def __init__(self) -> None:
        self.threads: list[Thread] = []

    def start(self, run: Callable[[], None]) -> None:
        self.threads.append(Thread(target=run, daemon=True))
        self.threads[-1].start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.join()


# A step at a time.
def test_close_stores_what_waits_and_tells_of_it_before_it_fires(
    desk: Desk, shelf: PaperShelf
) -> None:
    desk.say(b"one\n")
    done = desk.writer.close(10)
    seen: list[object] = []
    done.addCallback(lambda _: seen.append(list(desk.settled)))
    desk.step()
    assert seen == [[(b"one\n", True)]]
    assert shelf.closed
    assert desk.lines() == (1, 1, 0, 0)
    assert not desk.clock.getDelayedCalls()


@pytest.mark.parametrize("sync", [60.0, None])
def test_close_waits_for_no_interval(sync: float | None, shelf: PaperShelf) -> None:
    desk = Desk(shelf, sync)
    desk.say(b"one\n")
    desk.step()
    desk.say(b"two\n")
    done = desk.writer.close(10)
    desk.step()
    assert done.called
    assert desk.settled == [(b"one\n", True), (b"two\n", True)]
    assert shelf.logs[""].safe == (0 if sync is None else len(b"one\ntwo\n"))


def test_whoever_closes_again_hears_of_it_too(desk: Desk) -> None:
    first, second = desk.writer.close(10), desk.writer.close(99)
    desk.step()
    third = desk.writer.close(10)
    assert first.called
    assert second.called
    assert third.called
    assert not desk.clock.getDelayedCalls()


def test_close_starts_a_thread_that_was_never_started(desk: Desk) -> None:
    desk.say(b"one\n")
    done = desk.writer.close(10)
    (run,) = desk.threads
    run()
    desk.react()
    assert done.called
    assert desk.lines() == (1, 1, 0, 0)


def test_there_is_one_thread_however_often_it_is_started(desk: Desk) -> None:
    desk.writer.start()
    desk.writer.start()
    desk.writer.close(10)
    assert len(desk.threads) == 1
    desk.writer.start()
    assert len(desk.threads) == 1


def test_whoever_waits_for_an_answer_does_not_wait_until_the_files_are_closed(
    desk: Desk, shelf: PaperShelf
) -> None:
    desk.say(b"one\n")
    desk.writer.close(10)
    desk.writer.step()
    desk.calls.get()()
    assert desk.settled == [(b"one\n", True)]
    assert desk.clock.getDelayedCalls()
    desk.react()
    assert not desk.clock.getDelayedCalls()


def test_lines_that_come_after_close_are_refused_at_once(desk: Desk, shelf: PaperShelf) -> None:
    desk.writer.close(10)
    desk.say(b"late\n")
    assert desk.lines() == (1, 0, 0, 1)
    desk.step()
    desk.say(b"later\n")
    assert desk.lines() == (2, 0, 0, 2)
    assert shelf.logs == {}


def test_close_on_a_full_disk_goes_on_trying(desk: Desk, shelf: PaperShelf) -> None:
    shelf.fail(errno.ENOSPC, room=2)
    desk.say(b"one\n")
    done = desk.writer.close(10)
    for _ in range(5):
        assert desk.step(1) == 1.0
    fired: list[None] = []
    done.addCallback(fired.append)
    assert fired == []
    shelf.heal()
    desk.step(1)
    assert fired == [None]
    assert desk.lines() == (1, 1, 0, 0)


def test_close_on_a_disk_that_stays_full_refuses_what_is_left_and_says_how_much(
    desk: Desk, shelf: PaperShelf, said: Said
) -> None:
    desk.say(b"one\n")
    desk.step()
    shelf.fail(errno.ENOSPC, room=2)
    desk.say(b"two\nthree\n")
    desk.say(b"four\n")
    done = desk.writer.close(10)
    desk.step()
    desk.clock.advance(10)
    assert done.called
    assert desk.settled == [(b"one\n", True), (b"two\nthree\n", False), (b"four\n", False)]
    assert desk.lines() == (4, 1, 0, 3)
    assert said()[-1] == "the log could not be closed within 10 s; 3 lines are lost"
    assert desk.step() is None
    assert shelf.closed


def test_what_a_disk_says_that_hung_for_too_long_is_heard_no_more(
    desk: Desk, shelf: PaperShelf
) -> None:
    desk.say(b"one\n")
    done = desk.writer.close(10)
    desk.writer.step()
    assert shelf.logs[""].safe
    desk.clock.advance(10)
    assert desk.settled == [(b"one\n", False)]
    desk.react()
    assert desk.settled == [(b"one\n", False)]
    assert desk.lines() == (1, 0, 0, 1)
    assert done.called


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (
            error(errno.EIO),
            "closing the log: the disk reports an error; look at dmesg and replace the disk",
        ),
        (KeyError("a bug"), "closing the log failed"),
    ],
)
def test_what_goes_wrong_while_closing_is_said_and_takes_nothing_back(
    trouble: Exception, told: str, desk: Desk, shelf: PaperShelf, said: Said
) -> None:
    shelf.troubles["close"] = trouble
    desk.say(b"one\n")
    done = desk.writer.close(10)
    desk.step()
    assert done.called
    assert desk.lines() == (1, 1, 0, 0)
    assert said() == [told]


def test_whoever_fails_to_hear_what_is_stored_stops_nothing(shelf: PaperShelf) -> None:
    told: list[bytes] = []

    class Deaf(Desk):
        def _settled(self, portions: list[Portion], stored: bool) -> None:
            told.extend(portion.records for portion in portions)
            raise ValueError("deaf")

    desk = Deaf(shelf)
    with capturedLogs() as events:
        desk.say(b"one\n")
        desk.step()
        desk.say(b"two\n")
        done = desk.writer.close(10)
        desk.step()
    assert told == [b"one\n", b"two\n"]
    assert done.called
    assert [formatEvent(event) for event in events] == ["telling what is stored failed"] * 2


def test_portions_that_look_the_same_are_each_settled(desk: Desk) -> None:
    account = Account(Sender(), Origin("192.0.2.1:1"))
    told: list[bool] = []
    desk.intake.budget.open(account)
    for _ in range(3):
        desk.intake.budget.take(account, 2)
        desk.intake._ledger.take(1)
        desk.writer.append(Portion(b"a\n", 1, account, "", told.append))
    desk.step()
    assert told == [True, True, True]
    assert desk.lines() == (3, 3, 0, 0)


# With the thread.
def test_the_thread_stores_the_lines_of_each_sender_in_order(
    shelf: PaperShelf, threads: Threads
) -> None:
    desk = Desk(shelf, in_thread=threads.start)
    desk.writer.start()
    names = ("ann", "bob", "cid")
    for number in range(3000):
        for name in names:
            desk.say(b"%d\n" % number, name)
        if number % 100 == 0:
            desk.react()
    done = desk.writer.close(DEADLINE)
    desk.wait(lambda: done.called)
    for name in names:
        log = shelf.logs[name]
        assert log.data == b"".join(b"%d\n" % number for number in range(3000))
        assert log.safe == len(log.data)
    assert desk.lines() == (9000, 9000, 0, 0)


def test_no_line_is_forgotten_as_the_thread_goes_to_sleep(
    shelf: PaperShelf, threads: Threads
) -> None:
    desk = Desk(shelf, in_thread=threads.start)
    desk.writer.start()
    for number in range(2000):
        desk.say(b"%d\n" % number)
        desk.wait(lambda wanted=number + 1: len(desk.settled) == wanted)  # type: ignore[misc]
    done = desk.writer.close(DEADLINE)
    desk.wait(lambda: done.called)


def test_while_one_batch_is_synced_the_next_one_forms(threads: Threads) -> None:
    shelf = HungShelf()
    desk = Desk(shelf, in_thread=threads.start)
    desk.writer.start()
    desk.say(b"first\n")
    assert shelf.hangs.wait(DEADLINE)
    for number in range(100):
        desk.say(b"%d\n" % number)
    shelf.goes_on.set()
    desk.wait(lambda: len(desk.settled) == 101)
    assert [deed for deed in shelf.deeds if deed == "write here"] == ["write here"] * 2
    done = desk.writer.close(DEADLINE)
    desk.wait(lambda: done.called)


class HungShelf(PaperShelf):
    """Its logs hang in their first sync."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs, self.goes_on = Event(), Event()

    def log(self, name: str) -> PaperLog:
        return self.logs.setdefault(name, HungLog(self, name))


class HungLog(PaperLog):
    def __init__(self, shelf: HungShelf, name: str) -> None:
        super().__init__(shelf, name)
        self.hung = shelf

    def sync(self) -> None:
        self.hung.hangs.set()
        assert self.hung.goes_on.wait(DEADLINE)
        super().sync()


def test_a_disk_that_hangs_keeps_nobody_from_closing(threads: Threads, said: Said) -> None:
    shelf = HungShelf()
    desk = Desk(shelf, in_thread=threads.start)
    desk.writer.start()
    desk.say(b"one\n")
    assert shelf.hangs.wait(DEADLINE)
    desk.say(b"two\nthree\n")
    done = desk.writer.close(10)
    desk.clock.advance(10)
    assert done.called
    assert desk.settled == [(b"one\n", False), (b"two\nthree\n", False)]
    assert desk.lines() == (3, 0, 0, 3)
    shelf.goes_on.set()
    threads.join()
    desk.react()
    assert desk.lines() == (3, 0, 0, 3)
    assert shelf.closed
    assert said() == ["the log could not be closed within 10 s; 3 lines are lost"]


def test_a_bug_in_the_thread_is_logged_and_ends_nothing(
    shelf: PaperShelf, threads: Threads
) -> None:
    desk = Desk(shelf, in_thread=threads.start)
    desk.writer.start()
    desk.say(b"one\n")
    desk.wait(lambda: desk.settled)
    shelf.troubles["rotate"] = KeyError("a bug")
    with capturedLogs() as events:
        desk.writer.rotate()
        desk.wait(lambda: events)
    assert formatEvent(events[0]) == "the log's thread failed"
    desk.say(b"two\n")
    desk.wait(lambda: len(desk.settled) == 2)
    done = desk.writer.close(DEADLINE)
    desk.wait(lambda: done.called)
    assert desk.lines() == (2, 2, 0, 0)


@pytest_twisted.ensureDeferred
async def test_on_a_real_reactor_everything_is_settled_before_close_fires(
    shelf: PaperShelf,
) -> None:
    from twisted.internet import reactor
    from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

    clock, threaded = IReactorTime(reactor), IReactorFromThreads(reactor)
    told: list[tuple[bytes, bool]] = []
    writer = LogWriter(
        shelf,  # type: ignore[arg-type]
        clock,
        threaded.callFromThread,
        Metrics(),
        sync=0.0,
        settled=lambda portions, stored: told.extend((each.records, stored) for each in portions),
        trouble=lambda stuck: None,
        in_thread=in_daemon_thread,
    )
    writer.start()
    account = Account(Sender(), Origin("192.0.2.1:1"))
    sent = [b"%d\n" % number for number in range(1000)]
    for records in sent:
        writer.append(Portion(records, 1, account))
        if records.endswith(b"00\n"):
            turn: Deferred[None] = Deferred()
            clock.callLater(0, turn.callback, None)
            await turn
    await writer.close(DEADLINE)
    assert told == [(records, True) for records in sent]
    assert shelf.logs[""].data == b"".join(sent)
    assert shelf.closed
