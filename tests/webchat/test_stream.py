from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.events import Event, Said
from proto.chat.history import MemoryHistory
from proto.chat.house import House
from proto.chat.person import Person
from tests.chat.doubles import AT, NOW, LateHistory, present
from tests.webchat.sites import HOST, ChatSite, Visit

EVENTS = "/rooms/lobby/events"


class Listener(Visit):
    """A client of a stream of events; `ended` when the server has said that this was all."""

    def __init__(
        self, chat: ChatSite, path: str = EVENTS, last: int | None = None, host: str = HOST
    ) -> None:
        super().__init__(chat, host)
        self.ended = False
        self.last = last
        self.events: list[tuple[str, int, Any]] = []
        self.ask(path, "GET", b"", **({} if last is None else {"Last-Event-ID": str(last)}))
        self._raw = b""
        self._head = b""

    def read(self) -> Listener:
        """Take what came: events as their name, id and data."""
        self._raw += self.taken()
        if not self._head and b"\r\n\r\n" in self._raw:
            self._head, _, self._raw = self._raw.partition(b"\r\n\r\n")
            assert self._head.startswith(b"HTTP/1.1 200 "), self._head
            assert b"text/event-stream" in self._head
        text = b""
        while self._raw:
            size, _, rest = self._raw.partition(b"\r\n")
            length = int(size, 16)
            self.ended = self.ended or not length
            text += rest[:length]
            self._raw = rest[length + 2 :]
        for each in text.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in each.split("\n") if ": " in line)
            if fields:
                self.last = int(fields["id"])
                self.events.append((fields["event"], self.last, json.loads(fields["data"])))
        return self

    def numbers(self) -> list[int]:
        """The lines that came, by number."""
        return [number for kind, number, _ in self.read().events if kind == "line"]


class Nobody:
    """Says lines without being there; what comes back does not matter."""

    def __init__(self) -> None:
        self.person = Person()

    def deliver(self, event: Event) -> None:
        """A line was not stored."""


def say(chat: ChatSite, count: int, room: str = "lobby", text: str = "hi") -> None:
    for _ in range(count):
        chat.house.room(room).say(Nobody(), Said("ann", text))


def test_lines_come_once_and_in_order_as_they_are_said() -> None:
    chat = ChatSite()
    say(chat, 2)
    listener = Listener(chat)
    assert listener.read().events == [("entered", 2, {"room": "lobby", "newest": 2})]
    say(chat, 2, text="a\nb\u2028c")
    line = {"type": "line", "sequence": 3, "at": AT, "kind": "said", "sender": "ann"}
    assert listener.read().events[1] == ("line", 3, {**line, "text": "a\nb\u2028c"})
    assert listener.numbers() == [3, 4]
    present(chat.house, "bob")
    assert len(listener.read().events) == 3


@pytest.mark.parametrize(
    ("path", "last", "numbers"),
    [
        (EVENTS, 2, [3, 4, 5]),
        (EVENTS + "?after=2", None, [3, 4, 5]),
        (EVENTS + "?after=1", 4, [5]),
        (EVENTS, 5, []),
        (EVENTS, 0, [1, 2, 3, 4, 5]),
        (EVENTS, 99, []),
        (EVENTS, None, []),
    ],
)
def test_who_comes_back_reads_what_was_said_after_the_last_line_they_read(
    path: str, last: int | None, numbers: list[int]
) -> None:
    chat = ChatSite()
    say(chat, 5)
    listener = Listener(chat, path, last)
    assert listener.numbers() == numbers
    say(chat, 1)
    assert listener.numbers() == [*numbers, 6]


def test_50_cut_connections_lose_nothing_and_double_nothing() -> None:
    chat = ChatSite()
    listener, got = Listener(chat, last=0), []
    for number in range(50):
        say(chat, number % 4)
        if number % 3:
            listener.read()
        say(chat, number % 2)
        listener.leave()
        got += listener.numbers()
        say(chat, number % 3)
        listener = Listener(chat, last=listener.last)
    got += listener.numbers()
    said = sum(number % 4 + number % 2 + number % 3 for number in range(50))
    assert got == list(range(1, said + 1))


@given(st.lists(st.sampled_from(["say", "answer", "read", "cut", "turn"]), max_size=60))
def test_nor_does_a_history_that_is_late(acts: list[str]) -> None:
    history = LateHistory()
    chat = ChatSite(history)
    listener, got = Listener(chat, last=0), []
    for act in [*acts, "cut"]:
        if act == "say":
            say(chat, 1)
        elif act == "answer":
            history.answer(1)
        elif act == "read":
            history.answer_read()
        elif act == "turn":
            listener.read()
        else:
            listener.leave()
            got += listener.numbers()
            listener = Listener(chat, last=listener.last)
    while history.waiting or history.reading:
        history.answer_all()
        chat.turn()
    got += listener.numbers()
    assert got == list(range(1, acts.count("say") + 1))


def test_whoever_missed_more_than_a_page_comes_back_for_the_rest() -> None:
    chat = ChatSite(MemoryHistory(lambda: NOW, kept=2000))
    chat.fill(950)
    listener = Listener(chat, last=0)
    got, pages = listener.numbers(), 1
    while listener.ended:
        listener = Listener(chat, last=listener.last)
        got += listener.numbers()
        pages += 1
    assert (got, pages) == (list(range(1, 951)), 5)
    say(chat, 1)
    assert listener.numbers()[-1] == 951


def test_nobody_sees_who_listens() -> None:
    chat = ChatSite()
    ann = present(chat.house, "ann")
    listeners = [Listener(chat) for _ in range(3)]
    assert (ann.news(), chat.house.people) == ([], 1)
    assert chat.get("/rooms")["rooms"] == [{"name": "lobby", "people": 1}]
    for each in listeners:
        each.leave()
    assert ann.news() == []


def test_a_room_is_there_as_long_as_somebody_listens() -> None:
    chat = ChatSite()
    one, two = (Listener(chat, "/rooms/%D1%87%D0%B0%D0%B9/events") for _ in "12")
    one.read()
    assert chat.get("/rooms")["rooms"][1] == {"name": "чай", "people": 0}
    one.leave()
    say(chat, 1, "ЧАЙ")
    assert two.numbers() == [1]
    two.leave()
    assert [room.name for room in chat.house.rooms] == ["lobby"]
    assert chat.admissions.open == 0
    assert chat.clock.getDelayedCalls() == []


def test_a_listener_who_goes_before_the_history_has_answered_leaves_nothing() -> None:
    history = LateHistory()
    chat = ChatSite(history)
    for answers in (0, 1):
        listener = Listener(chat, "/rooms/tea/events", 0)
        history.answer(answers)
        listener.leave()
        assert [room.name for room in chat.house.rooms] == ["lobby"]
        history.answer_all()
        assert [room.name for room in chat.house.rooms] == ["lobby"]
        assert (chat.admissions.open, chat.clock.getDelayedCalls()) == (0, [])


@pytest.mark.parametrize("much", [True, False])
def test_who_reads_too_slowly_is_cut_off_and_nobody_else_waits(much: bool) -> None:
    chat = ChatSite(hard_mark=10_000, stuck_after=5)
    slow, quick = Listener(chat), Listener(chat)
    slow.read()
    slow.wire.fill()
    say(chat, 4, text="x" * (4000 if much else 10))
    assert quick.numbers() == [1, 2, 3, 4]
    chat.clock.advance(1 if much else 5)
    chat.turn()
    assert slow.wire.is_cut()
    slow.leave()
    say(chat, 1)
    assert quick.numbers() == [1, 2, 3, 4, 5]
    assert chat.admissions.open == 1
    again = Listener(chat, last=slow.last)
    assert again.numbers() == [1, 2, 3, 4, 5]


def test_when_the_service_stops_the_stream_ends_after_what_was_said() -> None:
    chat = ChatSite()
    listener = Listener(chat, last=0)
    say(chat, 2)
    chat.turn()
    chat.site.farewell()
    assert listener.numbers() == [1, 2]
    assert listener.ended
    listener.leave()
    assert (chat.admissions.open, chat.clock.getDelayedCalls()) == (0, [])


def test_a_history_that_cannot_be_read_makes_one_come_back() -> None:
    history = LateHistory()
    chat = ChatSite(history)
    history.broken = True
    listener = Listener(chat, last=0)
    history.answer_all()
    assert listener.numbers() == []
    assert listener.ended
    history.broken = False
    say(chat, 1)
    listener = Listener(chat, last=0)
    history.answer_all()
    assert listener.numbers() == [1]


def test_when_there_are_too_many_rooms_a_listener_is_told_so_and_not_counted() -> None:
    chat = ChatSite(house=House(MemoryHistory(lambda: NOW), lambda: NOW, rooms_limit=1))
    refused = Visit(chat)
    refused.ask("/rooms/tea/events")
    answer = refused.answer()
    assert (answer.status, answer.headers["Retry-After"], chat.admissions.open) == (503, "5", 0)


def test_two_streams_on_one_connection_follow_each_other() -> None:
    chat = ChatSite(MemoryHistory(lambda: NOW, kept=2000))
    chat.fill(300)
    visit = Visit(chat)
    for last in ("0", "200"):
        visit.ask(EVENTS, "GET", b"", **{"Last-Event-ID": last})
    said = visit.taken()
    assert said.count(b"event: line") == 300
    assert said.count(b"HTTP/1.1 200") == 2
    visit.leave()
    assert (chat.admissions.open, chat.clock.getDelayedCalls()) == (0, [])
