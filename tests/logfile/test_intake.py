from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.logger import capturedLogs, formatEvent

from proto.logfile.budget import HIGH, SHARE, Account
from proto.logfile.formats import FORMATS
from proto.logfile.framing import Line, Piece, Run
from proto.logfile.intake import PIECE, Intake
from proto.logfile.origin import Origin
from proto.logfile.portion import Portion
from proto.metrics import Metrics
from tests.logfile.figures import figures, lines
from tests.logfile.senders import Sender

ANN = Origin("192.0.2.1:1", "ann")
BOB = Origin("192.0.2.2:2", "bob")


class Paper:
    """A writer that keeps everything until it is told what became of it."""

    def __init__(self) -> None:
        self.portions: list[Portion] = []

    def append(self, portion: Portion) -> None:
        self.portions.append(portion)


class Desk:
    """An intake between a sender and a writer of paper."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.paper = Paper()
        self.stopped: list[bool] = []
        self.formed: list[tuple[Origin, float, int]] = []
        self.intake = Intake(
            lambda intake: self.paper,
            self.form,
            lambda: 12.5,
            self.metrics,
            stopped=self.stopped.append,
            name_of=lambda origin: origin.subject,
        )
        self.sender = Sender()
        self.account = self.intake.open(self.sender, ANN)
        self.told: list[bool] = []

    def form(self, pieces: Sequence[Piece], origin: Origin, seconds: float, first: int) -> bytes:
        self.formed.append((origin, seconds, first))
        return FORMATS["raw"](pieces, origin, seconds, first)

    def take(self, text: bytes, account: Account | None = None) -> None:
        run = Run(text, text.count(b"\n"))
        self.intake.take(account or self.account, [run], self.told.append)

    def settle(self, *, stored: bool) -> None:
        portions, self.paper.portions = self.paper.portions, []
        self.intake.settled(portions, stored)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_pieces_become_one_portion_for_the_senders_own_file(desk: Desk) -> None:
    pieces: list[Piece] = [Run(b"one\ntwo\n", 2), Line(b"lo", 3), Line(b"rest", ended=False)]
    assert desk.intake.take(desk.account, pieces, desk.told.append) == 4
    (portion,) = desk.paper.portions
    assert portion.records == FORMATS["raw"](pieces, ANN, 12.5, 1)
    assert portion.records.startswith(b"one\ntwo\nlo")
    assert (portion.lines, portion.name, portion.account) == (4, "ann", desk.account)
    shown = figures(desk.metrics)
    assert (shown["logfile_lines_cut"], shown["logfile_lines_unfinished"]) == (1, 1)


def test_lines_are_numbered_through_over_all_senders_and_bear_the_time(desk: Desk) -> None:
    bob = desk.intake.open(Sender(), BOB)
    desk.take(b"a\nb\n")
    desk.take(b"c\n", bob)
    desk.take(b"d\n")
    assert desk.formed == [(ANN, 12.5, 1), (BOB, 12.5, 3), (ANN, 12.5, 4)]


def test_whoever_proves_to_be_another_gets_the_other_file_from_then_on(desk: Desk) -> None:
    desk.take(b"a\n")
    desk.intake.identify(desk.account, BOB)
    desk.take(b"b\n")
    assert [portion.name for portion in desk.paper.portions] == ["ann", "bob"]
    assert [origin for origin, _, _ in desk.formed] == [ANN, BOB]


def test_received_is_durable_held_or_refused_at_every_step(desk: Desk) -> None:
    assert lines(desk.metrics) == (0, 0, 0, 0)
    desk.take(b"a\nb\n")
    assert lines(desk.metrics) == (2, 0, 2, 0)
    assert figures(desk.metrics)["logfile_bytes_held"] == 4 + PIECE
    desk.settle(stored=True)
    assert lines(desk.metrics) == (2, 2, 0, 0)
    assert figures(desk.metrics)["logfile_bytes_durable"] == 4
    desk.take(b"c\n")
    desk.settle(stored=False)
    assert lines(desk.metrics) == (3, 2, 0, 1)
    assert figures(desk.metrics)["logfile_bytes_held"] == 0
    assert desk.told == [True, False]


def test_lines_that_come_one_by_one_count_for_what_they_take_in_memory(desk: Desk) -> None:
    taken = 0
    while "pause" not in desk.sender.told:
        desk.take(b"\n")
        taken += 1
    assert taken == SHARE // (PIECE + 1) + 1
    desk.settle(stored=True)
    assert desk.intake.budget.held == 0


def test_what_everybody_waits_for_is_urgent(desk: Desk) -> None:
    portions = desk.paper.portions
    while not (portions and portions[-1].urgent):
        assert len(portions) < HIGH // PIECE
        desk.take(b"\n", desk.intake.open(Sender(), BOB))
    assert desk.intake.full
    assert not any(portion.urgent for portion in portions[:-1])


def test_lines_that_have_to_be_taken_apart_count_one_by_one(desk: Desk) -> None:
    pieces: list[Piece] = [Line(b"a\nb") for _ in range(SHARE // PIECE)]
    desk.intake.take(desk.account, pieces)
    assert desk.sender.told == ["pause"]


def test_a_door_that_fails_takes_no_other_answer_with_it(desk: Desk) -> None:
    def fail(stored: bool) -> None:
        raise ValueError("the door is broken")

    desk.intake.take(desk.account, [Run(b"a\n", 1)], fail)
    desk.take(b"b\n")
    with capturedLogs() as events:
        desk.settle(stored=True)
    assert desk.told == [True]
    assert lines(desk.metrics) == (2, 2, 0, 0)
    assert desk.intake.budget.held == 0
    assert [formatEvent(event) for event in events] == ["telling 192.0.2.1:1 failed"]


def test_a_watcher_that_fails_takes_no_other_with_it(desk: Desk) -> None:
    seen: list[tuple[str, bytes, int]] = []

    def fail(name: str, records: bytes, lines: int) -> None:
        raise ValueError("the watcher is broken")

    desk.intake.watchers += [fail, lambda *what: seen.append(what)]
    desk.take(b"a\nb\n")
    with capturedLogs() as events:
        desk.settle(stored=True)
    assert seen == [("ann", b"a\nb\n", 2)]
    assert [formatEvent(event) for event in events] == ["a watcher failed"]


def test_a_watcher_may_leave_while_it_is_told(desk: Desk) -> None:
    seen: list[bytes] = []

    def once(name: str, records: bytes, lines: int) -> None:
        seen.append(records)
        desk.intake.watchers.remove(once)

    later: list[bytes] = []
    desk.intake.watchers += [once, lambda name, records, lines: later.append(records)]
    desk.take(b"a\n")
    desk.take(b"b\n")
    desk.settle(stored=True)
    assert (seen, later) == ([b"a\n"], [b"a\n", b"b\n"])


def test_watchers_see_what_is_stored_and_nothing_that_is_refused(desk: Desk) -> None:
    seen: list[bytes] = []
    desk.intake.watchers.append(lambda name, records, lines: seen.append(records))
    desk.take(b"a\n")
    desk.settle(stored=False)
    desk.take(b"b\n")
    desk.settle(stored=True)
    assert seen == [b"b\n"]


def test_a_sender_above_its_share_waits_until_it_is_stored(desk: Desk) -> None:
    desk.take(b"x" * SHARE + b"\n")
    assert desk.sender.waits()
    assert figures(desk.metrics)["logfile_senders_paused"] == 1
    assert not desk.intake.full
    desk.settle(stored=True)
    assert not desk.sender.waits()


def test_everybody_waits_when_too_much_is_in_memory_or_the_disk_takes_no_more(desk: Desk) -> None:
    desk.take(b"x" * HIGH + b"\n")
    assert desk.sender.waits()
    assert desk.intake.full
    desk.settle(stored=True)
    assert not desk.sender.waits()
    desk.intake.trouble(True)
    assert desk.sender.waits()
    desk.intake.trouble(False)
    assert not desk.sender.waits()
    assert not figures(desk.metrics)["logfile_senders_paused"]
    assert desk.stopped == [True, False, True, False]


def test_what_a_sender_brought_before_it_left_is_stored_and_it_is_told_no_more(desk: Desk) -> None:
    desk.take(b"x" * SHARE + b"\n")
    desk.intake.close(desk.account)
    desk.settle(stored=True)
    assert desk.told == [True]
    assert desk.sender.told == ["pause"]
    assert lines(desk.metrics) == (1, 1, 0, 0)


def test_a_door_that_answers_by_bringing_more_keeps_the_figures_in_balance(desk: Desk) -> None:
    desk.intake.take(desk.account, [Run(b"a\n", 1)], lambda stored: desk.take(b"b\n"))
    desk.settle(stored=True)
    assert lines(desk.metrics) == (2, 1, 1, 0)
    assert desk.intake.budget.held == 2 + PIECE
    desk.settle(stored=True)
    assert lines(desk.metrics) == (2, 2, 0, 0)
