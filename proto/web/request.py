"""twisted.web's Request as the resources here see it: it answers in whole values, and refuses.

What is added to `twisted.web.server.Request`: the parsed target, `respond` and `refuse`, error
pages for whatever is raised, an answer that is as long as it says, and the access log entry of a
peer that left before it was complete.  How a request arrives is in `receiving`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.error import UnsupportedMethod
from twisted.web.http import NO_BODY_CODES, datetimeToString, toChunk
from twisted.web.resource import IResource, _IEncodingResource

from proto.web.known import LARGEST
from proto.web.receiving import Receiving
from proto.web.response import (
    KNOWN_METHODS,
    Headers,
    HTTPError,
    Response,
    allowed_methods,
    phrase_of,
    refusal_of,
)
from proto.web.target import BadTarget, Target, parse_target

if TYPE_CHECKING:
    from proto.web.connection import Successor
    from proto.web.handlers import Handlers

JOINED: Final = 16 * 1024
"""Bytes that are copied to leave together with the head; more are cheaper to send as they are."""
_REPRESENTATION: Final = (
    b"Accept-Ranges",
    b"Cache-Control",
    b"Content-Encoding",
    b"Content-Length",
    b"Content-Range",
    b"ETag",
    b"Last-Modified",
)

_parsed: Final = lru_cache(512)(parse_target)


@lru_cache
def _message(status: int) -> bytes:
    return phrase_of(status).encode("ascii")


class WebRequest(Receiving):
    """A request on its way through the tree."""

    log = Logger()

    target: Target
    handlers: Handlers | None = None  # whose page for 404 is used, if any
    is_guarded = False
    """Somebody may be refused what others get."""
    is_endless = False
    """The answer has no end of its own; a peer that sends no more has left."""
    is_repeatable = False
    """What is answered depends on the head alone."""
    _wire = b""  # the whole answer, if it was written at once and may be repeated
    _declared: int | None = None  # the Content-Length of the answer
    _is_bodiless = False  # the answer has a head and nothing else

    # Resources call these.
    @property
    def verb(self) -> str:
        """The method as text."""
        return self.method.decode("latin-1")

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

    def keep_answer(self) -> None:
        """What is answered depends on the head alone, and may be repeated for a moment.

        Not to who sends a body, which would be taken for the next request, and not what was said
        over TLS.
        """
        has_body = self.head is None or self.head.length != 0
        guarded = self.is_guarded or has_body or self.isSecure()
        self.is_repeatable = self.owner.known.keeps and not guarded

    def begin(self, response: Response, length: int) -> None:
        """Set the head of an answer whose body is written later, `length` bytes of it."""
        # Twisted does not know the phrases of newer statuses, such as 429.
        self.code, self.code_message = response.status, _message(response.status)
        if response.content_type:
            self.responseHeaders.setRawHeaders(b"Content-Type", [response.content_type])
        for name, value in response.headers:
            self.responseHeaders.setRawHeaders(name, [value])
        if response.status not in (204, 304):
            self.responseHeaders.put(b"Content-Length", b"%d" % length)

    def refuse(self, error: HTTPError) -> None:
        """Answer with the page of an error."""
        if error.status == 404 and self.handlers is not None and self.handlers.missing is not None:
            handlers, self.handlers = self.handlers, None  # a 404 from there is an ordinary one
            handlers.answer_missing(self, error)
        else:
            self._respond_with_page(self.owner.error_page(error, self.header("Accept")))

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
        accept = self.header("Accept")
        self._respond_with_page(self.owner.error_page(sorry, accept, incident, traceback))

    def break_off(self) -> None:
        """Hang up in the middle of an answer, so that the peer sees that it is not complete."""
        if self.is_over:
            return
        if self.is_http1:
            self.channel.loseConnection()
        else:  # only this stream of HTTP/2, which nobody tells us about
            self.channel.abortConnection()
            self.connectionLost(Failure(ConnectionAborted()))

    def cut_off(self) -> None:
        """Hang up at once, without what is written and not sent."""
        if self.is_http1:
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

    def refuse_early(self, error: HTTPError) -> None:
        self.content = self.content or BytesIO()
        self.owner.dress(self)
        self.refuse(error)

    # Twisted calls these.
    def process(self) -> None:
        self.site, self.prepath = self.owner, []
        if self.uri != b"*":
            try:
                self._find_and_render()
            except Exception:
                self.processingFailed(Failure())
            return
        self.owner.dress(self)
        if self.method == b"OPTIONS":
            self.respond(allowed_methods(sorted(KNOWN_METHODS - {"CONNECT", "TRACE"})))
        else:
            self.refuse(HTTPError(400, "Only OPTIONS can be asked of the whole server."))

    def _find_and_render(self) -> None:
        resource = self.owner.getResourceFor(self)
        if _IEncodingResource.providedBy(resource):
            self._encoder = resource.getEncoder(self)
        self.render(resource)

    def find_target(self) -> None:
        """Parse the target, for the tree and for Twisted's own traversal.

        Raises:
            HTTPError: 400 when it is malformed, 405 for CONNECT, or why the body was refused.
        """
        if self.refusal is not None:
            raise self.refusal
        if self.method == b"CONNECT":
            raise refusal_of("CONNECT", ("GET", "HEAD", "OPTIONS"))
        try:
            self.target = _parsed(self.uri)
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
        # To HEAD a resource may give no body, and has then told the length of what GET would give.
        if body or self.method != b"HEAD":
            self.responseHeaders.put(b"Content-Length", b"%d" % len(body))
        self.write(body)
        self.finish()

    def processingFailed(self, reason: Failure) -> Failure:
        self.fail(reason)
        return reason

    def write(self, data: bytes) -> None:
        if not self.is_http1 or self.finished or self._disconnected:
            super().write(data)
            return
        if self._encoder is not None:
            data = self._encoder.encode(data)
        if not self.startedWriting:
            self._send_head(data)
        elif not self._is_bodiless:
            self.channel.writeSequence(self._framed(data))

    def finish(self) -> None:
        if self.is_http1 and not self.is_over:
            if self._encoder is not None:
                rest, self._encoder = self._encoder.finish(), None
                self.write(rest)
            if self._declared is not None and self.sentLength != self._declared:
                # The peer would take the next answer for the rest of this one.
                self._miscounted(self.sentLength)
            if self._wire and self.channel.persistent and not self.cookies:
                self.owner.remember(self, self.channel.head, self._wire)
        super().finish()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        # What is not even a head is no request, and has no line of its own.
        if not self.finished and hasattr(self, "method"):
            if not self.startedWriting:
                self.code = self.lost_as
            self.owner.count_abort()
            self.owner.log(self)

    def _send_head(self, data: bytes) -> None:
        """Send the head, and the first bytes of the body with it."""
        self.startedWriting = 1
        headers, code = self.responseHeaders, self.code
        self._is_bodiless = self.method == b"HEAD" or code in NO_BODY_CODES
        lengths = headers.values(b"Content-Length")
        if lengths:
            if lengths[0].isdigit() and not self._is_bodiless:
                self._declared = int(lengths[0])
        elif self.clientproto == b"HTTP/1.1" and not self._is_bodiless:
            self.chunked = 1
            headers.put(b"Transfer-Encoding", b"chunked")
        if not headers.has(b"Content-Type") and code not in NO_BODY_CODES and lengths != [b"0"]:
            self._default_type()
        if self.lastModified is not None and not headers.has(b"Last-Modified"):
            headers.put(b"Last-Modified", datetimeToString(self.lastModified))
        if self.etag is not None:
            headers.setRawHeaders(b"ETag", [self.etag])
        if self.cookies:
            headers.setRawHeaders(b"Set-Cookie", self.cookies)
        self._settle_connection()
        message = b" ".join(self.code_message.splitlines())
        start = b"%b %d %b\r\n%b\r\n" % (self.clientproto, code, message, headers.lines())
        body = () if self._is_bodiless else self._framed(data)
        is_whole = self._is_bodiless or self.sentLength == self._declared
        if is_whole and self.is_repeatable and len(data) <= LARGEST:
            self._wire = b"".join((start, *body))
            self.channel.write(self._wire)
        elif len(data) <= JOINED:
            self.channel.write(b"".join((start, *body)))
        else:
            self.channel.writeSequence([start, *body])

    def _framed(self, data: bytes) -> Sequence[bytes]:
        """A part of the body as it is sent: no more than there may be, in a chunk if need be."""
        if self._declared is not None and self.sentLength + len(data) > self._declared:
            self._miscounted(self.sentLength + len(data))
            data = data[: self._declared - self.sentLength]
        self.sentLength += len(data)
        if not data:
            return ()
        return toChunk(data) if self.chunked else (data,)

    def _default_type(self) -> None:
        if self.defaultContentType is not None:
            self.responseHeaders.setRawHeaders(b"Content-Type", [self.defaultContentType])

    def _settle_connection(self) -> None:
        """What becomes of the connection after this answer."""
        headers, channel = self.responseHeaders, self.channel
        is_old = self.clientproto != b"HTTP/1.1"
        asked = headers.values(b"Connection")
        if asked and any(b"close" in each.lower() for each in asked):
            channel.persistent = False
        if self.owner.leaving or channel.is_unread:
            channel.persistent = False
        if is_old and not self._is_bodiless and self._declared is None:
            channel.persistent = False  # its end is the end of the connection
        if not channel.persistent:
            headers.put(b"Connection", b"close")
        elif is_old:
            headers.put(b"Connection", b"keep-alive")

    def _miscounted(self, sent: int) -> None:
        self.log.error(
            "the answer to {method} {uri} has {sent} bytes and not {declared}, as it says",
            method=ascii(self.verb),
            uri=ascii(self.uri),
            sent=sent,
            declared=self._declared,
        )
        self.channel.persistent = False

    def _respond_with_page(self, page: Response) -> None:
        for name in _REPRESENTATION:
            self.responseHeaders.removeHeader(name)
        self.etag = self.lastModified = None
        self.respond(page)
