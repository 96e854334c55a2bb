from __future__ import annotations

import json
from typing import Any

import pytest

from proto.limits import Limits
from tests.chat.browsers import Buggy
from tests.chat.doubles import NOW, LateHistory
from tests.web.sockets import UPGRADE
from tests.web.wire import ask
from tests.webchat.sites import HOST, ChatSite, Visit, WebSocket

ADDRESS_LIMIT = Limits(per_address=32)


def types(news: list[Any]) -> list[Any]:
    return [each if isinstance(each, int) else each["type"] for each in news]


def test_a_browser_comes_in_speaks_and_goes() -> None:
    chat = ChatSite()
    ann, bob = WebSocket(chat), WebSocket(chat, "192.0.2.2")
    assert ann.status == 101
    ann.say("hello", name="ann")
    bob.say("hello", name="bob", id=1)
    welcome, entered = bob.news()
    assert (welcome["motd"], welcome["id"], entered["people"]) == (["Be kind."], 1, ["ann"])
    bob.say("line", text="hi \U0001f600")
    assert types(ann.news()) == ["welcome", "entered", "joined", "line"]
    (line,) = bob.news()
    assert (line["text"], line["sender"], line["sequence"]) == ("hi \U0001f600", "bob", 1)
    bob.say("line", text="/exit")
    assert bob.news() == [1000]
    bob.leave()
    assert types(ann.news()) == ["left"]
    assert (chat.house.people, chat.admissions.open) == (1, 1)


def test_newcomers_are_called_by_their_address_unless_it_is_hidden() -> None:
    for hidden, name in ((False, "198.51.100.7"), (True, "guest-1")):
        bob = WebSocket(ChatSite(hide_addresses=hidden), "198.51.100.7")
        bob.say("hello")
        assert bob.news()[0]["name"] == name


def test_the_33rd_connection_of_an_address_gets_429() -> None:
    chat = ChatSite(limits=ADDRESS_LIMIT)
    for _ in range(10):  # telnet, which is counted by its door
        chat.admissions.enter()
        chat.admissions.claim(HOST)
    inside = [WebSocket(chat) for _ in range(21)]
    stream = Visit(chat)
    stream.ask("/rooms/lobby/events")
    assert stream.taken().startswith(b"HTTP/1.1 200 ")
    late = WebSocket(chat)
    assert (late.status, late.headers["Retry-After"]) == (429, "10")
    streamed = ask(chat.site, "/api/v1/chat/rooms/lobby/events")
    assert (streamed.status, streamed.headers["Retry-After"]) == (429, "10")
    assert WebSocket(chat, "192.0.2.2").status == 101
    inside.pop().leave()
    assert WebSocket(chat).status == 101
    assert WebSocket(chat).status == 429
    stream.leave()
    assert WebSocket(chat).status == 101


def test_too_many_newcomers_get_429_and_a_full_server_503() -> None:
    chat = ChatSite(limits=Limits(per_minute=2))
    assert [WebSocket(chat).status for _ in range(3)] == [101, 101, 429]
    assert chat.admissions.open == 2
    full = ChatSite(limits=Limits(connections=1))
    first, second = WebSocket(full), WebSocket(full, "192.0.2.2")
    assert (second.status, second.headers["Retry-After"]) == (503, "30")
    first.leave()
    assert WebSocket(full, "192.0.2.2").status == 101


def test_polling_is_not_counted_as_a_connection() -> None:
    chat = ChatSite(limits=Limits(connections=1, per_address=1, per_minute=1))
    assert [chat.get("/rooms")["rooms"][0]["name"] for _ in range(5)] == ["lobby"] * 5
    assert WebSocket(chat).status == 101


REFUSED = [
    ("GET", "socket", {}, 426),
    ("GET", "socket", {**UPGRADE, "Origin": "https://evil.example"}, 403),
    ("GET", "socket", {**UPGRADE, "Origin": "null"}, 403),
    ("GET", "socket", {**UPGRADE, "Sec-WebSocket-Version": "8"}, 426),
    ("GET", "socket", {**UPGRADE, "Sec-WebSocket-Key": "short"}, 400),
    ("POST", "socket", UPGRADE, 405),
    ("HEAD", "socket", UPGRADE, 405),
    ("HEAD", "rooms/lobby/events", {}, 405),
    ("POST", "rooms/lobby/events", {}, 405),
    ("GET", "rooms/two%20words/events", {}, 404),
    ("GET", "rooms/lobby/events?after=x", {}, 400),
    ("GET", "rooms/lobby/events", {"Last-Event-ID": "-1"}, 400),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), REFUSED)
def test_whoever_is_refused_is_not_counted(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    chat = ChatSite(limits=Limits(connections=1, per_address=1))
    for _ in range(3):
        answer = ask(chat.site, f"/api/v1/chat/{path}", method, b"", **headers)
        assert answer.status == status
    assert chat.admissions.open == 0
    assert [room.name for room in chat.house.rooms] == ["lobby"]
    assert WebSocket(chat).status == 101


def test_a_service_that_stops_takes_nobody_and_counts_nobody() -> None:
    chat = ChatSite()
    socket, stream = Visit(chat), Visit(chat)
    chat.site.leaving = True
    socket.ask("/socket", "GET", b"", **UPGRADE)
    stream.ask("/rooms/tea/events")
    assert [visit.answer().status for visit in (socket, stream)] == [503, 503]
    assert chat.admissions.open == 0
    assert [room.name for room in chat.house.rooms] == ["lobby"]


def test_our_own_pages_and_those_of_friends_may_come() -> None:
    chat = ChatSite(origins=("https://friend.example",))
    origins = ("http://localhost", "https://friend.example", "https://friend.example:444")
    assert [WebSocket(chat, Origin=each).status for each in origins] == [101, 101, 403]


def closing(bob: WebSocket) -> None:
    bob.close(4000, "x")


def saying_nothing(bob: WebSocket) -> None:
    bob.chat.clock.advance(10)


def sending_binary(bob: WebSocket) -> None:
    bob.send(b"x")


def meeting_a_bug(bob: WebSocket) -> None:
    bob.say("hello")
    bob.say("line", text="x")


def sending_too_much(bob: WebSocket) -> None:
    bob.send("x" * 65537)


def breaking_the_protocol(bob: WebSocket) -> None:
    bob.server.dataReceived(b"\xff\xff\xff")


def being_stopped(bob: WebSocket) -> None:
    bob.say("hello")
    bob.chat.site.farewell()


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (closing, 4000),
        (saying_nothing, 1008),
        (sending_binary, 1003),
        (meeting_a_bug, 1011),
        (sending_too_much, 1009),
        (breaking_the_protocol, 1002),
        (being_stopped, 1001),
    ],
)
def test_every_end_has_its_code_and_is_counted_out_once(act: Any, code: int) -> None:
    chat = ChatSite(Buggy(lambda: NOW))
    stays, bob = WebSocket(chat, "192.0.2.3"), WebSocket(chat)
    act(bob)
    assert bob.news()[-1] == code
    bob.leave()
    bob.chat.clock.advance(30)
    stays.leave()
    assert (chat.admissions.open, chat.house.people) == (0, 0)
    chat.clock.advance(100)
    assert chat.clock.getDelayedCalls() == []


def test_a_message_of_64_kib_is_taken_and_refused_in_words() -> None:
    bob = WebSocket(ChatSite())
    bob.say("hello")
    bob.news()
    start = json.dumps({"type": "line", "text": ""})[:-2]
    bob.send(start + "x" * (65536 - len(start) - 2) + '"}')
    assert types(bob.news()) == ["error"]


def test_a_client_that_goes_before_the_history_has_answered_leaves_nothing() -> None:
    history = LateHistory()
    chat = ChatSite(history)
    bob = WebSocket(chat)
    bob.say("hello", room="tea")
    bob.leave()
    history.answer_all()
    assert (chat.admissions.open, chat.house.people, len(chat.house.rooms)) == (0, 0, 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["", "/v1", "/v1/chat", "/v1/chat/nothing", "/v2/chat/rooms"])
def test_there_is_nothing_on_the_way_to_the_chat(method: str, path: str) -> None:
    assert ask(ChatSite().site, "/api" + path, method).status == 404


def test_what_is_said_by_the_web_and_by_others_is_in_one_order() -> None:
    chat = ChatSite()
    token = chat.token("bot")
    ann, bob = WebSocket(chat), WebSocket(chat, "192.0.2.2")
    stream = Visit(chat)
    stream.ask("/rooms/lobby/events")
    for each in (ann, bob):
        each.say("hello")
    for number in range(3):
        ann.say("line", text=f"ann {number}")
        chat.post("/rooms/lobby/lines", {"text": f"bot {number}"}, Authorization=f"Bearer {token}")
        bob.say("line", text=f"bob {number}")
    said = [f"{name} {number}" for number in range(3) for name in ("ann", "bot", "bob")]
    for each in (ann, bob):
        assert [news["text"] for news in each.news() if news["type"] == "line"] == said
    lines = stream.taken().split(b"data: {")
    assert [json.loads(b"{" + line.partition(b"\n")[0])["text"] for line in lines[2:]] == said


def test_how_long_somebody_may_be_stuck_can_be_changed_for_who_comes_later() -> None:
    chat = ChatSite(stuck_after=30)
    before = WebSocket(chat)
    chat.factory.stuck_after = 5
    chat.doors.reload()
    after = WebSocket(chat, "192.0.2.2")
    for number, visitor in enumerate((before, after)):
        visitor.say("hello", name=f"somebody{number}")
        visitor.news()
        visitor.wire.fill()
    chat.clock.advance(6)
    assert (before.wire.is_cut(), after.wire.is_cut()) == (False, True)


def test_the_door_tells_whether_one_may_come_in_and_keeps_nobody() -> None:
    chat = ChatSite(limits=Limits(per_address=2))
    inside = [WebSocket(chat) for _ in range(2)]
    refused = ask(chat.site, "/api/v1/chat/door")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
    assert json.loads(refused.body)["detail"].startswith("2 connections from your address")
    inside[0].leave()
    for _ in range(3):
        assert ask(chat.site, "/api/v1/chat/door").status == 204
    assert chat.admissions.open == 1


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1/chat/", "/api/v1/chat/nothing"])
def test_where_nothing_is_the_page_is_our_own(path: str) -> None:
    answer = ask(ChatSite().site, path)
    assert answer.status == 404
    assert b"No luck" not in answer.body
