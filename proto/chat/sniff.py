"""Who is there?  Told from the first bytes, before a word is said.

A TLS client and a web browser that came to the plain port get a short answer in their own
protocol, and nobody in the room hears of them.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

LONGEST_REQUEST_LINE: Final = 2048

_METHODS: Final = (
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
    b"PRI ",
)
_REQUEST_LINE: Final = re.compile(rb"[A-Z]+ [^ ]+ HTTP/[0-9]\.[0-9]\r?\n")
_TLS: Final = b"\x16\x03"


class Caller(Enum):
    """What the first bytes say about who sent them."""

    UNDECIDED = "undecided"
    PERSON = "person"
    TLS = "tls"
    HTTP = "http"


def sniff(opening: bytes) -> Caller:
    """Decide as early as these bytes allow; more of them never revise a decision."""
    if opening.startswith(_TLS):
        return Caller.TLS
    if _TLS.startswith(opening):
        return Caller.UNDECIDED
    if any(method.startswith(opening) for method in _METHODS):
        return Caller.UNDECIDED
    if not opening.startswith(_METHODS):
        return Caller.PERSON
    if _REQUEST_LINE.match(opening[:LONGEST_REQUEST_LINE]):
        return Caller.HTTP
    whole = b"\n" in opening or len(opening) >= LONGEST_REQUEST_LINE
    return Caller.PERSON if whole else Caller.UNDECIDED


_EXPLANATION: Final = (
    b"This is a chat for telnet and netcat, not a web server.\n"
    b"Try: telnet HOST PORT, with the host and port of this address.\n"
)

ANSWERS: Final = {
    # RFC 8446, section 6: a record of type alert; level fatal, description protocol_version.
    Caller.TLS: b"\x15\x03\x01\x00\x02\x02\x46",
    Caller.HTTP: (
        b"HTTP/1.1 400 Bad Request\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: %d\r\n"
        b"Connection: close\r\n"
        b"\r\n" % len(_EXPLANATION)
    )
    + _EXPLANATION,
}
