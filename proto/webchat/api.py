"""The chat's API: what was said as JSON, and lines from programs that are not in the room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from twisted.internet.defer import Deferred

from proto.addresses import group_of, host_of
from proto.chat import jsonwire, talk
from proto.chat.events import Event, Refused, Rooms, Stored
from proto.chat.factory import ChatFactory
from proto.chat.history import History, Lines, Recent, Session, Span
from proto.chat.house import LOBBY
from proto.chat.names import fold
from proto.chat.person import Person
from proto.chat.sessions import NoSuchSession, digest_of, new_token
from proto.errors import PeerError
from proto.limits import TokenBucket
from proto.web.handlers import Handlers
from proto.web.pacing import Pace
from proto.web.request import WebRequest
from proto.web.response import JSON, HTTPError, Response, phrase_of
from proto.webchat.parameters import (
    Text,
    Wanted,
    Wish,
    WrongField,
    body_of,
    query_of,
    room_name,
    token_of,
    unauthorized,
)

PROBLEM: Final = "application/problem+json"
SESSIONS: Final = 10
"""Sessions that one address may open at once; then one in ten seconds."""
SESSION_RATE: Final = 0.1
"""The house remembers only so many: whoever opens them fast makes it forget those of others."""
ASKING: Final = 8
"""Questions about the log that one address may wait for at once."""

Ask = Callable[..., Coroutine[Any, Any, Response]]


class _Poster:
    """Somebody who has a line said without being in the room."""

    def __init__(self, person: Person, refused: Callable[[PeerError], None]) -> None:
        self.person = person
        self._refused = refused

    def deliver(self, event: Event) -> None:
        """The line was not stored, and why."""
        assert isinstance(event, Refused)
        self._refused(HTTPError(503, event.reason, [("Retry-After", "5")]))


def _problems(ask: Ask) -> Ask:
    """Refusals as `application/problem+json` (RFC 9457), whatever the client accepts."""

    @wraps(ask)
    async def answer(*args: Any, **named: Any) -> Response:
        try:
            return await ask(*args, **named)
        except HTTPError as error:
            problem = {
                "type": "about:blank",
                "title": phrase_of(error.status),
                "status": error.status,
                "detail": error.detail,
            }
            if isinstance(error, WrongField):
                problem["field"] = error.field
            body = msgspec.json.encode(problem)
            return Response(error.status, body, PROBLEM, error.headers)

    return answer


class ChatApi:
    """The handlers below `path`."""

    def __init__(
        self,
        factory: ChatFactory,
        path: str,
        admit: Callable[[WebRequest], Callable[[], None]],
    ) -> None:
        """`admit` counts a peer that stays, and returns what to call when it is gone; raises
        HTTPError when it may not come in."""
        self._factory = factory
        self._admit = admit
        self._house = factory.house
        self._path = path
        now = factory.clock.seconds
        self._speaking = Pace(factory.bucket, now)
        self._opening = Pace(lambda: TokenBucket(SESSIONS, SESSION_RATE, now()), now)
        self._asking: Counter[str] = Counter()

    def register(self, handlers: Handlers) -> None:
        """Let them answer."""
        path = self._path
        lines = f"{path}/rooms/<room>/lines"
        handlers.register(f"{path}/door", _problems(self.door))
        handlers.register(f"{path}/rooms", _problems(self.rooms))
        handlers.register(lines, _problems(self.read))
        handlers.register(lines, _problems(self.post), methods=("POST",))
        handlers.register(f"{path}/sessions", _problems(self.open_session), methods=("POST",))

    async def door(self, request: WebRequest) -> Response:
        """Whether one may come in; a browser does not tell why a WebSocket was refused."""
        self._admit(request)()
        return Response(204)

    async def rooms(self, request: WebRequest) -> Response:
        """Which rooms there are."""
        found: Rooms = talk.open_rooms(self._house)
        return _json(
            {
                "rooms": [{"name": name, "people": count} for name, count in found.rooms],
                "unlisted": found.unlisted,
            }
        )

    async def read(self, request: WebRequest, room: str) -> Response:
        """Lines of a room: the newest below `before`, or the oldest above `after`."""
        asked = query_of(request)
        name = room_name(room)
        lines = await self._recall(request, fold(name), asked)
        links = {"self": request.uri.decode("latin-1")}
        if lines.more and lines.lines:
            beyond: dict[str, object] = {"count": asked.count}
            if asked.words is not None:
                beyond["words"] = asked.words
            if asked.after is not None:
                links["newer"] = self._link(name, after=lines.lines[-1].sequence, **beyond)
            else:
                links["older"] = self._link(name, before=lines.lines[0].sequence, **beyond)
        return _json(
            {
                "room": name,
                "lines": [jsonwire.line(each) for each in lines.lines],
                "more": lines.more,
                "links": links,
            }
        )

    def _recall(self, request: WebRequest, room: str, asked: Wanted) -> Deferred[Lines]:
        """Ask the history.  Raises HTTPError, 429, while an address waits for too many answers.

        The history has to answer even when the client has left, so the question counts until then.
        """
        group = group_of(host_of(request.client))
        if self._asking[group] >= ASKING:
            raise HTTPError(429, f"{ASKING} questions wait already.", [("Retry-After", "1")])
        self._asking[group] += 1
        answer: Deferred[Lines] = Deferred()

        def answered() -> None:
            self._asking[group] -= 1
            if not self._asking[group]:
                del self._asking[group]

        def found(lines: Lines) -> None:
            answered()
            answer.callback(lines)

        def refused(reason: PeerError) -> None:
            answered()
            _unreadable(answer)(reason)

        span = Span(asked.count, asked.before, asked.after)
        history: History = self._house.history
        if asked.words is None:
            history.read(room, span, found, refused)
        else:
            history.search(room, asked.words, span, found, refused)
        return answer

    async def open_session(self, request: WebRequest) -> Response:
        """A token for a name that nobody bears."""
        self._opening.check(request)
        wish = body_of(request, Wish)
        try:
            name = self._house.check_name(wish.name)
        except PeerError as refusal:
            raise WrongField(422, str(refusal), "name") from None
        answer: Deferred[Recent] = Deferred()
        self._house.history.recent(LOBBY, 0, answer.callback, _unreadable(answer))
        newest = (await answer).newest
        token = new_token()
        at = int(self._house.now() * 1000)
        self._house.history.keep_session(Session(digest_of(token), name, LOBBY, newest, at))
        return _json({"name": name, "token": token}, 201)

    async def post(self, request: WebRequest, room: str) -> Response:
        """Say a line as whoever the token belongs to, present or not."""
        token = token_of(request)
        self._speaking.check(request)
        asked = body_of(request, Text)
        name = room_name(room)
        sender, person = await self._sender(token, request)
        try:
            event = talk.line_of(sender, talk.cleaned(asked.text, self._factory.line_limit))
        except PeerError as refusal:
            status = 422 if isinstance(refusal, talk.NothingSeen) else 413
            raise WrongField(status, str(refusal), "text") from None
        stored: Deferred[Stored] = Deferred()
        try:
            place = self._house.room(name)
            place.say(_Poster(person, stored.errback), event, stored.callback)
        except PeerError as refusal:
            raise HTTPError(503, str(refusal), [("Retry-After", "5")]) from None
        line = await stored
        return _json(
            jsonwire.line(line),
            201,
            ("Location", self._link(name, after=line.sequence - 1, count=1)),
        )

    async def _sender(self, token: str, request: WebRequest) -> tuple[str, Person]:
        """Whose token it is.  Raises HTTPError, 401 or 409."""
        house = self._house
        member = house.sessions.holder(token)
        if member is not None:
            return member.name, member.person
        answer: Deferred[Session] = Deferred()
        house.sessions.find(token, answer.callback, answer.errback)
        try:
            session = await answer
        except NoSuchSession as unknown:
            raise unauthorized(str(unknown)) from None
        except PeerError as refusal:
            raise HTTPError(503, str(refusal), [("Retry-After", "5")]) from None
        try:
            house.check_absent(session)
        except PeerError as refusal:
            raise HTTPError(409, str(refusal)) from None
        person = Person(host=host_of(request.client), digest=session.digest)
        person.ignored_by = house.ignoring.readers_without(session.name, person)
        house.posted(session.name, person)
        return session.name, person

    def _link(self, room: str, **query: object) -> str:
        return f"{self._path}/rooms/{quote(room, safe='')}/lines?{urlencode(query)}"


def _unreadable(answer: Deferred[Any]) -> Callable[[PeerError], None]:
    def refused(reason: PeerError) -> None:
        answer.errback(HTTPError(503, str(reason), [("Retry-After", "5")]))

    return refused


def _json(value: object, status: int = 200, *headers: tuple[str, str]) -> Response:
    always = ("Cache-Control", "no-store")
    return Response(status, msgspec.json.encode(value), JSON, (always, *headers))
