"""The head of an answer with a representation, and the pieces of its body.

Values in, values out: preconditions, ranges and the fields of the head meet here; no request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from proto.web.conditional import Conditions, Validators, Verdict, judge, range_still_fits
from proto.web.encodings import IDENTITY
from proto.web.ranges import Piece, Span, Unsatisfiable, multipart, parse_ranges
from proto.web.representation import Representation
from proto.web.response import HTTPError, Response


def answer_without_body(
    representation: Representation, verb: str, header: Callable[[str], str], now: float
) -> Response | None:
    """The 304, if that is what the preconditions of the request come to.

    Raises:
        HTTPError: 412 when one fails.
    """
    return _judge(
        representation, verb, Conditions.read(header), representation.validators(now), now
    )


def answer_with(
    representation: Representation,
    size: int,
    verb: str,
    header: Callable[[str], str],
    now: float,
) -> tuple[Response, tuple[Piece, ...]]:
    """Answer GET or HEAD with a representation that has `size` bytes.

    `header` gives the value of a field of the request, or an empty string.

    Raises:
        HTTPError: 412 when a precondition fails, 416 when no range lies in the file.
    """
    asked, have = Conditions.read(header), representation.validators(now)
    unchanged = _judge(representation, verb, asked, have, now)
    if unchanged is not None:
        return unchanged, ()
    headers = representation.fields(have)
    kind = representation.content_type
    if representation.coding != IDENTITY:
        headers.append(("Content-Encoding", representation.coding))
    spans = None
    if verb == "GET" and range_still_fits(asked, have, now):
        try:
            spans = parse_ranges(header("Range"), size)
        except Unsatisfiable:
            raise HTTPError(416, headers=[("Content-Range", f"bytes */{size}")]) from None
    if spans is None:
        whole = (Span(0, size),) if size else ()
        return Response(200, content_type=kind, headers=headers), whole
    if len(spans) == 1:
        headers.append(("Content-Range", spans[0].content_range(size)))
        return Response(206, content_type=kind, headers=headers), spans
    boundary = secrets.token_hex(16)
    pieces = multipart(spans, size, kind, boundary)
    kind = f"multipart/byteranges; boundary={boundary}"
    return Response(206, content_type=kind, headers=headers), pieces


def _judge(
    representation: Representation, verb: str, asked: Conditions, have: Validators, now: float
) -> Response | None:
    verdict = judge(verb, asked, have, now)
    if verdict is Verdict.FAILED:
        raise HTTPError(412)
    if verdict is Verdict.NOT_MODIFIED:
        return Response(304, headers=representation.fields(have))
    return None


def cut(body: bytes, pieces: tuple[Piece, ...]) -> bytes:
    """The pieces, their spans taken from a body that is in memory."""
    return b"".join(
        piece if isinstance(piece, bytes) else body[piece.start : piece.start + piece.length]
        for piece in pieces
    )
