"""Where the chat stands in the web's tree, and who may come in there.

    /api/v1/chat/socket                 the WebSocket; docs/chat-api.md has its messages
    /api/v1/chat/door                   204 if one may come in, or else why not
    /api/v1/chat/rooms                  which rooms there are
    /api/v1/chat/rooms/NAME/lines       GET what was said, POST a line
    /api/v1/chat/rooms/NAME/events      the same as it happens, as server-sent events
    /api/v1/chat/sessions               POST a name, get a token to say lines with

Peers that stay count with those of the chat's other doors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.web.resource import Resource

from proto.addresses import host_of
from proto.chat import jsonwire
from proto.chat.audience import SharedForm
from proto.chat.browser import BrowserMember
from proto.chat.events import Event
from proto.chat.factory import ChatFactory
from proto.limits import Admissions, TooMany
from proto.metrics import Metrics
from proto.web.admission import admit
from proto.web.frames import text_frame
from proto.web.handlers import Handlers
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.websocket import WebSocketResource
from proto.webchat.api import ChatApi
from proto.webchat.stream import Rooms

PATH: Final = "/api/v1/chat"


class WebChat:
    """The chat's doors in a web service."""

    def __init__(
        self,
        factory: ChatFactory,
        admissions: Admissions,
        metrics: Metrics,
        origins: Sequence[str] = (),
    ) -> None:
        """`origins` are those whose pages may connect besides our own: `https://example.com`."""
        self._factory = factory
        self._admissions = admissions
        self._metrics = metrics
        self._origins = origins
        self._form = SharedForm(_frame, factory.wake, factory.figures.delivered)
        self._sockets: WebSocketResource | None = None

    def mount(self, root: Resource, handlers: Handlers) -> None:
        """Put the chat into a tree."""
        factory = self._factory
        ChatApi(factory, PATH, self._admit).register(handlers)
        chat: Resource = _Branch()
        self._sockets = WebSocketResource(
            factory.clock, self._accept, origins=self._origins, metrics=self._metrics
        )
        self.reload()
        chat.putChild(b"socket", self._sockets)
        chat.putChild(b"rooms", Rooms(factory, self._admit))
        for segment in reversed(PATH.strip("/").split("/")[1:]):
            parent = _Branch()
            parent.putChild(segment.encode(), chat)
            chat = parent
        root.putChild(PATH.split("/")[1].encode(), chat)

    def reload(self) -> None:
        """The factory has other numbers, which hold for who comes from now on."""
        if self._sockets is not None:
            self._sockets.bound(self._factory.hard_mark, self._factory.stuck_after)

    def _accept(self, request: WebRequest) -> BrowserMember:
        return BrowserMember(
            self._factory,
            self._form,
            self._factory.figures.delivered,
            self._factory.address_of(request.client),
            host_of(request.client),
            self._admit(request),
        )

    def _admit(self, request: WebRequest) -> Callable[[], None]:
        """Count a peer that stays; what to call when it is gone.  Raises HTTPError."""
        return admit(self._admissions, request, self._refused)

    def _refused(self, full: TooMany) -> None:
        self._factory.figures.drops(full.reason.replace("-", "_")).value += 1


class _Branch(Resource):
    """A place in the tree that is only on the way to others."""

    # Twisted calls these.
    def getChild(self, path: bytes, request: WebRequest) -> Resource:
        raise HTTPError(404)

    def render(self, request: WebRequest) -> int:
        raise HTTPError(404)


def _frame(event: Event) -> bytes:
    return text_frame(jsonwire.encode(event))
