"""How a request arrives: its head, and a body that cannot grow beyond a bound.

A body is kept until it is whole, or given to whoever reads it as it comes.  This is a
`twisted.web.server.Request` on its way in; what it answers is in `request`.
"""

from __future__ import annotations

from io import SEEK_END, BytesIO
from typing import TYPE_CHECKING, Any, Final

from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import HTTPChannel, parse_qs
from twisted.web.http_headers import Headers

from proto.addresses import group_of, host_of
from proto.web.fields import Fields
from proto.web.incoming import BodyLost, IncomingBody
from proto.web.response import KNOWN_METHODS, HTTPError

if TYPE_CHECKING:
    from proto.web.http1 import Head
    from proto.web.site import ProtoSite
    from proto.web.spool import Spool


CLIENT_LEFT: Final = 499
"""nginx's status for "the peer hung up before it was answered"."""
FORM_BYTES: Final = 1024 * 1024
"""A longer form is not parsed into `args`; neither is one with more of the following."""
FORM_FIELDS: Final = 1000
FORM_LINES: Final = 20_000


class Receiving(server.Request):
    """A request of which not everything is here yet."""

    channel: Any  # HTTPChannel, H2Stream, or None when the peer is gone
    content: Any  # the body, a binary file
    method: bytes
    body: IncomingBody | None = None
    """What comes of the body, for a handler that is called before it is whole."""
    line = b""
    """The request line of what is no request, as far as there is one."""
    refusal: HTTPError | None = None
    """Why the rest of the body is not read."""
    most_body = 0
    """Bytes that the body may have."""
    has_arrived = False
    """It is being answered."""
    lost_as = CLIENT_LEFT
    """Its status in the access log if the connection ends before it is answered."""
    _body_bytes = 0
    _spool: Spool | None = None
    _args: Any = None

    head: Head | None = None  # of HTTP/1.1
    _asked: Headers | None = None
    _encoder: Any = None  # what a resource wants its answer compressed by

    def __init__(self, channel: Any, queued: object = False) -> None:
        """All that Twisted's own sets, which takes four calls for it, and what is ours."""
        self.owner: ProtoSite = channel.site
        self.began = self.owner.clock.seconds()
        self.channel = channel
        self.transport = channel.transport
        self.client, self.host = channel.getPeer(), channel.getHost()
        self.responseHeaders: Fields = Fields()
        self.received_cookies = {}
        self.cookies = []
        self.notifications = []
        self.queued = False
        self._parsePOSTFormSubmission = self.owner._parsePOSTFormSubmission
        self._adapterCache: dict[str, Any] = {}

    # Resources call these.
    @property
    def requestHeaders(self) -> Headers:
        """The fields that came; those of HTTP/1.1 are looked at when somebody wants them."""
        if self._asked is None:
            self._asked = Headers()
            for name, value in self.head.fields if self.head is not None else ():
                self._asked.addRawHeader(name, value)
        return self._asked

    @requestHeaders.setter
    def requestHeaders(self, headers: Headers) -> None:
        self._asked = headers

    @property
    def args(self) -> Any:
        """The fields of the query, and of a form in the body unless it is too large for that.

        The body is in `content` in any case.
        """
        if self._args is None and self.path is not None:
            self._args = parse_qs(self.uri.partition(b"?")[2], True)
        return self._args

    @args.setter
    def args(self, args: Any) -> None:
        self._args = args

    @property
    def is_over(self) -> bool:
        """Nothing can be written any more: it is finished, or the peer has left."""
        return bool(self.finished or self._disconnected)

    def header(self, name: str) -> str:
        """A request header's lines as one value; empty when there is none."""
        return self.field(name).decode("latin-1")

    def field(self, name: str) -> bytes:
        """The same as it came."""
        if self._asked is None and self.head is not None:
            return self.head.values.get(name.lower().encode("ascii"), b"")
        lines = self.requestHeaders.getRawHeaders(name.encode("ascii"), [])
        return b", ".join(lines)

    def refuse_early(self, error: HTTPError) -> None:
        """Answer before all of it has come."""
        raise NotImplementedError

    @property
    def is_http1(self) -> bool:
        """It has a connection of its own; what else there is is a stream of HTTP/2."""
        return isinstance(self.channel, HTTPChannel)

    # The channel calls these.
    @property
    def too_large(self) -> bool:
        """The rest of the body is not read."""
        return self.refusal is not None

    @property
    def wants_body(self) -> bool:
        """What comes of the body is for somebody."""
        return self.refusal is None and not self.is_over

    def take_head(self, head: Head) -> None:
        """The head is here; of the body nothing."""
        self.head = head
        self.method, self.uri, self.clientproto = head.method, head.target, head.version
        if b"cookie" in head.values:
            self.parseCookies()

    def begin_body(self) -> None:
        """The body will come; whoever reads it as it comes is called now."""
        if self.body is not None and not self.has_arrived and not self.is_over:
            self.content = BytesIO()
            self._arrive()

    def end_body(self) -> None:
        """The body is whole."""
        self.requestReceived(self.method, self.uri, self.clientproto)

    def refuse_head(self, error: HTTPError, seen: bytes) -> None:
        """Answer what is no request; `seen` is what is known of it."""
        self.line = seen.partition(b"\n")[0].rstrip(b"\r")
        method = self.line.partition(b" ")[0]
        self.method = method if method.decode("latin-1") in KNOWN_METHODS else b"-"
        self.uri, self.path, self.clientproto = b"-", b"-", b"HTTP/1.1"
        self.has_arrived = True
        self.refuse_early(error)

    def refuse_body(self, error: HTTPError) -> None:
        """Read no more of the body, and say why.  HTTP/2 asks for the reason itself."""
        if self.refusal is not None:
            return
        self.refusal = error
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()
        if self.body is not None and self.has_arrived:
            if self.is_http1:
                self.channel.hold_body()
            self.body.fail(error)  # whoever reads it says it
        elif self.is_http1:
            self.refuse_early(error)

    def too_long(self) -> HTTPError:
        """What is said to a body above the bound."""
        return HTTPError(413, f"A request body may have {self.most_body} bytes here.")

    # Twisted calls these.
    def gotLength(self, length: int | None) -> None:
        """The head is whole; the body has `length` bytes, or nobody knows how many."""
        if not self.is_http1:
            self.method, self.uri = self.channel.command, self.channel.path
            self.clientproto = b"HTTP/2.0"
        limit = self.owner.streams(self)
        try:
            self.most_body = self.owner.body_limit(self) if limit is None else limit
            if length is not None and length > self.most_body:
                raise self.too_long()
            if limit is None:
                self._spool = self.owner.spools.open(length, group_of(host_of(self.client)))
        except HTTPError as error:
            self.refuse_body(error)
            return
        if limit is not None:
            self._stream()

    def handleContentChunk(self, data: bytes) -> None:
        if not (data and self.wants_body):  # a frame of HTTP/2 may be empty
            return
        self._body_bytes += len(data)
        if self._body_bytes > self.most_body:
            self.refuse_body(self.too_long())
        elif self.body is not None:
            self.body.put(data)
        elif self._spool is not None:
            try:
                self._spool.write(data)
            except HTTPError as error:
                self.refuse_body(error)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it is here."""
        self.method, self.uri, self.clientproto = command, path, version
        if self.body is not None:
            self.body.end()
            self.begin_body()
            return
        spool, self._spool = self._spool, None
        try:
            self.content = BytesIO() if spool is None else spool.rewind()
        except HTTPError as error:
            self.refuse_body(error)
            return
        if spool is not None and command == b"POST" and self._has_form():
            self.has_arrived = True
            self.content.seek(0, SEEK_END)  # where Twisted expects it
            super().requestReceived(command, path, version)
        else:
            self._arrive()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()
        if self.body is not None:
            self.body.fail(BodyLost("the peer has left"))

    def _arrive(self) -> None:
        self.has_arrived = True
        self.path = self.uri.partition(b"?")[0]
        self.process()

    def _has_form(self) -> bool:
        """Whether there is a form in the body that is soon parsed."""
        kind = self.header("Content-Type").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            return self.owner.parses_multipart and self._has_at_most(FORM_LINES, b"\n")
        is_form = kind == "application/x-www-form-urlencoded"
        return is_form and self._has_at_most(FORM_FIELDS, b"&")

    def _has_at_most(self, count: int, mark: bytes) -> bool:
        size = self.content.seek(0, SEEK_END)
        self.content.seek(0)
        if size > FORM_BYTES:
            return False
        found = self.content.read().count(mark)
        self.content.seek(0)
        return bool(found <= count)

    def _stream(self) -> None:
        channel = self.channel
        if self.is_http1:
            self.body = IncomingBody(channel.hold_body, channel.resume_body, channel.ask_for_body)
        else:
            hold, go_on = channel.pauseProducing, channel.resumeProducing
            self.body = IncomingBody(hold, go_on, channel.ask_for_body)
            self.owner.clock.callLater(0, self.begin_body)  # its stream is not ready for answers
