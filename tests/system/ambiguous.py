"""Requests of which two servers may read different numbers, as data: a name, and what is sent."""

from __future__ import annotations

from typing import Final

from tests.web.refused import BODIES, get

PAGE: Final = b"/page.txt"
OLD: Final = b"GET /page.txt HTTP/1.0\r\nHost: x\r\n"
POST: Final = b"POST"
INNER: Final = get(b"", target=b"/inner")
"""What a body hides that one side may take for a request."""
LENGTH: Final = b"Content-Length: %d\r\n"
HIDDEN: Final = LENGTH % len(INNER)
CODING: Final = b"Transfer-Encoding: chunked\r\n"
ABC: Final = b"3\r\nabc\r\n0\r\n\r\n"


def chunked(body: bytes, fields: bytes = b"") -> bytes:
    return get(CODING + fields, POST, PAGE) + body


def hiding(fields: bytes) -> bytes:
    """A request whose body is a request, for who believes the length, and none for the others."""
    return get(fields % (len(INNER) + 5), POST, PAGE) + b"0\r\n\r\n" + INNER


AMBIGUOUS: Final[list[tuple[str, bytes]]] = [
    ("a request in a body", get(HIDDEN, POST) + INNER),
    ("a request in the body of a GET", get(HIDDEN) + INNER),
    ("a request in a chunk", chunked(b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER))),
    ("a chunk extension", chunked(b"3;a=b\r\nabc\r\n0;c\r\n\r\n")),
    ("a quoted chunk extension", chunked(b'3;a="b;c"\r\nabc\r\n0\r\n\r\n')),
    ("a chunk extension with a size in it", chunked(b"3;\r\nabc\r\n0;3\r\n\r\n")),
    ("a size with zeros before it", chunked(b"0000003\r\nabc\r\n000\r\n\r\n")),
    ("a size in capitals", chunked(b"A\r\n0123456789\r\n0\r\n\r\n")),
    ("a trailer", chunked(b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")),
    ("a trailer that looks like a request", chunked(b"0\r\nGET /inner HTTP/1.1\r\nA: b\r\n\r\n")),
    ("a trailer that frames", chunked(b"0\r\nContent-Length: 50\r\n\r\n")),
    ("no chunk at all", chunked(b"0\r\n\r\n")),
    ("empty lines before", b"\r\n\r\n" + INNER),
    ("empty lines between", INNER + b"\r\n\r\n" + INNER),
    ("a length and a coding", hiding(LENGTH + CODING)),
    ("a coding and a length", hiding(CODING + LENGTH)),
    ("a coding in small letters", hiding(b"content-length: %d\r\ntransfer-encoding: chunked\r\n")),
    ("a coding in capitals", hiding(LENGTH + b"Transfer-Encoding: CHUNKED\r\n")),
    ("a coding behind a tab", hiding(LENGTH + b"Transfer-Encoding:\tchunked\r\n")),
    ("a coding before a tab", hiding(LENGTH + b"Transfer-Encoding: chunked\t\r\n")),
    ("a coding and a comma", hiding(LENGTH + b"Transfer-Encoding: chunked,\r\n")),
    ("a comma and a coding", hiding(LENGTH + b"Transfer-Encoding: ,chunked\r\n")),
    ("a coding behind a fold", hiding(LENGTH + b"Transfer-Encoding:\r\n chunked\r\n")),
    ("a coding in a fold", hiding(LENGTH + b"A: b\r\n " + CODING)),
    ("a coding behind a bare CR", hiding(LENGTH + b"A: b\r" + CODING)),
    ("a coding behind a bare LF", hiding(LENGTH + b"A: b\n" + CODING)),
    ("a coding behind NUL", hiding(LENGTH + b"A: b\0" + CODING)),
    ("a coding with an underscore", hiding(LENGTH + b"Transfer_Encoding: chunked\r\n")),
    ("a coding with a space", hiding(LENGTH + b"Transfer-Encoding : chunked\r\n")),
    ("a coding with a space before", hiding(LENGTH + b" Transfer-Encoding: chunked\r\n")),
    ("a length of 0 first", hiding(b"Content-Length: 0\r\n" + LENGTH)),
    ("a length of 0 last", hiding(LENGTH + b"Content-Length: 0\r\n")),
    ("two lengths in a line", hiding(b"Content-Length: 0, %d\r\n")),
    ("a length with a plus", hiding(b"Content-Length: +%d\r\n")),
    ("a length with zeros", hiding(b"Content-Length: 00%d\r\n")),
    ("a length with a space", hiding(b"Content-Length: %d \r\n")),
    ("a length with an underscore", hiding(b"Content_Length: %d\r\n")),
    ("a length that the connection drops", hiding(b"Connection: Content-Length\r\n" + LENGTH)),
    ("a coding that the connection drops", chunked(ABC, b"Connection: Transfer-Encoding\r\n")),
    ("a coding in HTTP/1.0", OLD + CODING + b"\r\n" + ABC + INNER),
    ("HTTP/1.0 that is kept", OLD + b"Connection: keep-alive\r\n\r\n" + INNER),
    ("HTTP/1.0 that is not kept", OLD + b"\r\n" + INNER),
    ("an absolute target", get(b"", target=b"http://x/page.txt") + INNER),
    ("an absolute target of somebody else", get(b"", target=b"http://y:8080/page.txt?a=http://x/")),
    ("an encoded request in the target", get(b"", target=b"/a%20HTTP/1.1%0d%0aHost:%20x")),
    ("a target with a fragment", get(b"", target=b"/page.txt#a")),
    ("OPTIONS of the server", get(b"", b"OPTIONS", b"*") + INNER),
    ("a pair", INNER + INNER),
    ("a pair with a body between", get(b"Content-Length: 3\r\n", POST) + b"abc" + INNER),
    ("many at once", INNER * 50),
    ("HEAD and GET", get(b"", b"HEAD", PAGE) + INNER),
    ("HEAD with a body", get(HIDDEN, b"HEAD") + INNER),
    ("OPTIONS with a body", get(HIDDEN, b"OPTIONS") + INNER),
    ("DELETE with a body", get(HIDDEN, b"DELETE") + INNER),
    ("bytes behind a close", get(b"Connection: close\r\n", target=PAGE) + INNER),
    ("a close in a list", get(b"Connection: x, Close\r\n", target=PAGE) + INNER),
    ("a body behind a close", get(b"Connection: close\r\nContent-Length: 3\r\n", POST) + b"abcdef"),
    ("an upgrade", get(b"Connection: upgrade\r\nUpgrade: h2c\r\n", target=PAGE) + INNER),
    ("an upgrade to a WebSocket", get(b"Connection: upgrade\r\nUpgrade: websocket\r\n") + INNER),
    ("CONNECT", b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n" + INNER),
    ("a body that is expected", get(b"Expect: 100-continue\r\n" + HIDDEN, POST) + INNER + INNER),
    ("a body that is too long", get(b"Content-Length: 2000\r\n", POST) + INNER * 100),
    ("a body that is too long, in chunks", chunked(b"7d0\r\n" + INNER * 100)),
    ("a body that never ends", get(b"Content-Length: 900\r\n", POST) + INNER),
    ("chunks that never end", chunked(b"3\r\nabc\r\n")),
]  # fmt: skip
"""A name, and what is sent."""
UNFINISHED: Final = {
    "a body that never ends",
    "chunks that never end",
    "a length of b'999999999'",
    *(name for name, _, _ in BODIES),
}
"""Those whose body a proxy may begin to send on before it finds that it is wrong, or has no end."""
