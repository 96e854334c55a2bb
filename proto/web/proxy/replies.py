"""The answer of a server over HTTP/1.1, byte for byte: what is none is told apart (RFC 9112).

llhttp parses every head; what it forgives and a client might read otherwise is refused beside it.
A body ends where its length says, after its last chunk, or with the connection.  No twisted, no
sockets, no time; keeps no byte of a body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from proto.web.bodies import ChunkedBody, LengthBody
from proto.web.http1 import BadRequest
from proto.web.proxy.hops import end_to_end, tokens

HEAD_BYTES: Final = 32_768
"""The longest head, from its status line to its empty line."""
LINE_BYTES: Final = 16_384
"""The longest field; a client of ours may send half as much, and servers set long cookies."""
FIELDS: Final = 100
INTERIM: Final = 16
"""Answers like 100 and 103 before the one that counts."""
LENGTH_DIGITS: Final = 18

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD: Final = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n"
_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n((?:" + _FIELD + rb")*)\r\n"
)
_BROKEN: Final = re.compile(rb"(?<!\r)\n|\r[^\n]|\0")
_BEGIN: Final = b"HTTP/1."
_BODILESS: Final = frozenset({204, 304})


class BadReply(Exception):
    """A server has sent what is no answer, or has not sent all of one."""


@dataclass(frozen=True, slots=True)
class ReplyHead:
    """What the head of an answer says; `fields` are those that go on to the client."""

    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    length: int | None
    """Of the body; None when its end shows otherwise."""
    is_chunked: bool
    keep_alive: bool
    upgrade: bytes
    """What the connection becomes after a 101; empty when it says nothing."""


class _Collector:
    """What llhttp finds in a head."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    # llhttp calls this.
    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.rstrip(b" \t")))


def parse_reply(raw: bytes) -> ReplyHead:
    """What a whole head says, with its empty line.  Raises BadReply."""
    match = _HEAD.fullmatch(raw)
    if match is None:
        raise BadReply("the head of its answer is malformed")
    if match[4].count(b"\n") > FIELDS:
        raise BadReply(f"its answer has more than {FIELDS} fields")
    if max(map(len, match[4].split(b"\r\n"))) > LINE_BYTES:
        raise BadReply(f"a field of its answer has more than {LINE_BYTES} bytes")
    fields = _fields_of(raw)
    length, is_chunked = _framing(fields, match[1] == b"0")
    if match[2] == b"204":  # which has no length, whatever it says (RFC 9110, 8.6)
        fields = [pair for pair in fields if pair[0].lower() != b"content-length"]
    connection = tokens(fields, b"connection")
    upgrade = [value for name, value in fields if name.lower() == b"upgrade"]
    return ReplyHead(
        int(match[2]),
        (match[3] or b"").strip(b" \t"),
        tuple(end_to_end(fields)),
        length,
        is_chunked,
        b"close" not in connection and (match[1] == b"1" or b"keep-alive" in connection),
        upgrade[0] if len(upgrade) == 1 and b"upgrade" in connection else b"",
    )


def _fields_of(raw: bytes) -> list[tuple[bytes, bytes]]:
    collector = _Collector()
    try:
        HttpResponseParser(collector).feed_data(raw)
    except HttpParserUpgrade:
        pass
    except HttpParserError as error:
        raise BadReply("the head of its answer is malformed") from error
    return collector.fields


def _framing(fields: list[tuple[bytes, bytes]], is_old: bool) -> tuple[int | None, bool]:
    """The length of the body, and whether it is chunked (RFC 9112, 6.3)."""
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise BadReply("its answer says more than once how long it is")
    if lengths:
        if not lengths[0].isdigit() or len(lengths[0]) > LENGTH_DIGITS:
            raise BadReply("the length of its answer is malformed")
        return int(lengths[0]), False
    if codings and (is_old or codings[0].lower() != b"chunked"):
        raise BadReply("its answer has a transfer coding that we do not know")
    return None, bool(codings)


class ReplyHeads:
    """The heads that came last, and what they said: for a second most are the same."""

    def __init__(self, most: int = 256, longest: int = 2048) -> None:
        """`most` heads of at most `longest` bytes each."""
        self._known: dict[bytes, ReplyHead] = {}
        self._most = most
        self._longest = longest

    def parse(self, raw: bytes) -> ReplyHead:
        """What a head says.  Raises BadReply."""
        known = self._known.get(raw)
        if known is not None:
            return known
        head = parse_reply(raw)
        secret = any(name.lower() == b"set-cookie" for name, _ in head.fields)
        if len(raw) <= self._longest and not secret:
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[raw] = head
        return head


class ReplyReader:
    """One answer as it comes."""

    __slots__ = (
        "_body",
        "_buffer",
        "_heads",
        "_interim",
        "_is_head",
        "_seen",
        "_upgrades",
        "done",
        "has_continued",
        "head",
        "rest",
    )

    def __init__(self, heads: ReplyHeads, method: bytes, upgrades: bool = False) -> None:
        """`method` is what was asked; `upgrades`: the connection may become another protocol."""
        self.head: ReplyHead | None = None
        """Of the answer that counts, once it is here."""
        self.done = False
        """Its last byte has come."""
        self.has_continued = False
        """The server wants the body of the request."""
        self.rest = b""
        """What came behind the answer."""
        self._heads = heads
        self._is_head = method == b"HEAD"
        self._upgrades = upgrades
        self._buffer = b""
        self._seen = 0  # bytes of it in which nothing is wrong
        self._interim = 0
        self._body: LengthBody | ChunkedBody | None = None  # None: it ends with the connection

    @property
    def is_untouched(self) -> bool:
        """Not a byte has come."""
        return self.head is None and not self._buffer and not self._interim

    @property
    def is_reusable(self) -> bool:
        """The connection can carry another request."""
        return self.done and self.head is not None and self.head.keep_alive and not self.rest

    def feed(self, data: bytes) -> bytes:
        """What `data` holds of the body.  Raises BadReply."""
        while self.head is None:
            raw, data = self._take_head(data)
            if raw is None:
                return b""
            head = self._heads.parse(raw)
            if head.status < 200 and head.status != 101:
                self._interim += 1
                self.has_continued = self.has_continued or head.status == 100
                if self._interim > INTERIM:
                    raise BadReply(f"it sent more than {INTERIM} answers before the answer")
            else:
                self._begin(head)
        if self.done:
            self.rest += data
            return b""
        return self._take_body(data)

    def end(self) -> None:
        """The connection ended in good order.  Raises BadReply if the answer did not."""
        if self.head is None:
            raise BadReply("it closed the connection instead of an answer")
        if not self.done and self._body is not None:
            raise BadReply("it closed the connection in the middle of its answer")
        self.done = True

    def _take_head(self, data: bytes) -> tuple[bytes | None, bytes]:
        """The next head, once it is whole, and what came behind it."""
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n", max(0, self._seen - 3)) + 4
        if 4 <= end <= HEAD_BYTES:
            self._buffer, self._seen = b"", 0
            return buffer[:end], buffer[end:]
        if not buffer.startswith(_BEGIN[: len(buffer)]):
            raise BadReply("it does not speak HTTP/1.1")
        if _BROKEN.search(buffer, max(0, self._seen - 1)):
            raise BadReply("the head of its answer is malformed")
        if len(buffer) > HEAD_BYTES:
            raise BadReply(f"the head of its answer has more than {HEAD_BYTES} bytes")
        self._buffer, self._seen = buffer, len(buffer)
        return None, b""

    def _begin(self, head: ReplyHead) -> None:
        if head.status == 101:
            if not (self._upgrades and head.upgrade):
                raise BadReply("it changed the protocol unasked")
            self.done = True
        elif self._is_head or head.status in _BODILESS or head.length == 0:
            self.done = True
        elif head.length is not None:
            self._body = LengthBody(head.length)
        elif head.is_chunked:
            self._body = ChunkedBody()
        self.head = head

    def _take_body(self, data: bytes) -> bytes:
        body = self._body
        if body is None:
            return data
        try:
            piece, used = body.feed(data)
            while used < len(data) and not body.done:
                more, at = body.feed(data[used:])
                piece, used = piece + more, used + at
        except BadRequest as bad:
            raise BadReply("the body of its answer is malformed") from bad
        if body.done:
            self.done, self.rest = True, data[used:]
        return piece
