from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.events import Emoted, Pasted, Said, Spoken, Stored, TopicSet
from proto.chat.history import (
    SESSIONS,
    CopiedHistory,
    History,
    Lines,
    MemoryHistory,
    Recent,
    Session,
    Span,
    TimedHistory,
    fitting,
)
from proto.errors import PeerError
from tests.chat.doubles import AT, NOW, LateHistory, stored


def never(reason: PeerError) -> None:
    raise AssertionError(reason)


def never_stored(line: Stored) -> None:
    raise AssertionError(line)


def memory(*texts: str, kept: int = 100) -> MemoryHistory:
    """A history with those lines in the lobby."""
    history = MemoryHistory(lambda: NOW, kept)
    for text in texts:
        append(history, "lobby", Said("bob", text))
    return history


def append(history: History, room: str, event: Spoken) -> Stored:
    answers: list[Stored] = []
    history.append(room, event, answers.append, never)
    (answer,) = answers
    return answer


def recent(history: History, room: str, count: int = 20) -> Recent:
    answers: list[Recent] = []
    history.recent(room, count, answers.append, never)
    (answer,) = answers
    return answer


def read(history: History, span: Span, words: str | None = None) -> Lines:
    answers: list[Lines] = []
    if words is None:
        history.read("lobby", span, answers.append, never)
    else:
        history.search("lobby", words, span, answers.append, never)
    (answer,) = answers
    return answer


def numbers(lines: Lines) -> tuple[list[int], bool]:
    return [line.sequence for line in lines.lines], lines.more


def test_each_room_counts_its_own_lines_from_one_and_tells_when() -> None:
    history = memory()
    lines = [append(history, room, Said("bob", room)) for room in ("lobby", "den", "lobby")]
    assert lines == [
        Stored(1, AT, Said("bob", "lobby")),
        Stored(1, AT, Said("bob", "den")),
        Stored(2, AT, Said("bob", "lobby")),
    ]
    assert recent(history, "lobby").lines == (lines[0], lines[2])
    assert recent(history, "lobby", 1) == Recent((lines[2],), 2)
    assert recent(history, "lobby", 0) == Recent((), 2)
    assert recent(history, "nowhere") == Recent((), 0)


def test_only_so_many_lines_are_kept_and_the_count_goes_on() -> None:
    history = memory(*map(str, range(10)), kept=3)
    assert [line.sequence for line in recent(history, "lobby").lines] == [8, 9, 10]


def test_a_topic_is_a_line_and_stays_until_another_one() -> None:
    history = memory("a")
    for text in ("tea", "cake"):
        append(history, "lobby", TopicSet("al", text))
    append(history, "den", TopicSet("al", "else"))
    append(history, "lobby", Said("bob", "b"))
    assert recent(history, "lobby", 1) == Recent(
        (stored(4, Said("bob", "b")),), 4, TopicSet("al", "cake")
    )


def test_a_room_that_is_gone_is_forgotten() -> None:
    history = memory("a")
    append(history, "lobby", TopicSet("bob", "tea"))
    history.vacated("lobby")
    history.vacated("lobby")
    assert recent(history, "lobby") == Recent()


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(9), ([1, 2, 3, 4, 5], False)),
        (Span(2), ([4, 5], True)),
        (Span(2, before=4), ([2, 3], True)),
        (Span(2, before=3), ([1, 2], False)),
        (Span(2, before=1), ([], False)),
        (Span(2, after=1), ([2, 3], True)),
        (Span(2, after=3), ([4, 5], False)),
        (Span(2, after=5), ([], False)),
        (Span(9, size=2), ([4, 5], True)),
        (Span(9, after=0, size=2), ([1, 2], True)),
        (Span(9, size=0), ([5], True)),
    ],
)
def test_a_span_is_the_newest_below_or_the_oldest_above(
    span: Span, expected: tuple[list[int], bool]
) -> None:
    assert numbers(read(memory(*"abcde"), span)) == expected


@pytest.mark.parametrize(
    ("words", "found"),
    [("fish", [1, 3]), ("FISH red", [1]), ("ed", [1]), ("dog", []), ("stra\u00dfe", [2])],
)
def test_every_word_has_to_be_there_in_any_case_and_order(words: str, found: list[int]) -> None:
    history = memory("red Fish", "STRASSE", "fish")
    assert numbers(read(history, Span(9), words)) == (found, False)


def test_what_is_found_is_bounded_like_what_is_read() -> None:
    history = memory("fish 1", "dog", "fish 2", "fish 3")
    assert numbers(read(history, Span(2), "fish")) == ([3, 4], True)
    assert numbers(read(history, Span(2, before=4), "fish")) == ([1, 3], False)
    assert numbers(read(history, Span(1, after=1), "fish")) == ([3], True)


_EVENTS = st.one_of(
    st.builds(Said, st.just("bob"), st.text(max_size=9)),
    st.builds(Emoted, st.just("bob"), st.text(max_size=9)),
    st.builds(Pasted, st.just("bob"), st.text(max_size=9)),
)


@given(st.lists(_EVENTS, max_size=12), st.integers(1, 9), st.integers(0, 40))
def test_what_fits_is_the_longest_beginning_within_the_span(
    events: list[Spoken], count: int, size: int
) -> None:
    lines = [stored(n, event) for n, event in enumerate(events, 1)]
    fits, more = fitting(iter(lines), Span(count, size=size))
    sizes = [len(line.event.text.encode("utf-8", "replace")) for line in lines]
    assert fits == lines[: len(fits)]
    assert len(fits) <= count
    assert sum(sizes[: len(fits)]) <= size or len(fits) == 1
    assert more is (len(fits) < len(lines))
    if more and len(fits) < count:
        assert sum(sizes[: len(fits) + 1]) > size


def session(of: str, sequence: int = 0) -> Session:
    return Session(hashlib.sha256(of.encode()).digest(), of, "lobby", sequence, AT)


def found(history: History, digest: bytes) -> Session | None:
    answers: list[Session | None] = []
    history.find_session(digest, answers.append, never)
    (answer,) = answers
    return answer


def test_a_session_is_kept_replaced_and_known_by_its_digest_alone() -> None:
    history = memory()
    history.keep_session(session("al", 1))
    history.keep_session(session("bo", 1))
    history.keep_session(session("al", 7))
    assert found(history, session("al").digest) == session("al", 7)
    assert found(history, session("bo").digest) == session("bo", 1)
    assert found(history, b"") is None


def test_of_too_many_sessions_the_one_that_was_kept_longest_ago_is_forgotten() -> None:
    history = memory()
    for n in range(SESSIONS):
        history.keep_session(session(str(n)))
    history.keep_session(session("0", 5))
    history.keep_session(session("one more"))
    assert found(history, session("0").digest) == session("0", 5)
    assert found(history, session("1").digest) is None
    assert found(history, session("2").digest) is not None


def test_the_time_to_store_is_observed_when_it_is_stored() -> None:
    late, now = LateHistory(), [10.0]
    observed: list[float] = []
    history = TimedHistory(late, lambda: now[0], observed.append)
    lines: list[Stored] = []
    answers: list[Recent] = []
    history.append("lobby", Said("bob", "a"), lines.append, never)
    history.recent("lobby", 5, answers.append, never)
    now[0] = 12.5
    assert not observed
    late.answer()
    assert observed == [2.5]
    assert answers == [Recent(tuple(lines), 1)]


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
    history = CopiedHistory(late, lambda room, line: order.append((room, line)))
    said = Said("bob", "hello")
    history.append("den", said, order.append, never)
    assert order == []
    late.answer()
    assert order == [("den", stored(1, said)), stored(1, said)]
    history.append("den", said, never_stored, order.append)
    late.broken = True
    late.answer()
    assert [str(refusal) for refusal in order[2:]] == ["The disk is full."]


@pytest.mark.parametrize("wrap", [TimedHistory, CopiedHistory])
def test_whatever_wraps_a_history_asks_it_all_the_rest(wrap: type) -> None:
    inner = memory("a fish", "b")
    history: History = (
        TimedHistory(inner, lambda: 0.0, lambda seconds: None)
        if wrap is TimedHistory
        else CopiedHistory(inner, lambda room, line: None)
    )
    assert recent(history, "lobby") == recent(inner, "lobby")
    assert numbers(read(history, Span(9))) == ([1, 2], False)
    assert numbers(read(history, Span(9), "fish")) == ([1], False)
    history.keep_session(session("al"))
    assert found(history, session("al").digest) == session("al")
    history.vacated("lobby")
    assert recent(history, "lobby") == Recent()
