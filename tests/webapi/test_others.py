"""What is declared of the chat and the log is what they do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proto.web.patterns import PathTemplate
from proto.webapi.declared import Operation, Places
from proto.webapi.others import CHAT, EVENTS, LOG, PlainProblem, SaidLines
from tests.web.wire import Answer
from tests.webchat.sites import ChatSite
from tests.webchat.sites import Visit as ChatVisit
from tests.weblog.sites import LogSite
from tests.weblog.sites import Visit as LogVisit

OF_CHAT = {each.name: each for each in CHAT}
OF_LOG = {each.name: each for each in LOG}
ROOM = "/rooms/lobby"


def fits(answer: Answer, operation: Operation) -> Any:
    """The JSON of an answer, if the operation is declared to answer so."""
    by_status = {each.status: each for each in operation.replies}
    if answer.status in by_status:
        reply = by_status[answer.status]
        shape = reply.shape
        assert all(name in answer.headers for name in reply.headers)
    else:
        assert answer.status in operation.refusals, answer
        shape = PlainProblem
        assert answer.headers["Content-Type"] == "application/problem+json"
    if shape is None:
        assert answer.body == b""
        return None
    found = msgspec.json.decode(answer.body, type=shape)
    told = json.loads(answer.body)
    undeclared = set(told) - {each.encode_name for each in msgspec.structs.fields(shape)}
    assert undeclared == set()
    return found


def chat(site: ChatSite, name: str, path: str, body: bytes = b"", **headers: str) -> Any:
    visit = ChatVisit(site)
    if body:
        headers.setdefault("Content_Type", "application/json")
    visit.ask(path, OF_CHAT[name].method, body, **headers)
    return fits(visit.answer(), OF_CHAT[name])


def test_the_chat_answers_as_it_is_declared() -> None:
    site = ChatSite()
    site.fill(3)
    assert chat(site, "chat_door", "/door") is None
    assert chat(site, "list_rooms", "/rooms").rooms
    lines = chat(site, "read_lines", f"{ROOM}/lines?count=2&before=3&words=line")
    assert (len(lines.lines), lines.more) == (2, False)
    newest = chat(site, "read_lines", f"{ROOM}/lines?count=1")
    assert newest.links.older
    assert chat(site, "read_lines", f"{ROOM}/lines?after=0&count=1").links.newer
    session = chat(site, "open_session", "/sessions", b'{"name":"bot"}')
    bearer = f"Bearer {session.token}"
    said = chat(site, "say_line", f"{ROOM}/lines", b'{"text":"hi"}', Authorization=bearer)
    assert (said.sender, said.text) == ("bot", "hi")


@pytest.mark.parametrize(
    ("name", "path", "body", "status"),
    [
        ("read_lines", f"{ROOM}/lines?count=201", b"", 400),
        ("read_lines", "/rooms/%01/lines", b"", 404),
        ("say_line", f"{ROOM}/lines", b'{"text":"hi"}', 401),
        ("open_session", "/sessions", b"{", 400),
        ("open_session", "/sessions", b"{}", 422),
        ("open_session", "/sessions", b'{"name":"' + b"x" * (1 << 17) + b'"}', 413),
    ],
)
def test_the_chat_refuses_as_it_is_declared(name: str, path: str, body: bytes, status: int) -> None:
    assert chat(ChatSite(), name, path, body).status == status


def test_a_room_is_listened_to_as_it_is_declared() -> None:
    visit = ChatVisit(ChatSite())
    visit.ask(f"{ROOM}/events?after=0")
    assert f"Content-Type: {EVENTS}".encode() in visit.taken()
    assert OF_CHAT["listen_to_room"].replies[0].kind == EVENTS
    visit.leave()


def log(site: LogSite, name: str, query: str = "") -> Any:
    operation = OF_LOG[name]
    return fits(LogVisit(site).ask(operation.path + query).answer(), operation)


def test_the_log_answers_as_it_is_declared(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    site = LogSite(path)
    assert log(site, "log_door") is None
    found = log(site, "search_log", "?limit=2&text=o")
    assert [each.text for each in found.lines] == ["two", "one"]
    assert log(site, "search_log", "?limit=1").cursor
    assert log(site, "search_log", "?limit=1001").status == 400
    assert log(site, "search_log", "?name=none").status == 404
    visit = LogVisit(site).ask(f"{OF_LOG['look_at_log'].path}?text=x")
    assert f"Content-Type: {EVENTS}".encode() in visit.taken()


def test_each_stands_at_a_path_of_its_own() -> None:
    Places([*CHAT, *LOG])
    for each in (*CHAT, *LOG):
        PathTemplate(each.path)
    assert SaidLines in [reply.shape for each in CHAT for reply in each.replies]
