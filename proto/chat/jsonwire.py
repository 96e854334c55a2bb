"""The chat in JSON: an event -> an object, an object -> what a client asks.  No sockets.

docs/chat-api.md tells the whole protocol.  Every object has a `type`; what a client calls a
message by (`id`) comes back in the answer.  Fields that are not known are passed over, so that a
newer page can talk to an older server.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from proto.chat.events import (
    CameBack,
    Emoted,
    Entered,
    Event,
    Joined,
    Left,
    Missed,
    Moved,
    Notice,
    Pasted,
    People,
    Recalled,
    Refused,
    Renamed,
    Rooms,
    Said,
    Spoken,
    Stored,
    TakenOver,
    Told,
    TopicSet,
    WentAway,
    YouTold,
)
from proto.errors import PeerError

Mark: TypeAlias = (
    Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)] | Annotated[str, Meta(max_length=64)] | None
)
Sequence: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=200)]
Words: TypeAlias = Annotated[str, Meta(min_length=1, max_length=300)]

KINDS: Final[dict[type[Spoken], str]] = {
    Said: "said",
    Emoted: "emoted",
    Pasted: "pasted",
    TopicSet: "topic",
}


class Hello(Struct, tag="hello"):
    """The first message: who comes, or comes back."""

    id: Mark = None
    token: str | None = None
    after: Sequence | None = None
    room: str | None = None
    name: str | None = None


class Line(Struct, tag="line"):
    """What somebody on a terminal would type; several lines are one message."""

    text: str
    id: Mark = None


class Tell(Struct, tag="tell"):
    """A private line."""

    to: str
    text: str
    id: Mark = None


class LookBack(Struct, tag="history"):
    """Lines of the room: the newest below `before`, or the oldest above `after`."""

    id: Mark = None
    before: Sequence | None = None
    after: Sequence | None = None
    count: Count = 50


class Search(Struct, tag="search"):
    """The newest lines of the room, below `before`, that have all the words."""

    words: Words
    id: Mark = None
    before: Sequence | None = None
    count: Count = 50


class Who(Struct, tag="who"):
    """Who is in the room."""

    id: Mark = None


class WhichRooms(Struct, tag="rooms"):
    """Which rooms there are."""

    id: Mark = None


Request: TypeAlias = Hello | Line | Tell | LookBack | Search | Who | WhichRooms


class _Marked(Struct):
    id: Mark = None


class WrongShape(PeerError):
    """A message is no JSON, or not of the shape it should have.

    `field` names what is wrong in it, None for the whole; `mark` is its `id`, if that can be told.
    """

    def __init__(self, text: str, field: str | None, mark: Mark) -> None:
        super().__init__(text)
        self.field = field
        self.mark = mark


_requests: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(Request)
_marks: Final = msgspec.json.Decoder(_Marked)
_encoder: Final = msgspec.json.Encoder()


def decode(text: str | bytes) -> Request:
    """What a client asks, or `WrongShape`."""
    try:
        request: Request = _requests.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        said, field = explain(error)
        raise WrongShape(said, field, _mark_of(text)) from None
    return request


def explain(error: Exception) -> tuple[str, str | None]:
    """What is wrong, for people, and the field it is in."""
    if isinstance(error, RecursionError):
        return "That is nested too deeply.", None
    if not isinstance(error, msgspec.ValidationError):
        return f"That is not JSON: {error}.", None
    said, _, path = str(error).rpartition(" - at `$")
    if not said:
        said, path = path, ""
    field = path.rstrip("`").lstrip(".") or None
    missing = "missing required field `"
    if field is None and missing in said:
        field = said.partition(missing)[2].rstrip("`")
    return f"{said}.", field


def _mark_of(text: str | bytes) -> Mark:
    try:
        return _marks.decode(text).id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def line(stored: Stored) -> dict[str, Any]:
    """A line of a room as an object."""
    event = stored.event
    return {
        "type": "line",
        "sequence": stored.sequence,
        "at": stored.at,
        "kind": KINDS[type(event)],
        "sender": event.sender,
        "text": event.text,
    }


def encode(event: Event, mark: Mark = None) -> bytes:
    """The event's object; `mark` is the `id` of the message that it answers."""
    shape = _shape(event)
    if mark is not None:
        shape["id"] = mark
    return _encoder.encode(shape)


def encode_welcome(name: str, token: str, motd: list[str], mark: Mark = None) -> bytes:
    """The answer to `hello`."""
    shape = {"type": "welcome", "name": name, "token": token, "motd": motd}
    return _encoder.encode(shape if mark is None else {**shape, "id": mark})


def encode_error(text: str, field: str | None = None, mark: Mark = None) -> bytes:
    """A refusal, and the field of a message that it is about."""
    return _encoder.encode({"type": "error", "text": text, "field": field, "id": mark})


def _shape(event: Event) -> dict[str, Any]:
    match event:
        case Stored():
            return line(event)
        case Told(sender, text):
            return {"type": "told", "sender": sender, "text": text}
        case YouTold(recipient, text):
            return {"type": "youtold", "recipient": recipient, "text": text}
        case Joined(name):
            return {"type": "joined", "name": name}
        case Moved(name, room):
            return {"type": "moved", "name": name, "room": room}
        case Left(name, reason):
            return {"type": "left", "name": name, "reason": reason}
        case Renamed(old, new):
            return {"type": "renamed", "old": old, "new": new}
        case WentAway(name, note):
            return {"type": "away", "name": name, "note": note}
        case CameBack(name):
            return {"type": "back", "name": name}
        case TakenOver():
            return {"type": "takenover"}
        case Notice(text):
            return {"type": "notice", "text": text}
        case Refused(reason, mark):
            return {"type": "error", "text": reason, "field": None, "id": mark}
        case _:
            return _answer(event)


def _answer(event: Entered | Missed | Recalled | People | Rooms) -> dict[str, Any]:
    match event:
        case Entered():
            topic = event.topic
            return {
                "type": "entered",
                "room": event.room,
                "name": event.name,
                "topic": {"text": topic.text, "by": topic.sender} if topic else None,
                "people": event.others,
                "unlisted": event.unlisted,
                "newest": event.newest,
                "lines": [line(each) for each in event.lines],
                "resumed": event.resumed,
                "more": event.more,
            }
        case Missed(lines, more):
            return {"type": "missed", "lines": [line(each) for each in lines], "more": more}
        case Recalled():
            return {
                "type": "lines",
                "room": event.room,
                "lines": [line(each) for each in event.lines],
                "more": event.more,
                "words": event.words,
                "id": event.mark,
            }
        case People(room, people, unlisted):
            present = [{"name": name, "away": note} for name, note in people]
            return {"type": "people", "room": room, "people": present, "unlisted": unlisted}
        case Rooms(rooms, unlisted):
            open_rooms = [{"name": name, "people": count} for name, count in rooms]
            return {"type": "rooms", "rooms": open_rooms, "unlisted": unlisted}
