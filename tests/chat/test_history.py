from __future__ import annotations

from collections.abc import Sequence

from proto.chat.events import Said
from proto.chat.history import CopiedHistory, MemoryHistory, Stored, TimedHistory
from proto.errors import PeerError
from tests.chat.doubles import LateHistory


def never(reason: PeerError) -> None:
    raise AssertionError(reason)


def lines(history: MemoryHistory, room: str, count: int) -> list[Stored]:
    answers: list[Sequence[Stored]] = []
    history.last(room, count, answers.append)
    (answer,) = answers
    return list(answer)


def test_each_room_counts_its_own_lines_from_one() -> None:
    history = MemoryHistory()
    stored: list[Stored] = []
    for room, text in (("lobby", "a"), ("den", "b"), ("lobby", "c")):
        history.append(room, Said("bob", text), stored.append, never)
    assert [line.sequence for line in stored] == [1, 1, 2]
    assert lines(history, "lobby", 9) == [stored[0], stored[2]]
    assert lines(history, "lobby", 1) == [stored[2]]
    assert lines(history, "lobby", 0) == []
    assert lines(history, "nowhere", 9) == []


def test_only_so_many_lines_are_kept_and_the_count_goes_on() -> None:
    history = MemoryHistory(kept=3)
    for n in range(10):
        history.append("lobby", Said("bob", str(n)), lambda line: None, never)
    assert [line.sequence for line in lines(history, "lobby", 9)] == [8, 9, 10]


def test_a_room_that_is_gone_is_forgotten() -> None:
    history = MemoryHistory()
    history.append("den", Said("bob", "a"), lambda line: None, never)
    history.vacated("den")
    history.vacated("den")
    assert lines(history, "den", 9) == []


def test_the_time_to_store_is_observed_when_it_is_stored() -> None:
    late, now = LateHistory(), [10.0]
    observed: list[float] = []
    history = TimedHistory(late, lambda: now[0], observed.append)
    stored: list[Stored] = []
    answers: list[Sequence[Stored]] = []
    history.append("lobby", Said("bob", "a"), stored.append, never)
    history.last("lobby", 5, answers.append)
    now[0] = 12.5
    assert not observed
    late.answer()
    assert observed == [2.5]
    assert answers == [tuple(stored)]


def test_a_line_that_is_refused_has_no_time() -> None:
    late = LateHistory()
    observed: list[float] = []
    refused: list[PeerError] = []
    history = TimedHistory(late, lambda: 0.0, observed.append)
    late.broken = True
    history.append("lobby", Said("bob", "a"), lambda line: None, refused.append)
    late.answer()
    assert (observed, [str(reason) for reason in refused]) == ([], ["The disk is full."])


def test_what_is_stored_is_copied_before_it_is_heard_and_what_is_refused_is_not() -> None:
    late = LateHistory()
    order: list[object] = []
    history = CopiedHistory(late, lambda room, event: order.append((room, event)))
    said = Said("bob", "hello")
    history.append("den", said, order.append, never)
    assert order == []
    late.answer()
    assert order == [("den", said), Stored(1, said)]
    history.append("den", said, never_stored, order.append)
    late.broken = True
    late.answer()
    assert [str(refusal) for refusal in order[2:]] == ["The disk is full."]


def never_stored(line: Stored) -> None:
    raise AssertionError(line)
