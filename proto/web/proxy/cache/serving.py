"""What is kept -> the answer to a request: whole, a part of it, or that it has not changed.

Values in, a Reply out.  Knows no store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from proto.web.conditional import Conditions, Validators, Verdict, judge, range_still_fits
from proto.web.proxy.cache.directives import values_of
from proto.web.proxy.cache.entry import Entry
from proto.web.proxy.cache.freshness import date_of
from proto.web.proxy.cache.wanted import Wanted
from proto.web.proxy.messages import Ask, Reply
from proto.web.ranges import Span, Unsatisfiable, parse_ranges
from proto.web.response import phrase_of

# A 304 repeats these (RFC 9110 section 15.4.5), and whatever says how to use what one has.
_OF_NOT_MODIFIED: Final = frozenset(
    {
        b"age",
        b"cache-control",
        b"cache-status",
        b"content-location",
        b"date",
        b"etag",
        b"expires",
        b"last-modified",
        b"vary",
        b"via",
    }
)

FieldList = list[tuple[bytes, bytes]]


async def one(body: bytes) -> AsyncIterator[bytes]:
    """A body that is here already."""
    if body:
        yield body


def answer_from(entry: Entry, ask: Ask, wanted: Wanted, now: float, status: bytes) -> Reply:
    """The answer to a GET or HEAD out of what is kept; `status` is ours in Cache-Status."""
    told = [*entry.fields, (b"Age", b"%d" % entry.age(now)), (b"Cache-Status", status)]
    if entry.status == 200 and wanted.is_conditional and _is_unchanged(entry, ask, now):
        kept = [field for field in told if field[0].lower() in _OF_NOT_MODIFIED]
        return Reply(304, b"Not Modified", kept)
    if ask.method == b"HEAD":
        return Reply(entry.status, entry.reason, _with_length(told, entry))
    if entry.status == 200 and wanted.is_partial:
        part = _part(entry, ask, told, now)
        if part is not None:
            return part
    return Reply(entry.status, entry.reason, _with_length(told, entry), one(entry.body))


def _is_unchanged(entry: Entry, ask: Ask, now: float) -> bool:
    asked = _conditions(ask)
    return judge("GET", asked, _validators(entry), now) is Verdict.NOT_MODIFIED


def _part(entry: Entry, ask: Ask, told: FieldList, now: float) -> Reply | None:
    """One range of it, or 416; None when the whole is the better answer (RFC 9110 14.2)."""
    ranges = values_of(ask.fields, b"range")
    if len(ranges) != 1 or not _range_fits(entry, ask, now):
        return None
    size = len(entry.body)
    try:
        spans = parse_ranges(ranges[0].decode("latin-1"), size)
    except Unsatisfiable:
        kept = [field for field in told if not field[0].lower().startswith(b"content-")]
        kept += [(b"Content-Range", b"bytes */%d" % size), (b"Content-Length", b"0")]
        return Reply(416, phrase_of(416).encode(), kept)
    if spans is None or len(spans) != 1:
        return None
    (span,) = spans
    kept = [f for f in told if f[0].lower() not in (b"content-length", b"content-range")]
    kept += [
        (b"Content-Range", span.content_range(size).encode()),
        (b"Content-Length", b"%d" % span.length),
    ]
    return Reply(206, b"Partial Content", kept, one(_cut(entry.body, span)))


def _cut(body: bytes, span: Span) -> bytes:
    return body[span.start : span.start + span.length]


def _range_fits(entry: Entry, ask: Ask, now: float) -> bool:
    """Only a strong validator tells that the part belongs to what the client has."""
    asked = _conditions(ask)
    have = _validators(entry, fallback=False)
    if asked.if_range.startswith('"') and entry.value(b"etag").startswith(b"W/"):
        return False
    return range_still_fits(asked, have, min(now, entry.got_at))


def _conditions(ask: Ask) -> Conditions:
    """Those that a cache looks at."""

    def value(name: bytes) -> str:
        return b", ".join(values_of(ask.fields, name)).decode("latin-1")

    return Conditions(
        if_none_match=value(b"if-none-match"),
        if_modified_since=value(b"if-modified-since"),
        if_range=value(b"if-range"),
    )


def _validators(entry: Entry, *, fallback: bool = True) -> Validators:
    """Without Last-Modified, Date stands for it (RFC 9111 section 4.3.2)."""
    modified = date_of(entry.value(b"last-modified"), entry.got_at)
    if modified is None and fallback:
        modified = date_of(entry.value(b"date"), entry.got_at)
        modified = int(entry.got_at) if modified is None else modified
    etag = entry.value(b"etag").decode("latin-1").removeprefix("W/")
    return Validators(etag, -1 if modified is None else modified)


def _with_length(told: FieldList, entry: Entry) -> FieldList:
    """The whole is here, so its length is known; 204 has none (RFC 9110 section 8.6)."""
    if entry.status == 204 or any(name.lower() == b"content-length" for name, _ in told):
        return told
    return [*told, (b"Content-Length", b"%d" % len(entry.body))]
