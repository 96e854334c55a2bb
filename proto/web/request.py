"""twisted.web's Request as the resources here see it: it answers in whole values, and refuses.

What is added to `twisted.web.server.Request`: the parsed target, `respond` and `refuse`, a body
that cannot grow beyond a bound, error pages for whatever is raised, and the access log entry of
a peer that left before its answer was complete.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.error import UnsupportedMethod
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource

from proto.web.pages import error_page
from proto.web.response import (
    Headers,
    HTTPError,
    Response,
    allowed_methods,
    phrase_of,
    refusal_of,
)
from proto.web.target import BadTarget, Target, parse_target

if TYPE_CHECKING:
    from proto.web.channel import Successor
    from proto.web.handlers import Handlers
    from proto.web.site import ProtoSite

# How long a body that was refused is still read and thrown away.  Closing at once would make the
# kernel send a reset, and that can destroy the 413 before the peer has read it (RFC 9112, 9.6).
LINGER_SECONDS: Final = 2.0

CLIENT_LEFT: Final = 499  # nginx's status for "the peer hung up before it was answered"
_REPRESENTATION: Final = (
    b"Accept-Ranges",
    b"Cache-Control",
    b"Content-Encoding",
    b"Content-Length",
    b"Content-Range",
    b"ETag",
    b"Last-Modified",
)


class WebRequest(server.Request):
    """A request on its way through the tree."""

    log = Logger()

    channel: Any  # HTTPChannel, H2Stream, or None when the peer is gone
    content: Any  # the body, a binary file
    method: bytes
    target: Target
    handlers: Handlers | None = None  # whose page for 404 is used, if any

    def __init__(self, channel: Any, *args: Any, **keywords: Any) -> None:
        super().__init__(channel, *args, **keywords)
        self.owner: ProtoSite = channel.site
        self.began = self.owner.clock.seconds()
        self.too_large = False
        self._body_bytes = 0
        self._hang_up: IDelayedCall | None = None

    # Resources call these.
    @property
    def verb(self) -> str:
        """The method as text."""
        return self.method.decode("latin-1")

    @property
    def is_over(self) -> bool:
        """Nothing can be written any more: it is finished, or the peer has left."""
        return bool(self.finished or self._disconnected)

    def header(self, name: str) -> str:
        """A request header's lines as one value; empty when there is none."""
        lines = self.requestHeaders.getRawHeaders(name.encode("ascii"), [])
        return ", ".join(line.decode("latin-1") for line in lines)

    def when_over(self) -> Deferred[None]:
        """Fires once: with None after the last byte was written, or with why the peer is gone."""
        return self.notifyFinish()

    def respond(self, response: Response) -> None:
        """Answer; does nothing when the peer has left."""
        if self.is_over:
            return
        self.begin(response, len(response.body))
        self.write(response.body)
        self.finish()

    def begin(self, response: Response, length: int) -> None:
        """Set the head of an answer whose body is written later, `length` bytes of it."""
        # Twisted does not know the phrases of newer statuses, such as 429.
        self.setResponseCode(response.status, phrase_of(response.status).encode("ascii"))
        if response.content_type:
            self.responseHeaders.setRawHeaders("Content-Type", [response.content_type])
        for name, value in response.headers:
            self.responseHeaders.setRawHeaders(name, [value])
        if response.status not in (204, 304):
            self.responseHeaders.setRawHeaders("Content-Length", [str(length)])

    def refuse(self, error: HTTPError) -> None:
        """Answer with the page of an error."""
        if error.status == 404 and self.handlers is not None and self.handlers.missing is not None:
            handlers, self.handlers = self.handlers, None  # a 404 from there is an ordinary one
            handlers.answer_missing(self, error)
        else:
            self._respond_with_page(error_page(error, self.header("Accept")))

    def fail(self, failure: Failure) -> None:
        """Answer for whatever was raised: an HTTPError's own page, or 500 and a line in the log."""
        if isinstance(failure.value, HTTPError):
            if not self.is_over:
                self.refuse(failure.value)
            return
        incident = secrets.token_hex(8)
        self.log.failure(
            "request {incident} from {peer} failed: {method} {uri}",
            failure=failure,
            incident=incident,
            peer=str(self.client),
            method=ascii(self.verb),
            uri=ascii(self.uri),
        )
        if self.is_over:
            return
        if self.startedWriting:
            self.break_off()
            return
        traceback = failure.getTraceback() if self.owner.displayTracebacks else ""
        sorry = HTTPError(500, "Something went wrong here. It is in the log.")
        self._respond_with_page(error_page(sorry, self.header("Accept"), incident, traceback))

    def break_off(self) -> None:
        """Hang up in the middle of an answer, so that the peer sees that it is not complete."""
        if self.is_over:
            return
        if isinstance(self.channel, HTTPChannel):
            self.channel.loseConnection()
        else:  # only this stream of HTTP/2, which nobody tells us about
            self.channel.abortConnection()
            self.connectionLost(Failure(ConnectionAborted()))

    def cut_off(self) -> None:
        """Hang up at once, without what is written and not sent."""
        if isinstance(self.channel, HTTPChannel):
            transport: Any = self.channel.transport
            transport.abortConnection()
        else:
            self.break_off()

    def hand_over(self, fields: Headers, successor: Successor) -> None:
        """Answer 101 and leave the connection of HTTP/1.1 to another protocol."""
        self.setResponseCode(101)
        self.responseHeaders.removeHeader(b"Content-Type")  # Twisted has set one
        for name, value in fields:
            self.responseHeaders.setRawHeaders(name, [value])
        for cookie in self.cookies:
            self.responseHeaders.addRawHeader(b"Set-Cookie", cookie)
        channel, self.channel = self.channel, None
        self.startedWriting = 1
        channel.writeHeaders(b"HTTP/1.1", b"101", b"Switching Protocols", self.responseHeaders)
        self.finished = 1
        self.owner.log(self)
        self.content.close()
        waiting, self.notifications = self.notifications, []
        for deferred in waiting:
            deferred.callback(None)
        channel.hand_over(successor)

    # Twisted calls these.
    def gotLength(self, length: int | None) -> None:
        if length is not None and length > self.owner.max_body:
            self._refuse_body()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        if self.too_large:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self.owner.max_body:
            self.content.close()
            self._refuse_body()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self.too_large and isinstance(self.channel, HTTPChannel):
            self.channel.loseConnection()  # it has been answered, and all of it has arrived
        else:
            super().requestReceived(command, path, version)

    def find_target(self) -> None:
        """Parse the target, for the tree and for Twisted's own traversal.

        Raises:
            HTTPError: 400 when it is malformed, 405 for CONNECT, 413 when the body was too large.
        """
        if self.too_large:
            raise self._too_large()
        if self.method == b"CONNECT":
            raise refusal_of("CONNECT", ("GET", "HEAD", "OPTIONS"))
        try:
            self.target = parse_target(self.uri)
        except BadTarget as bad:
            raise HTTPError(400, str(bad)) from bad
        self.path = self.target.path
        self.postpath = list(self.target.segments)

    def render(self, resource: IResource) -> None:
        try:
            body = resource.render(self)
        except UnsupportedMethod as unsupported:
            names: Sequence[bytes] = unsupported.allowedMethods
            allowed = sorted({*(name.decode("ascii") for name in names), "OPTIONS"})
            if self.verb != "OPTIONS":
                raise refusal_of(self.verb, allowed) from None
            self.respond(allowed_methods(allowed))
            return
        if body is server.NOT_DONE_YET:
            return
        if not isinstance(body, bytes):
            raise TypeError(f"{resource!r} rendered {type(body).__name__}, not bytes")
        self.responseHeaders.setRawHeaders("Content-Length", [str(len(body))])
        self.write(body)
        self.finish()

    def processingFailed(self, reason: Failure) -> Failure:
        self.fail(reason)
        return reason

    def write(self, data: bytes) -> None:
        if self.owner.leaving and not self.startedWriting:
            self._announce_close()
        super().write(data)

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        if self._hang_up is not None and self._hang_up.active():
            self._hang_up.cancel()
        # A request that never arrived in full has no line of its own; a 413 has one already.
        if not self.finished and not self.too_large and self.path is not None:
            if not self.startedWriting:
                self.code = CLIENT_LEFT
            self.owner.count_abort()
            self.owner.log(self)

    def _respond_with_page(self, page: Response) -> None:
        for name in _REPRESENTATION:
            self.responseHeaders.removeHeader(name)
        self.etag = self.lastModified = None
        self.respond(page)

    def _announce_close(self) -> None:
        if isinstance(self.channel, HTTPChannel):
            self.responseHeaders.setRawHeaders("Connection", ["close"])
            self.channel.persistent = False

    def _too_large(self) -> HTTPError:
        return HTTPError(413, f"A request body may have {self.owner.max_body} bytes here.")

    def _refuse_body(self) -> None:
        """Answer 413 now, throw away what still comes of the body, and hang up.

        The request stays unfinished on purpose: the channel needs it until the body has ended.
        HTTP/2 cannot be answered before the stream is set up, so there it waits for the end.
        """
        self.too_large = True
        self.content = BytesIO()
        channel = self.channel
        if not isinstance(channel, HTTPChannel):
            return
        self.requestHeaders.removeHeader(b"Expect")  # or the channel would ask for the body
        self.method = channel._command
        self.uri = channel._path
        self.clientproto = channel._version
        self.owner.dress(self)
        self._announce_close()
        page = error_page(self._too_large(), self.header("Accept"))
        self.begin(page, len(page.body))
        self.write(page.body)
        self.owner.log(self)
        self._hang_up = self.owner.clock.callLater(LINGER_SECONDS, channel.loseConnection)
