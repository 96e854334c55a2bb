"""What the chat and the log have in the web's tree, declared for the document alone.

They answer by themselves, in `proto.webchat` and `proto.weblog`, which is where these declarations
are tested.  A part is in the document when it is in the process.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from proto.chat.jsonwire import Count, Sequence, Words
from proto.webapi.declared import Operation, Reply

EVENTS: Final = "text/event-stream"
_CHAT: Final = "/api/v1/chat"
_LOG: Final = "/api/v1/log"


class PlainProblem(Struct, frozen=True, kw_only=True):
    """Why the chat or the log refuses a request (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    """What of the query or the body is wrong, if it is one field."""


class Room(Struct, frozen=True, kw_only=True):
    """A room of the chat."""

    name: str
    people: int


class RoomList(Struct, frozen=True, kw_only=True):
    """The fullest rooms, and how many others there are."""

    rooms: list[Room]
    unlisted: int


class SaidLine(Struct, frozen=True, kw_only=True):
    """What somebody said in a room."""

    type: Literal["line"]
    sequence: int
    at: Annotated[int, Meta(description="Milliseconds since 1970.")]
    kind: str
    sender: str
    text: str


class SaidLinks(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The way to the lines beyond these."""

    self: str
    older: str = ""
    newer: str = ""


class SaidLines(Struct, frozen=True, kw_only=True):
    """Lines of a room, the oldest first."""

    room: str
    lines: list[SaidLine]
    more: bool
    links: SaidLinks


class WhichLines(Struct, frozen=True, kw_only=True):
    """Which lines of a room."""

    before: Annotated[Sequence, Meta(description="Only lines below this number.")] | UnsetType = (
        UNSET
    )
    after: Annotated[Sequence, Meta(description="The oldest above this number.")] | UnsetType = (
        UNSET
    )
    count: Count = 50
    words: Annotated[Words, Meta(description="Only lines with all of them.")] | UnsetType = UNSET


class Since(Struct, frozen=True, kw_only=True):
    """Where the events of a room begin."""

    after: Annotated[Sequence, Meta(description="The last line that was read.")] | UnsetType = UNSET


class SessionWish(Struct, frozen=True, kw_only=True):
    """Who wants to say lines."""

    name: str


class Session(Struct, frozen=True, kw_only=True):
    """A name, and the token with which lines are said under it."""

    name: str
    token: str


class TextToSay(Struct, frozen=True, kw_only=True):
    """What is to be said."""

    text: str


class FoundRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the log."""

    text: str
    segment: Annotated[str, Meta(description="The file that it is in.")]
    offset: Annotated[int, Meta(ge=0, description="Where in the file it begins, in bytes.")]
    left_out: Annotated[int, Meta(ge=0, description="Bytes of it that are not shown.")] = 0


class FoundRecords(Struct, frozen=True, kw_only=True):
    """Lines of the log, the newest first."""

    lines: list[FoundRecord]
    cursor: Annotated[str, Meta(description="Where older ones begin.")] | None
    complete: Annotated[bool, Meta(description="Enough was found, or all was looked at.")]
    scanned: Annotated[int, Meta(ge=0, description="Bytes that were looked at.")]
    unread: Annotated[list[str], Meta(description="Files that could not be read.")]


_Held = Annotated[str, Meta(max_length=300, description="What the lines hold; capitals count.")]
_Which = Annotated[str, Meta(max_length=300, description="Which log, where there are several.")]
_Time = Annotated[str, Meta(description="A time of RFC 3339.")]


class LogSearch(Struct, frozen=True, kw_only=True):
    """Which lines of the log."""

    text: _Held = ""
    since: _Time | UnsetType = UNSET
    until: _Time | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Annotated[str, Meta(description="Where the answer before ended.")] | UnsetType = UNSET
    name: _Which = ""


class LogTail(Struct, frozen=True, kw_only=True):
    """Which lines are shown as they come."""

    text: _Held = ""
    name: _Which | UnsetType = UNSET


CHAT: Final = (
    Operation(
        "chat_door",
        "GET",
        f"{_CHAT}/door",
        "chat",
        "May one come in?",
        (Reply(204, "One may come in by the WebSocket, or listen."),),
        refusals=(429, 503),
    ),
    Operation(
        "list_rooms",
        "GET",
        f"{_CHAT}/rooms",
        "chat",
        "List rooms",
        (Reply(200, "The rooms there are.", RoomList),),
    ),
    Operation(
        "read_lines",
        "GET",
        f"{_CHAT}/rooms/<room>/lines",
        "chat",
        "Read what was said",
        (Reply(200, "Lines of the room.", SaidLines),),
        query=WhichLines,
        refusals=(400, 404, 429, 503),
    ),
    Operation(
        "say_line",
        "POST",
        f"{_CHAT}/rooms/<room>/lines",
        "chat",
        "Say something",
        (Reply(201, "The line, when it is stored.", SaidLine, headers=("Location",)),),
        "Needs the token of a session: Authorization: Bearer TOKEN.",
        body=TextToSay,
        refusals=(400, 401, 404, 409, 413, 415, 422, 429, 503),
    ),
    Operation(
        "open_session",
        "POST",
        f"{_CHAT}/sessions",
        "chat",
        "Get a token for a name",
        (Reply(201, "The name, and its token.", Session),),
        body=SessionWish,
        refusals=(400, 413, 415, 422, 429, 503),
    ),
    Operation(
        "listen_to_room",
        "GET",
        f"{_CHAT}/rooms/<room>/events",
        "chat",
        "Listen to a room",
        (Reply(200, "What is said, as it is said.", kind=EVENTS),),
        query=Since,
        refusals=(400, 404, 429, 503),
    ),
)
LOG: Final = (
    Operation(
        "log_door",
        "GET",
        f"{_LOG}/door",
        "log",
        "May one look?",
        (Reply(204, "One may look at what comes."),),
        refusals=(429, 503),
    ),
    Operation(
        "search_log",
        "GET",
        f"{_LOG}/search",
        "log",
        "Search the log",
        (Reply(200, "Lines of the log.", FoundRecords),),
        query=LogSearch,
        refusals=(400, 404, 410, 429, 503),
    ),
    Operation(
        "look_at_log",
        "GET",
        f"{_LOG}/tail",
        "log",
        "Look at what comes",
        (Reply(200, "Lines as they reach the disk.", kind=EVENTS),),
        query=LogTail,
        refusals=(400, 429, 503),
    ),
)
