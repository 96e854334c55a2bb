"""A request as it goes to a server over HTTP/1.1, and when it may be sent again.  No twisted."""

from __future__ import annotations

from typing import Final

from proto.web.proxy.messages import Ask
from proto.web.response import HTTPError

IDEMPOTENT: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""RFC 9110, 9.2.2."""
LAST_CHUNK: Final = b"0\r\n\r\n"
JOINED: Final = 16 * 1024
"""Bytes that are copied to leave together with the head; more are cheaper to send as they are."""


def length_of(ask: Ask) -> int | None:
    """How long its body says it is; None when nobody knows."""
    for name, value in ask.fields:
        if name.lower() == b"content-length":
            return int(value)
    return None


def expects_continue(ask: Ask) -> bool:
    """The body is sent when the server has asked for it."""
    return ask.body is not None and any(name.lower() == b"expect" for name, _ in ask.fields)


def head_of(ask: Ask, host: bytes, is_chunked: bool) -> bytes:
    """The head as it is sent; `host`, if there is one, takes the place of Host.

    Raises:
        HTTPError: 400, something in it would end a line.
    """
    lines = [b"%b %b HTTP/1.1" % (ask.method, ask.target)]
    if host:
        lines.append(b"Host: " + host)
        lines += [b"%b: %b" % pair for pair in ask.fields if pair[0] != b"Host"]
    else:
        lines += [b"%b: %b" % pair for pair in ask.fields]
    if is_chunked:
        lines.append(b"Transfer-Encoding: chunked")
    count = len(lines)
    lines += [b"", b""]
    head = b"\r\n".join(lines)
    # HTTP/2 can carry what HTTP/1.1 cannot (RFC 9113, 10.3).
    if head.count(b"\n") != count + 1 or head.count(b"\r") != count + 1 or b"\0" in head:
        raise HTTPError(400, "A field of the request has a character that it may not have.")
    return head


def framed(data: bytes, is_chunked: bool) -> bytes:
    """A part of the body as it is sent; of nothing nothing, as an empty chunk would end it."""
    if not data:
        return b""
    return b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data


def may_repeat(ask: Ask, is_sent: bool, has_body_begun: bool) -> bool:
    """Whether the request may be sent again after it failed."""
    return not is_sent or (ask.method in IDEMPOTENT and not has_body_begun)
