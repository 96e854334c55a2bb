from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.budget import HIGH, LOW, SHARE, Account, Budget, Unfinished
from proto.logfile.origin import Origin
from tests.logfile.senders import Sender


class Desk:
    """A small budget, and who brings lines: 100 bytes high, 40 low, a share of 20."""

    def __init__(self, senders: int = 2) -> None:
        self.stopped: list[bool] = []
        self.budget = Budget(self.stopped.append, high=100, low=40, share=20)
        self.senders = [Sender() for _ in range(senders)]
        self.accounts = [Account(each, Origin(f"peer {n}")) for n, each in enumerate(self.senders)]
        for account in self.accounts:
            self.budget.open(account)

    def paused(self) -> list[bool]:
        return [sender.paused for sender in self.senders]

    def take(self, number: int, size: int) -> None:
        self.budget.take(self.accounts[number], size)

    def give(self, number: int, size: int) -> None:
        self.budget.give(self.accounts[number], size)


def test_a_sender_above_its_share_waits_alone_until_a_quarter_is_free() -> None:
    desk = Desk()
    desk.take(0, 20)
    assert desk.paused() == [False, False]
    desk.take(0, 1)
    assert desk.paused() == [True, False]
    assert desk.budget.paused == 1
    desk.give(0, 5)
    assert desk.paused() == [True, False]
    desk.give(0, 1)
    assert desk.paused() == [False, False]
    assert desk.budget.paused == 0
    assert desk.stopped == []


def test_above_the_high_mark_everybody_waits_until_the_low_mark() -> None:
    desk = Desk(7)
    for number in range(6):
        desk.take(number, 16)
    assert not any(desk.paused())
    desk.take(0, 4)
    assert not desk.budget.full
    desk.take(6, 1)
    assert all(desk.paused())
    assert (desk.stopped, desk.budget.full, desk.budget.paused) == ([True], True, 7)
    for number in range(3):
        desk.give(number, 16)
    desk.give(3, 12)
    assert all(desk.paused())
    assert desk.budget.held == 41
    desk.give(6, 1)
    assert not any(desk.paused())
    assert (desk.stopped, desk.budget.full) == ([True, False], False)


def test_while_the_disk_is_stuck_everybody_waits_and_whoever_comes_waits_at_once() -> None:
    desk = Desk()
    desk.budget.stick(True)
    desk.budget.stick(True)
    late = Sender()
    desk.budget.open(Account(late, Origin("late")))
    assert desk.paused() == [True, True]
    assert late.waits()
    assert desk.budget.paused == 3
    desk.budget.stick(False)
    assert desk.paused() == [False, False]
    assert not late.waits()
    assert desk.stopped == [True, False]


def test_a_disk_that_goes_on_with_much_in_memory_lets_nobody_go_on_before_the_low_mark() -> None:
    desk = Desk()
    desk.budget.stick(True)
    desk.take(0, 20)
    desk.take(1, 21)
    desk.budget.stick(False)
    assert desk.paused() == [True, True]
    desk.give(0, 1)
    assert desk.paused() == [False, True]
    desk.give(1, 21)
    assert desk.paused() == [False, False]


def test_a_sender_above_its_share_still_waits_when_the_others_go_on() -> None:
    desk = Desk()
    desk.take(0, 21)
    desk.budget.stick(True)
    desk.budget.stick(False)
    assert desk.paused() == [True, False]


def test_a_share_that_is_free_again_lets_nobody_go_on_while_the_disk_is_stuck() -> None:
    desk = Desk()
    desk.take(0, 21)
    desk.budget.stick(True)
    desk.give(0, 21)
    assert desk.paused() == [True, True]
    desk.budget.stick(False)
    assert desk.senders[0].told == ["pause", "resume"]


def test_what_a_sender_left_behind_still_counts_and_nobody_tells_it_any_more() -> None:
    desk = Desk()
    desk.take(0, 21)
    desk.budget.close(desk.accounts[0])
    assert (desk.budget.held, desk.budget.paused) == (21, 0)
    desk.budget.stick(True)
    desk.give(0, 21)
    desk.budget.stick(False)
    assert desk.senders[0].told == ["pause"]
    assert desk.budget.held == 0


def test_a_sender_that_brings_more_as_soon_as_it_may_is_told_in_order() -> None:
    desk = Desk()
    desk.senders[0].on_resume = lambda: desk.take(0, 30)
    desk.take(0, 21)
    desk.give(0, 21)
    assert desk.senders[0].told == ["pause", "resume", "pause"]
    assert desk.accounts[0].over


def test_one_that_fills_the_memory_as_soon_as_it_may_stops_those_that_were_not_told_yet() -> None:
    desk = Desk(3)

    def flood() -> None:
        for sender in desk.senders:
            sender.on_resume = None
        desk.take(0, 101)

    for sender in desk.senders:
        sender.on_resume = flood
    desk.budget.stick(True)
    desk.budget.stick(False)
    assert all(desk.paused())
    assert desk.stopped == [True, False, True]
    assert sum("resume" in sender.told for sender in desk.senders) == 1


def test_a_sender_that_leaves_because_another_is_told_is_told_no_more() -> None:
    desk = Desk(2)

    def leave() -> None:
        for account in desk.accounts:
            desk.budget.close(account)

    for sender in desk.senders:
        sender.on_pause = leave
    desk.budget.stick(True)
    assert sorted(desk.paused()) == [False, True]


def test_by_default_a_share_is_a_part_of_what_lets_everybody_go_on() -> None:
    assert SHARE <= LOW < HIGH


@given(st.lists(st.tuples(st.sampled_from(["take", "give", "stick"]), st.integers(0, 3))))
def test_who_waits_is_always_who_has_to(deeds: list[tuple[str, int]]) -> None:
    desk = Desk(4)
    waiting: list[list[int]] = [[], [], [], []]
    stuck = was_full = False
    for count, (deed, number) in enumerate(deeds):
        size = 7 + count % 6
        if deed == "take":
            waiting[number].append(size)
            desk.take(number, size)
        elif deed == "give" and waiting[number]:
            desk.give(number, waiting[number].pop())
        elif deed == "stick":
            stuck = not stuck
            desk.budget.stick(stuck)
        sums = [sum(each) for each in waiting]
        assert [account.held for account in desk.accounts] == sums
        assert desk.budget.held == sum(sums)
        was_full = stuck or sum(sums) > (40 if was_full else 100)
        assert desk.budget.full == was_full
        for account, total in zip(desk.accounts, sums, strict=True):
            assert total <= 20 or account.over
            assert total > 5 or not account.over
        assert desk.paused() == [was_full or account.over for account in desk.accounts]
        assert desk.budget.paused == sum(desk.paused())


class Begun:
    """The beginning of a line, which can be cut down to three bytes."""

    def __init__(self) -> None:
        self.held = 0

    def cut(self) -> None:
        self.held = min(self.held, 3)


def test_of_all_that_has_begun_what_grows_beyond_the_bound_is_cut() -> None:
    unfinished = Unfinished(most=10)
    one, other = Begun(), Begun()
    one.held = 8
    before = unfinished.weigh(0, one)
    other.held = 2
    assert (before, unfinished.weigh(0, other), unfinished.held) == (8, 2, 10)
    other.held = 7
    assert unfinished.weigh(2, other) == 3
    assert unfinished.held == 11
    one.held = 0
    assert unfinished.weigh(8, one) == 0
    unfinished.forget(3)
    assert unfinished.held == 0
