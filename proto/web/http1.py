"""HTTP/1.1 messages as bytes (RFC 9112): where a head ends, what it says, how long its body is.

llhttp parses every head; what it lets pass and others read otherwise is refused beside it, so that
nobody in front of us can see other requests than we do.  Bytes go in and plain values come out:
no twisted, no sockets, no time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from httptools import (
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from proto.web.response import HTTPError

Fields = tuple[tuple[bytes, bytes], ...]

LINE_BYTES: Final = 8192
"""The longest request line, and the longest field; their ends not counted."""
HEAD_BYTES: Final = 32768
"""The longest head, from its request line to its empty line."""
FIELDS: Final = 100
EMPTY_LINES: Final = 8
"""Empty lines that are skipped before a request; RFC 9112, 2.2 asks for one."""
LENGTH_DIGITS: Final = 18
"""Digits of the longest Content-Length; as many always fit into 63 bits."""

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE: Final = re.compile(
    rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/(\d{1,3}\.\d{1,3})"
)
_FIELD: Final = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n"
_HEAD: Final = re.compile(_REQUEST_LINE.pattern + rb"\r\n((?:" + _FIELD + rb")*)\r\n")
_BROKEN: Final = re.compile(rb"(?<!\r)\n|\r[^\n]|\0")
_NOT_NUMBER: Final = re.compile(rb"[^0-9]")
_CODING: Final = re.compile(rb"[ \t]*(" + _TOKEN + rb")[ \t]*")
_ABSOLUTE: Final = re.compile(rb"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
_HOST: Final = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::(\d{0,5}))?"
)

_SECRETS: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})


class BadRequest(HTTPError):
    """A head or body after which nothing on the connection can be trusted: answer, and close."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head.

    `fields` have the peer's order and spelling, except that the host of an absolute target stands
    in the place of Host (RFC 9112, 3.2.2).  `values` has their lines joined under the name in
    lower case.  `length` is None for a chunked body.
    """

    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    values: dict[bytes, bytes]
    length: int | None
    keep_alive: bool
    expects_continue: bool
    upgrade: bool


class HeadReader:
    """Finds the end of a head in what comes in, and refuses one that passes a bound at once."""

    __slots__ = ("_buffer", "_clean", "_empty", "_line", "_lines", "_seen", "rest")
    _buffer: bytearray
    _clean: int
    _empty: int
    _line: int
    _lines: int
    _seen: int

    def __init__(self) -> None:
        self.rest: bytes = b""
        """What came behind the head."""
        self._reset()

    @property
    def begun(self) -> bool:
        """A part of a head is here."""
        return bool(self._buffer)

    @property
    def first_line(self) -> bytes:
        """What is known of the request line of a head that is not whole."""
        return bytes(self._buffer.partition(b"\r\n")[0][:LINE_BYTES])

    def feed(self, data: bytes) -> bytes | None:
        """The head with its empty line, once it is whole; only its size has been checked then.

        Raises:
            BadRequest: 414 or 431 when it is too long, 400 when it can never become a head.
        """
        if not self._buffer:
            end = data.find(b"\r\n\r\n") + 4
            if 4 < end <= LINE_BYTES and not data.startswith(b"\r\n"):
                self._empty = 0
                self.rest = data[end:]
                return data[:end]
        return self._feed_slowly(data)

    def _feed_slowly(self, data: bytes) -> bytes | None:
        self._buffer += data
        self._skip_empty_lines()
        buffer = self._buffer
        while (at := buffer.find(b"\n", self._seen)) >= 0:
            self._seen = at + 1
            self._look_at_line(at + 1)
            if at - self._line == 1 and self._lines:
                raw, self.rest = bytes(buffer[: at + 1]), bytes(buffer[at + 1 :])
                self._reset()
                return raw
            self._end_line(at - 1)
        self._seen = len(buffer)
        self._look_at_line(len(buffer))
        return None

    def _skip_empty_lines(self) -> None:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
            self._seen = self._clean = 0
            self._empty += 1
            if self._empty > EMPTY_LINES:
                raise BadRequest(400, "There are too many empty lines before the request.")

    def _look_at_line(self, end: int) -> None:
        """Check the last line that is here, whole or not; what comes first in it is told first."""
        text = end - self._buffer.endswith((b"\r", b"\r\n"), self._line, end)
        text -= self._buffer.endswith(b"\n", self._line, end)
        bound = min(self._line + LINE_BYTES, HEAD_BYTES)
        start = max(self._line, self._clean - 1)
        if _BROKEN.search(self._buffer, start, min(end, bound)):
            raise BadRequest(400, "A line of a request must end in CRLF, and must not have NUL.")
        if text - self._line > LINE_BYTES and not self._lines:
            raise BadRequest(414, f"A request line may have {LINE_BYTES} bytes here.")
        if text - self._line > LINE_BYTES:
            raise BadRequest(431, f"A header field may have {LINE_BYTES} bytes here.")
        if end > HEAD_BYTES:
            raise BadRequest(431, f"The head of a request may have {HEAD_BYTES} bytes here.")
        if _BROKEN.search(self._buffer, start, end):
            raise BadRequest(400, "A line of a request must end in CRLF, and must not have NUL.")
        self._clean = end

    def _end_line(self, end: int) -> None:
        if not self._lines:
            parse_request_line(bytes(self._buffer[:end]))
        self._lines += 1
        if self._lines > FIELDS + 1:
            raise _too_many_fields()
        self._line = self._seen

    def _reset(self) -> None:
        self._buffer = bytearray()
        self._empty = 0
        self._line = 0  # where the line begins that is not whole yet
        self._lines = 0  # that are whole
        self._seen = 0  # bytes in which line ends were looked for
        self._clean = 0  # bytes in which every line end is one


class _Collector:
    """What llhttp finds in a head."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    # llhttp calls this.
    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.rstrip(b" \t")))


def parse_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target and version of a request line without its end.

    Raises:
        BadRequest: 400 when it is malformed or of HTTP/0.9, 505 for a version we do not speak.
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise BadRequest(400, "The request line is malformed.")
    _check_version(match[3])
    return match[1], match[2], b"HTTP/" + match[3]


def parse_head(raw: bytes) -> Head:
    """What a whole head says.

    Raises:
        BadRequest: 400, 417, 431, 501 or 505; see the table in docs/web.md.
    """
    match = _HEAD.fullmatch(raw)
    if match is None:
        HeadReader()._feed_slowly(raw)  # it knows better what is wrong
        raise BadRequest(400, "A header field is malformed.")
    _check_version(match[3])
    if match[4].count(b"\n") > FIELDS:
        raise _too_many_fields()
    is_old = match[3] == b"1.0"
    _check_framing(match[4].lower(), is_old)
    collector = _Collector()
    problem = _run_llhttp(raw, match[1], collector)
    fields = collector.fields
    values = _joined(fields)
    # What we can say better than llhttp goes first.
    length = _length_of(values)
    if problem is not None:
        raise BadRequest(400, "The request is malformed.") from problem
    fields = _with_host(fields, values, match[2], is_old)
    connection = {
        token.strip(b" \t").lower() for token in values.get(b"connection", b"").split(b",")
    }
    keep_alive = b"close" not in connection and (not is_old or b"keep-alive" in connection)
    return Head(
        match[1],
        match[2],
        b"HTTP/" + match[3],
        tuple(fields),
        values,
        length,
        # What follows CONNECT is no request for whoever is in front of us (RFC 9110, 9.3.6).
        keep_alive and match[1] != b"CONNECT",
        _expects_continue(values.get(b"expect"), is_old) and length != 0,
        b"upgrade" in connection and b"upgrade" in values,
    )


def _check_version(version: bytes) -> None:
    if version not in (b"1.1", b"1.0"):
        if version.startswith(b"0."):
            raise BadRequest(400, "This server speaks HTTP/1.1, 1.0 and, over TLS, 2.")
        raise BadRequest(505, "This server speaks HTTP/1.1, 1.0 and, over TLS, 2.")


def _run_llhttp(raw: bytes, method: bytes, collector: _Collector) -> HttpParserError | None:
    """Let llhttp parse a head; what it objects to, if anything.

    It knows some forty methods.  A resource may have others, and whoever has not says so itself.
    """
    try:
        if method == b"CONNECT":
            HttpRequestParser(collector).feed_data(raw)
        else:
            HttpRequestParser(collector).feed_data(b"POST" + raw[len(method) :])
    except HttpParserUpgrade:
        return None
    except HttpParserError as error:
        return error
    return None


def _joined(fields: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for name, value in fields:
        lower = name.lower()
        values[lower] = values[lower] + b", " + value if lower in values else value
    return values


def _check_framing(fields: bytes, is_old: bool) -> None:
    """Refuse whatever two servers could cut at different places (RFC 9112, 6.1 and 11.2)."""
    lines = b"\r\n" + fields
    codings, lengths = lines.count(b"\r\ntransfer-encoding:"), lines.count(b"\r\ncontent-length:")
    if codings + lengths > 1:
        raise BadRequest(400, "A request has one Content-Length or one Transfer-Encoding.")
    if codings and is_old:
        raise BadRequest(400, "HTTP/1.0 has no Transfer-Encoding.")


def _length_of(values: dict[bytes, bytes]) -> int | None:
    """How long the body is (RFC 9112, 6.3); None when it is chunked."""
    coding = values.get(b"transfer-encoding")
    if coding is None:
        told = values.get(b"content-length", b"0")
        if not told or _NOT_NUMBER.search(told) or len(told) > LENGTH_DIGITS:
            raise BadRequest(400, "The Content-Length is malformed.")
        return int(told)
    if coding.lower() == b"chunked":
        return None
    codings = [_CODING.fullmatch(part) for part in coding.split(b",")]
    names = [match[1].lower() for match in codings if match is not None]
    if len(names) < len(codings) or names.count(b"chunked") == len(names):
        raise BadRequest(400, "The Transfer-Encoding is malformed.")
    raise BadRequest(501, "This server knows no transfer coding but chunked.")


def _with_host(
    fields: list[tuple[bytes, bytes]], values: dict[bytes, bytes], target: bytes, is_old: bool
) -> list[tuple[bytes, bytes]]:
    """Check Host (RFC 9112, 3.2); the host of an absolute target takes its place."""
    hosts = [value for name, value in fields if name.lower() == b"host"]
    if len(hosts) > 1 or (not hosts and not is_old):
        raise BadRequest(400, "A request needs one Host.")
    absolute = _ABSOLUTE.match(target)
    for host in [*hosts, absolute[1]] if absolute else hosts:
        if not _is_host(host):
            raise BadRequest(400, "The host is malformed.")
    if absolute is None:
        return fields
    values[b"host"] = absolute[1]
    return [(b"Host", absolute[1]), *(pair for pair in fields if pair[0].lower() != b"host")]


def _is_host(host: bytes) -> bool:
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > 65535:
        return False
    if match[1] is None:
        return True
    try:
        IPv6Address(match[1].decode("ascii"))
    except AddressValueError:
        return False
    return True


def _expects_continue(told: bytes | None, is_old: bool) -> bool:
    if told is None or is_old:  # RFC 9110, 10.1.1: not for HTTP/1.0
        return False
    if any(part.strip(b" \t").lower() != b"100-continue" for part in told.split(b",")):
        raise BadRequest(417, "This server can be expected to 100-continue, and nothing else.")
    return True


def _too_many_fields() -> BadRequest:
    return BadRequest(431, f"A request may have {FIELDS} header fields here.")


class Heads:
    """The heads that came last, and what they said: most come again and again.

    What has a secret in it is not kept.
    """

    def __init__(self, most: int = 256, longest: int = 2048) -> None:
        """`most` heads of at most `longest` bytes each."""
        self.known: dict[bytes, Head] = {}
        self._most = most
        self._longest = longest

    def parse(self, raw: bytes) -> Head:
        """What a head says that is not known.  Raises BadRequest."""
        head = parse_head(raw)
        if len(raw) <= self._longest and not _SECRETS & head.values.keys():
            if len(self.known) >= self._most:
                del self.known[next(iter(self.known))]
            self.known[raw] = head
        return head
