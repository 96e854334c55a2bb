from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest

from proto.chat.history import MemoryHistory, Session
from proto.chat.house import House
from proto.chat.sessions import digest_of
from proto.webchat.parameters import LONGEST_BODY
from tests.chat.doubles import AT, NOW, LateHistory, present
from tests.web.wire import Answer, ask
from tests.webchat.sites import ChatSite, Visit, lines_of

LOBBY = "/rooms/lobby/lines"


def problem(answer: Answer, status: int) -> Any:
    """The problem that an answer tells."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    told = json.loads(answer.body)
    assert (told["type"], told["status"]) == ("about:blank", status)
    assert told["title"]
    assert told["detail"]
    return told


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_rooms_are_listed_with_how_many_are_in_them() -> None:
    chat = ChatSite()
    present(chat.house, "ann")
    assert chat.get("/rooms") == {"rooms": [{"name": "lobby", "people": 1}], "unlisted": 0}
    answer = ask(chat.site, "/api/v1/chat/rooms")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_line_is_posted_read_and_found_where_its_location_says() -> None:
    chat = ChatSite()
    ann = present(chat.house, "ann")
    answer = chat.post(LOBBY, {"text": "hi\x1b[2J \U0001f600"}, **bearer(chat.token("bot")))
    line = {
        "type": "line",
        "sequence": 1,
        "at": AT,
        "kind": "said",
        "sender": "bot",
        "text": "hi \U0001f600",
    }
    assert (answer.status, json.loads(answer.body)) == (201, line)
    found = json.loads(ask(chat.site, answer.headers["Location"]).body)
    assert (found["room"], found["lines"], found["more"]) == ("lobby", [line], False)
    assert ann.heard() == ["hi \U0001f600"]


@pytest.mark.parametrize(
    ("text", "said", "kind"),
    [
        ("//x", "//x", "said"),
        ("/HELP", "/HELP", "said"),
        ("/exit\n", "/exit", "said"),
        ("a\nb\n", "a\nb", "pasted"),
        ("a\r\nb", "a\nb", "pasted"),
    ],
)
def test_what_a_program_posts_is_said_as_it_is(text: str, said: str, kind: str) -> None:
    chat = ChatSite()
    answer = chat.post(LOBBY, {"text": text}, **bearer(chat.token("bot")))
    line = json.loads(answer.body)
    assert (line["text"], line["kind"]) == (said, kind)


def test_a_line_longer_than_the_limit_is_413_and_one_of_which_nothing_is_seen_422() -> None:
    chat = ChatSite(line_limit=10, flood_lines=50)
    token = bearer(chat.token("bot"))
    assert chat.post(LOBBY, {"text": "x" * 10}, **token).status == 201
    for text in ("x" * 11, "\u20ac" * 4, "x\n" * 9000):
        told = problem(chat.post(LOBBY, {"text": text}, **token), 413)
        assert told["field"] == "text"
    for text in ("", " \n ", "\x1b[2J"):
        assert problem(chat.post(LOBBY, {"text": text}, **token), 422)["field"] == "text"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff", 400, None),
        (b'{"text": "\xff"}', 400, None),
        (b"[" * 50_000, 422, None),
        (b'{"text":"x","deep":' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400, None),
        (b'{"text":NaN}', 400, None),
        (b"[]", 422, None),
        (b"{}", 422, "text"),
        (b'{"text":7}', 422, "text"),
        (b'{"text":null}', 422, "text"),
    ],
)
def test_a_body_of_a_wrong_shape_says_which_field(
    body: bytes, status: int, field: str | None
) -> None:
    chat = ChatSite()
    headers = bearer(chat.token("bot"))
    assert problem(chat.post(LOBBY, body, **headers), status)["field"] == field


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"]
)
def test_a_body_that_is_not_called_json_is_415(kind: str) -> None:
    chat = ChatSite()
    for path, value in (("/sessions", {"name": "x"}), (LOBBY, {"text": "x"})):
        answer = chat.post(path, value, Content_Type=kind, **bearer(chat.token("bot")))
        problem(answer, 415)
        assert answer.headers["Accept"] == "application/json"


@pytest.mark.parametrize("kind", ["Application/JSON", "application/json; charset=utf-8"])
def test_json_may_be_written_in_several_ways(kind: str) -> None:
    assert ChatSite().post("/sessions", {"name": "x"}, Content_Type=kind).status == 201


def test_a_huge_body_is_413() -> None:
    chat = ChatSite()
    chat.site.max_body = 1000
    assert chat.post("/sessions", {"name": "x" * 1000}).status == 413


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic eDp5", "Bearer nobody", "Bearer " + "x" * 5000],
)
def test_who_has_no_token_or_a_wrong_one_is_401_and_says_nothing(header: str | None) -> None:
    chat = ChatSite()
    headers = {} if header is None else {"Authorization": header}
    answer = chat.post(LOBBY, {"text": "x"}, **headers)
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="chat"'
    assert chat.get(LOBBY)["lines"] == []


def test_the_token_of_somebody_who_is_here_speaks_as_they_are_called_now() -> None:
    chat = ChatSite()
    ann = present(chat.house, "ann")
    token = chat.house.sessions.token_of(ann)
    chat.house.rename(ann, "anna")
    answer = chat.post("/rooms/tea/lines", {"text": "from afar"}, **bearer(token))
    assert json.loads(answer.body)["sender"] == "anna"


@pytest.mark.parametrize("name", ["", "two words", "admin", "guest-7", "192.0.2.1", "x" * 5000])
def test_a_name_that_cannot_be_is_422(name: str) -> None:
    told = problem(ChatSite().post("/sessions", {"name": name}), 422)
    assert told["field"] == "name"


def test_a_name_that_somebody_bears_is_422_and_one_taken_meanwhile_409() -> None:
    chat = ChatSite()
    headers = bearer(chat.token("bot"))
    bot = present(chat.house, "BOT")
    assert problem(chat.post("/sessions", {"name": "bot"}), 422)["field"] == "name"
    problem(chat.post(LOBBY, {"text": "x"}, **headers), 409)
    assert bot.heard() == []
    chat.house.rename(bot, "other")
    assert chat.post(LOBBY, {"text": "x"}, **headers).status == 201


def test_who_ignores_a_program_does_not_read_it() -> None:
    chat = ChatSite()
    ann, eve = present(chat.house, "ann"), present(chat.house, "eve")
    bot = present(chat.house, "bot", "192.0.2.1")
    token = chat.house.sessions.token_of(bot)
    chat.house.ignoring.ignore(ann, bot)
    chat.post(LOBBY, {"text": "here"}, **bearer(token))
    assert (ann.heard(), eve.heard()) == ([], ["here"])
    chat.house.leave(bot)
    assert chat.post(LOBBY, {"text": "gone"}, **bearer(token)).status == 201
    again = chat.token("bot")  # from the same address, under the same name
    assert chat.post(LOBBY, {"text": "again"}, **bearer(again)).status == 201
    assert (ann.heard(), eve.heard()) == ([], ["gone", "again"])


@pytest.mark.parametrize("room", ["tea", "чай", "茶", "TEA", "l'été", "a-b_c.d"])
def test_rooms_are_named_in_any_script(room: str) -> None:
    chat = ChatSite()
    chat.fill(2, room.casefold())
    page = chat.get(lines_of(room) + "?count=1")
    assert (page["room"], len(page["lines"])) == (room, 1)
    older = json.loads(ask(chat.site, page["links"]["older"]).body)
    assert [line["sequence"] for line in older["lines"]] == [1]


@pytest.mark.parametrize("room", ["two words", "a/b", "#", "x" * 65, "..x", "%00"[:1]])
def test_a_room_that_cannot_be_is_404(room: str) -> None:
    chat = ChatSite()
    problem(ask(chat.site, "/api/v1/chat" + lines_of(room)), 404)
    answer = chat.post(lines_of(room), {"text": "x"}, **bearer(chat.token("bot")))
    problem(answer, 404)


def test_going_back_by_the_links_gives_each_of_1000_lines_once() -> None:
    chat = ChatSite(MemoryHistory(lambda: NOW, kept=2000))
    chat.fill(1000)
    for query, key, wanted in (
        ("?count=70", "older", list(range(1, 1001))),
        ("?count=70&after=0", "newer", list(range(1, 1001))),
        ("?count=7&words=LINE+9", "older", [each for each in range(1001) if "9" in str(each)]),
    ):
        path: str | None = "/api/v1/chat" + LOBBY + query
        pages = []
        while path is not None:
            page = json.loads(ask(chat.site, path).body)
            assert page["links"]["self"] == path
            assert ("older" in page["links"]) + ("newer" in page["links"]) == page["more"]
            pages.append([line["sequence"] for line in page["lines"]])
            path = page["links"].get(key)
        if key == "older":
            pages.reverse()
        assert list(chain(*pages)) == wanted


def test_lines_may_be_asked_for_around_any_number() -> None:
    chat = ChatSite()
    chat.fill(50)
    for query, wanted in (
        ("?before=11&count=3", [8, 9, 10]),
        ("?after=11&count=3", [12, 13, 14]),
        ("?after=50", []),
        ("?before=1", []),
        ("?before=0", []),
        (f"?before={(1 << 63) - 1}&count=1", [50]),
        ("?count=2&unknown=1", [49, 50]),
        ("?words=line%2017", [17]),
    ):
        assert [line["sequence"] for line in chat.get(LOBBY + query)["lines"]] == wanted


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?before=x", "before"),
        ("?after=-1", "after"),
        ("?before=" + "9" * 5000, "before"),
        ("?count=0", "count"),
        ("?count=201", "count"),
        ("?count=", "count"),
        ("?words=", "words"),
        ("?words=" + "x" * 301, "words"),
        ("?" + "&".join("a=1" for _ in range(30)), None),
    ],
)
def test_a_query_that_makes_no_sense_is_400(query: str, field: str | None) -> None:
    chat = ChatSite()
    assert problem(ask(chat.site, "/api/v1/chat" + LOBBY + query), 400)["field"] == field


def test_who_posts_too_fast_is_429_and_may_go_on_later() -> None:
    chat = ChatSite(flood_lines=3, flood_rate=1)
    headers = bearer(chat.token("bot"))
    statuses = [chat.post(LOBBY, {"text": "x"}, **headers).status for _ in range(4)]
    assert statuses == [201, 201, 201, 429]
    refused = chat.post(LOBBY, {"text": "x"}, **headers)
    problem(refused, 429)
    chat.clock.advance(int(refused.headers["Retry-After"]))
    assert chat.post(LOBBY, {"text": "x"}, **headers).status == 201


def test_sessions_cannot_be_opened_so_fast_that_those_of_others_are_forgotten() -> None:
    chat = ChatSite(flood_rate=0)
    statuses = [chat.post("/sessions", {"name": "bot"}).status for _ in range(11)]
    assert statuses == [201] * 10 + [429]
    chat.clock.advance(10)
    assert chat.post("/sessions", {"name": "bot"}).status == 201


def pending(
    chat: ChatSite, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> Visit:
    """A request that is not answered yet."""
    visit = Visit(chat)
    visit.ask(path, method, body, **headers)
    assert visit.taken() == b""
    return visit


def known(history: LateHistory, name: str) -> dict[str, str]:
    """The header of somebody whose session the history has."""
    history.kept.keep_session(Session(digest_of("t"), name, "lobby", 0, AT))
    return {"Content-Type": "application/json", **bearer("t")}


def test_a_store_that_fails_is_503_and_nobody_sees_the_line() -> None:
    history = LateHistory()
    chat = ChatSite(history)
    stream = Visit(chat)
    stream.ask("/rooms/lobby/events")
    history.answer_all()
    stream.taken()
    history.broken = True
    waiting = [pending(chat, LOBBY, "POST", b'{"text":"x"}', **known(history, "bot"))]
    history.broken = False
    history.answer(1)  # whose token it is
    history.broken = True
    waiting += [
        pending(chat, LOBBY, "POST", b'{"text":"x"}', **known(history, "bot")),
        pending(chat, LOBBY),
        pending(chat, LOBBY + "?words=x"),
        pending(chat, "/sessions", "POST", b'{"name":"x"}', Content_Type="application/json"),
    ]
    history.answer_all()
    for visit in waiting:
        answer = visit.answer()
        assert problem(answer, 503)["detail"] == "The disk is full."
        assert answer.headers["Retry-After"] == "5"
    assert b"data:" not in stream.taken()


def test_too_many_rooms_or_too_many_lines_that_wait_are_503() -> None:
    history = LateHistory()
    chat = ChatSite(house=House(history, lambda: NOW, rooms_limit=1, waiting_limit=1))
    first, *others = (
        pending(chat, path, "POST", b'{"text":"x"}', **known(history, "bot"))
        for path in (LOBBY, LOBBY, "/rooms/tea/lines")
    )
    history.answer(3)  # whose token it is; the line itself still waits
    for visit in others:
        problem(visit.answer(), 503)
    history.answer_all()
    assert first.answer().status == 201


def test_a_client_that_leaves_before_the_answer_harms_nothing() -> None:
    history = LateHistory()
    chat = ChatSite(history)
    posts = [pending(chat, LOBBY, "POST", b'{"text":"x"}', **known(history, "b")) for _ in "12"]
    posts[0].leave()
    history.answer(2)
    posts[1].leave()
    reading = pending(chat, LOBBY)
    reading.leave()
    history.answer_all()
    chat.turn()
    assert chat.clock.getDelayedCalls() == []
    late = pending(chat, LOBBY)
    history.answer_all()
    assert [line["text"] for line in json.loads(late.answer().body)["lines"]] == ["x"]


def test_questions_count_until_they_are_answered_even_when_who_asked_has_left() -> None:
    history = LateHistory()
    chat = ChatSite(history)
    for _ in range(8):
        pending(chat, LOBBY + "?words=x").leave()
    assert len(history.reading) == 8
    problem(ask(chat.site, "/api/v1/chat" + LOBBY), 429)
    other = Visit(chat, "198.51.100.1")
    other.ask(LOBBY)
    history.answer_all()
    assert other.answer().status == 200
    again = pending(chat, LOBBY)
    history.broken = True
    history.answer_all()
    assert again.answer().status == 503
    assert len([pending(chat, LOBBY) for _ in range(8)]) == 8


def test_an_old_token_does_not_speak_as_somebody_who_bore_the_name_since() -> None:
    chat = ChatSite()
    old = "from before she came"
    chat.history.keep_session(Session(digest_of(old), "ann", "lobby", 0, AT - 1000))
    ann = present(chat.house, "ann")
    own = chat.house.sessions.token_of(ann)
    chat.house.leave(ann)
    answers = [
        chat.post(lines_of("lobby"), {"text": "x"}, Authorization=f"Bearer {token}")
        for token in (old, own)
    ]
    assert [answer.status for answer in answers] == [409, 201]
    assert json.loads(answers[0].body)["detail"] == "ann has been somebody else since."


def test_a_body_or_a_text_of_too_many_lines_is_413_before_it_is_looked_at() -> None:
    chat = ChatSite()
    token = bearer(chat.token("bot"))
    much = b'{"text": "' + b"x" * LONGEST_BODY + b'"}'
    assert chat.post(lines_of("lobby"), much, **token).status == 413
    assert chat.post("/sessions", much).status == 413
    many = "\n" * 1000 + "x"
    told = chat.post(lines_of("lobby"), {"text": many}, **token)
    assert (told.status, json.loads(told.body)["field"]) == (413, "text")
    assert chat.get(lines_of("lobby"))["lines"] == []
