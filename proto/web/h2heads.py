"""The fields of an HTTP/2 request (RFC 9113, section 8) -> what HTTP/1.1 would have said.

What is refused here is answered on its own stream: the others of the connection go on.  No twisted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from h2.exceptions import ProtocolError
from h2.utilities import HeaderValidationFlags, validate_headers

from proto.web.h2state import MAX_HEADER_LIST
from proto.web.http1 import FIELDS, LENGTH_DIGITS, LINE_BYTES
from proto.web.response import KNOWN_METHODS, HTTPError, refusal_of

_OVERHEAD: Final = 32  # RFC 9113, 6.5.2

Field = tuple[bytes, bytes]

# Those of WebDAV too (RFC 4918, 9): where there is none, whoever answers for the path refuses them.
_METHODS: Final = KNOWN_METHODS | frozenset(
    {"COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "UNLOCK"}
)
_FLAGS: Final = HeaderValidationFlags(
    is_client=False, is_trailer=False, is_response_header=False, is_push_promise=False
)
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_TARGET: Final = re.compile(rb"[\x00-\x20\x7f]")
_AUTHORITY: Final = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?"
)
_NEVER_TRAILERS: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request before its body; `fields` begin with Host, and `length` is None if unknown."""

    method: bytes
    target: bytes
    fields: Sequence[Field]
    length: int | None
    expects_continue: bool


def request_line(headers: Iterable[Field]) -> tuple[bytes, bytes]:
    """Method and target for the access log, of whatever came."""
    found = {name: value for name, value in headers if name.startswith(b":")}
    target = found.get(b":path") or found.get(b":authority") or b"-"
    return found.get(b":method") or b"-", target[:LINE_BYTES]


def parse_head(headers: Sequence[Field], ended: bool) -> RequestHead:
    """Check a request's fields; `ended` tells that no body follows.

    Raises:
        HTTPError: 400 malformed, 405 CONNECT, 414 or 431 too large, 417, 501 unknown method.
    """
    _bound(headers)
    try:
        for _ in validate_headers(headers, _FLAGS):
            pass
    except ProtocolError as error:
        raise HTTPError(400, "The fields of the request are malformed.") from error
    pseudo: dict[bytes, bytes] = {}
    fields: list[Field] = []
    for name, value in headers:
        if name.startswith(b":"):
            pseudo[name] = value
        elif name != b"host":
            fields.append((name, value))
        else:
            pseudo.setdefault(b":authority", value)
    _check_pseudo(pseudo)
    _check_fields(fields)
    length = _length_of(fields, ended)
    return RequestHead(
        pseudo[b":method"],
        pseudo[b":path"],
        [(b"host", pseudo[b":authority"]), *fields],
        length,
        _expectation(fields),
    )


def check_trailers(headers: Iterable[Field]) -> None:
    """Refuse trailers that would change what the request is; the others are dropped.

    Raises:
        HTTPError: 400.
    """
    for name, _ in headers:
        if name.startswith(b":") or name in _NEVER_TRAILERS:
            raise HTTPError(400, "A trailer must not say what the head says.")


def _bound(headers: Sequence[Field]) -> None:
    if len(headers) > FIELDS:
        raise HTTPError(431, f"A request may have {FIELDS} fields.")
    total = 0
    for name, value in headers:
        size = len(name) + len(value)
        if name == b":path":
            if len(value) > LINE_BYTES:
                raise HTTPError(414, f"A request's target may have {LINE_BYTES} bytes.")
        elif size > LINE_BYTES:
            raise HTTPError(431, f"A field may have {LINE_BYTES} bytes.")
        total += size + _OVERHEAD
    if total > MAX_HEADER_LIST:
        raise HTTPError(431, f"All fields together may have {MAX_HEADER_LIST} bytes.")


def _check_pseudo(pseudo: dict[bytes, bytes]) -> None:
    method = pseudo[b":method"]
    if method == b"CONNECT":
        raise refusal_of("CONNECT", ("GET", "HEAD", "OPTIONS"))
    if not _NAME.fullmatch(method.lower()):
        raise HTTPError(400, "The method is malformed.")
    name = method.decode("ascii")
    if name not in _METHODS:
        raise refusal_of(name, ())
    target = pseudo[b":path"]
    is_of_server = target == b"*" and method == b"OPTIONS"
    if _NOT_IN_TARGET.search(target) or not (target.startswith(b"/") or is_of_server):
        raise HTTPError(400, "The request target must begin with a slash.")
    if pseudo[b":scheme"] not in (b"http", b"https"):
        raise HTTPError(400, "The scheme must be http or https.")
    if not _AUTHORITY.fullmatch(pseudo[b":authority"]):
        raise HTTPError(400, "The host is malformed.")


def _check_fields(fields: Iterable[Field]) -> None:
    for name, value in fields:
        if not _NAME.fullmatch(name):
            raise HTTPError(400, "The name of a field is malformed.")
        if _CONTROL.search(value):
            raise HTTPError(400, "A field must not have control characters.")


def _length_of(fields: Iterable[Field], ended: bool) -> int | None:
    told = [value for name, value in fields if name == b"content-length"]
    if not told:
        return 0 if ended else None
    text = told[0]
    if len(told) > 1 or not re.fullmatch(rb"[0-9]+", text) or len(text) > LENGTH_DIGITS:
        raise HTTPError(400, "Content-Length must be one number.")
    length = int(text)
    if ended and length:
        raise HTTPError(400, "The body is shorter than Content-Length says.")
    return length


def _expectation(fields: Iterable[Field]) -> bool:
    told = [value.lower() for name, value in fields if name == b"expect"]
    if any(value != b"100-continue" for value in told):
        raise HTTPError(417, "Only 100-continue can be expected here.")
    return bool(told)
