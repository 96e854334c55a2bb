"""What HTTP/1.1 refuses, as data: each row is a name, the bytes, and the status of the answer.

The connection closes after each of them.  Both the parser and a real server are held to it.
"""

from __future__ import annotations

from typing import Final

Row = tuple[str, bytes, int]


def get(fields: bytes, method: bytes = b"GET", target: bytes = b"/") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n"


def _lines(*lines: bytes) -> bytes:
    return b"\r\n".join((*lines, b"", b""))


_HEADS: Final[list[Row]] = [
    # the request line
    ("a URL over 8 KiB", get(b"", target=b"/" + b"x" * 8192), 414),
    ("a request line without an end", b"GET /" + b"x" * 9000, 414),
    ("HTTP/2.0", _lines(b"GET / HTTP/2.0", b"Host: x"), 505),
    ("HTTP/1.2", _lines(b"GET / HTTP/1.2", b"Host: x"), 505),
    ("HTTP/2 without being asked", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("HTTP/0.9", b"GET /\r\n", 400),
    ("HTTP/0.9 by name", _lines(b"GET / HTTP/0.9", b"Host: x"), 400),
    ("a version of four digits", _lines(b"GET / HTTP/1.1000", b"Host: x"), 400),
    ("a version in small letters", _lines(b"GET / http/1.1", b"Host: x"), 400),
    ("no version", _lines(b"GET / HTTP/", b"Host: x"), 400),
    ("two spaces before the target", _lines(b"GET  / HTTP/1.1", b"Host: x"), 400),
    ("two spaces before the version", _lines(b"GET /  HTTP/1.1", b"Host: x"), 400),
    ("a space behind the version", _lines(b"GET / HTTP/1.1 ", b"Host: x"), 400),
    ("a space before the method", _lines(b" GET / HTTP/1.1", b"Host: x"), 400),
    ("a tab in the request line", _lines(b"GET\t/ HTTP/1.1", b"Host: x"), 400),
    ("a space in the target", _lines(b"GET /a b HTTP/1.1", b"Host: x"), 400),
    ("a form feed in the target", _lines(b"GET /\x0c HTTP/1.1", b"Host: x"), 400),
    ("DEL in the target", _lines(b"GET /\x7f HTTP/1.1", b"Host: x"), 400),
    ("a target without a slash", get(b"", target=b"foo"), 400),
    ("a method that is none", get(b"", method=b"G@T"), 400),
    ("no words at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("many empty lines", b"\r\n" * 9, 400),
    # line ends
    ("bare LF in the request line", b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
    ("bare LF everywhere", b"GET / HTTP/1.1\nHost: x\n\n", 400),
    ("bare LF in a field", get(b"A: b\nC: d\r\n"), 400),
    ("bare CR in a field", get(b"A: b\rC: d\r\n"), 400),
    ("bare CR as a line", b"GET / HTTP/1.1\r\nHost: x\r\n\rA: b\r\n\r\n", 400),
    ("NUL in a field", get(b"A: \0\r\n"), 400),
    ("NUL in a name", get(b"A\0: b\r\n"), 400),
    # fields
    ("a field over 8 KiB", get(b"A: " + b"x" * 8190 + b"\r\n"), 431),
    ("a field without an end", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 9000, 431),
    (
        "over 32 KiB of fields",
        get(b"A: " + b"x" * 8000 + b"\r\n" + (b"B: " + b"x" * 8000 + b"\r\n") * 4),
        431,
    ),
    ("over 100 fields", get(b"A: b\r\n" * 100), 431),
    ("obs-fold", get(b"A: b\r\n c\r\n"), 400),
    ("obs-fold with a tab", get(b"A: b\r\n\tc\r\n"), 400),
    ("obs-fold at once", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    ("a space before the colon", get(b"A : b\r\n"), 400),
    ("a name with a space", get(b"A b: c\r\n"), 400),
    ("no name", get(b": b\r\n"), 400),
    ("no colon", get(b"A\r\n"), 400),
    ("BEL in a value", get(b"A: \a\r\n"), 400),
    ("DEL in a value", get(b"A: \x7f\r\n"), 400),
    ("a vertical tab in a value", get(b"A: b\x0bc\r\n"), 400),
    ("a name that is not ASCII", get(b"\xe4: b\r\n"), 400),
    # Host
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", get(b"Host: x\r\n"), 400),
    ("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n", 400),
    *(
        (f"a Host that is {host!r}", b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", 400)
        for host in (
            *(b"", b"a b", b"a/b", b"a@b", b"a:b", b"a:1:2", b"a:65536", b"a:123456", b"[::1"),
            *(b"[::g]", b"::1", b"a, b", b"%zz", b"\xe4", b"a?b", b"http://a", b"[]", b":80"),
        )
    ),
    ("an absolute target without a host", get(b"", target=b"http:///x"), 400),
    ("an absolute target with a user", get(b"", target=b"http://me@x/"), 400),
    # Expect
    ("an expectation we do not know", get(b"Expect: 200-ok\r\n"), 417),
    ("more than one expectation", get(b"Expect: 100-continue, x\r\n"), 417),
]

_CODING: Final = b"Transfer-Encoding: chunked\r\n"
_LENGTH: Final = b"Content-Length: 3\r\n"
_FRAMINGS: Final = [
    ("a length and a coding", _LENGTH + _CODING, 400),
    ("a coding and a length", _CODING + _LENGTH, 400),
    ("two lengths", _LENGTH + b"Content-Length: 4\r\n", 400),
    ("the same length twice", _LENGTH + _LENGTH, 400),
    *(
        (f"a length of {length[:9]!r}", b"Content-Length: " + length + b"\r\n", 400)
        for length in (
            *(b"+3", b"-3", b"3, 3", b"3,4", b"x", b"0x3", b"3.0", b"", b"3 3", b"\xb2"),
            *(b"9" * 19, b"9" * 5000, b"1_0"),
        )
    ),
    ("a space before the length's colon", b"Content-Length : 3\r\n", 400),
    ("a space before the coding's colon", b"Transfer-Encoding : chunked\r\n", 400),
    ("a coding behind a fold", b"Transfer-Encoding:\r\n chunked\r\n", 400),
    ("two codings in two lines", _CODING + b"Transfer-Encoding: gzip\r\n", 400),
    ("the same coding twice", _CODING + _CODING, 400),
    ("two codings, the unknown first", b"Transfer-Encoding: gzip\r\n" + _CODING, 400),
    ("chunked twice", b"Transfer-Encoding: chunked, chunked\r\n", 400),
    ("an empty coding", b"Transfer-Encoding:\r\n", 400),
    ("a coding with a parameter", b"Transfer-Encoding: chunked;a=b\r\n", 400),
    ("a coding in quotes", b'Transfer-Encoding: "chunked"\r\n', 400),
    ("a coding behind a vertical tab", b"Transfer-Encoding: \x0bchunked\r\n", 400),
    ("an unknown coding", b"Transfer-Encoding: gzip\r\n", 501),
    ("gzip and chunks", b"Transfer-Encoding: gzip, chunked\r\n", 501),
    ("chunks and gzip", b"Transfer-Encoding: chunked, gzip\r\n", 400),
    ("nearly chunked", b"Transfer-Encoding: xchunked\r\n", 501),
    ("identity", b"Transfer-Encoding: identity\r\n", 501),
    ("identity and a length", b"Transfer-Encoding: identity\r\n" + _LENGTH, 400),
]

_CHUNKS: Final = [
    ("a size that is none", b"x\r\n", 400),
    ("a size of 0x3", b"0x3\r\nabc\r\n", 400),
    ("a signed size", b"+3\r\nabc\r\n", 400),
    ("a negative size", b"-3\r\nabc\r\n", 400),
    ("a size of 64 bits", b"F" * 16 + b"\r\n", 400),
    ("no size", b"\r\n3\r\nabc\r\n", 400),
    ("a space behind the size", b"3 \r\nabc\r\n", 400),
    ("a space before the size", b" 3\r\nabc\r\n", 400),
    ("a bare LF behind the size", b"3\nabc\r\n", 400),
    ("a bare CR behind the size", b"3\rabc\r\n", 400),
    ("a bare LF in an extension", b"3;a\nabc\r\n", 400),
    ("a bare CR in an extension", b"3;a\rb\r\nabc\r\n", 400),
    ("NUL in an extension", b"3;\0\r\nabc\r\n", 400),
    ("a line end in a quoted extension", b'3;a="\r\n"\r\nabc\r\n', 400),
    ("a chunk that is too long", b"3\r\nabcd\r\n", 400),
    ("a bare LF behind a chunk", b"3\r\nabc\n0\r\n", 400),
    ("a bare CR behind a chunk", b"3\r\nabc\r0\r\n", 400),
    ("nothing behind a chunk", b"3\r\nabc0\r\n\r\n", 400),
    ("an endless size line", b"3;" + b"x" * 9000, 400),
    ("too many extensions", (b"1;" + b"x" * 5000 + b"\r\na\r\n") * 4, 400),
    ("a bare LF as the last line", b"0\r\n\n", 400),
    ("a trailer named Host", b"0\r\nHost: y\r\n\r\n", 400),
    ("a trailer named Content-Length", b"0\r\nContent-Length: 3\r\n\r\n", 400),
    ("a trailer named Transfer-Encoding", b"0\r\ntransfer-encoding: chunked\r\n\r\n", 400),
    ("a folded trailer", b"0\r\nA: b\r\n c\r\n\r\n", 400),
    ("a trailer with a space before its colon", b"0\r\nHost : b\r\n\r\n", 400),
    ("a trailer with a bare LF", b"0\r\nA: b\nHost: c\r\n\r\n", 400),
    ("a trailer with a bare CR", b"0\r\nA: b\rHost: c\r\n\r\n", 400),
    ("a trailer with BEL", b"0\r\nA: \a\r\n\r\n", 400),
    ("too many trailers", b"0\r\n" + (b"A: " + b"x" * 4000 + b"\r\n") * 3, 431),
]  # fmt: skip

HEADS: Final[list[Row]] = [
    *_HEADS,
    *((name, get(fields, b"POST"), status) for name, fields, status in _FRAMINGS),
    ("a coding in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: x\r\n" + _CODING + b"\r\n", 400),
]
"""Refused when, or before, the head is whole."""

BODIES: Final[list[Row]] = [
    (f"{name}, in chunks", get(_CODING, b"POST") + body, status) for name, body, status in _CHUNKS
]
"""Refused in the body."""

CHUNKS: Final = _CHUNKS
"""The same bodies without their heads."""
