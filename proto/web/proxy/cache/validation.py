"""Asking the origin whether what is kept still holds, and what a 304 changes.

RFC 9111 section 4.3.  Values in, values out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from proto.web.dates import http_date
from proto.web.proxy.cache.directives import parse_directives, values_of
from proto.web.proxy.cache.entry import Entry
from proto.web.proxy.cache.freshness import MOST_HEURISTIC, initial_age
from proto.web.proxy.cache.storable import Head, kept_fields, terms_of
from proto.web.proxy.cache.wanted import CONDITIONS, PARTIAL
from proto.web.proxy.messages import Ask, Fields

# What describes the bytes that are kept; a 304 has none, and cannot change them (section 3.2).
_OF_THE_BODY: Final = frozenset({b"content-encoding", b"content-length", b"content-range"})


def whole(ask: Ask) -> Ask:
    """The same request without conditions and ranges."""
    unwanted = CONDITIONS | PARTIAL
    if not any(name.lower() in unwanted for name, _ in ask.fields):
        return ask
    kept = [field for field in ask.fields if field[0].lower() not in unwanted]
    return replace(ask, fields=kept)


def validating(ask: Ask, entry: Entry) -> Ask:
    """A request for the same, on the condition that what is kept no longer holds."""
    fields = list(whole(ask).fields)
    if etag := entry.value(b"etag"):
        fields.append((b"If-None-Match", etag))
    if modified := entry.value(b"last-modified"):
        fields.append((b"If-Modified-Since", modified))
    return replace(ask, fields=fields)


def can_be_validated(entry: Entry) -> bool:
    """Whether it has anything by which the origin can tell it."""
    return bool(entry.value(b"etag") or entry.value(b"last-modified"))


def is_confirmed(entry: Entry, fields: Fields) -> bool:
    """Whether a 304 with these fields is about what is kept (section 4.3.4)."""
    etags = values_of(fields, b"etag")
    if etags:
        return _opaque(etags[0]) == _opaque(entry.value(b"etag"))
    dates = values_of(fields, b"last-modified")
    return not dates or dates[0] == entry.value(b"last-modified")


def confirmed(entry: Entry, head: Head) -> Head:
    """The head of the answer that is kept, brought up to date by that of a 304 (section 3.2).

    What may be kept of it is for `storable` to say.
    """
    said = parse_directives(values_of(head.fields, b"cache-control"))
    news = [
        (name, value)
        for name, value in kept_fields(head.fields, said)
        if name.lower() not in _OF_THE_BODY
    ]
    replaced = {name.lower() for name, _ in news}
    old = [field for field in entry.fields if field[0].lower() not in replaced]
    if b"date" not in replaced:  # the old one would make it as old as before
        old = [field for field in old if field[0].lower() != b"date"]
        news.append((b"Date", http_date(head.got_at).encode()))
    ages = [field for field in head.fields if field[0].lower() == b"age"]
    fields = (*old, *news, *ages)
    return Head(entry.status, entry.reason, fields, head.asked_at, head.got_at)


def refreshed(entry: Entry, head: Head, *, most_heuristic: int = MOST_HEURISTIC) -> Entry:
    """An answer that was found to hold, though it may not be kept any longer; `head` is of both."""
    said = parse_directives(values_of(head.fields, b"cache-control"))
    return msgspec.structs.replace(
        entry,
        fields=kept_fields(head.fields, said),
        got_at=head.got_at,
        initial_age=initial_age(head.fields, head.asked_at, head.got_at),
        terms=terms_of(head.status, head.fields, said, head.got_at, most_heuristic),
    )


def is_outdated(entry: Entry, fields: Fields) -> bool:
    """Whether a 200 to a HEAD, with these fields, tells of another answer (section 4.3.5)."""
    for name in (b"etag", b"last-modified", b"content-length"):
        values = values_of(fields, name)
        if values and values[0] != entry.value(name):
            return True
    return False


def _opaque(etag: bytes) -> bytes:
    """Weak or strong: a 304 is about the same (RFC 9110 section 8.8.3.2)."""
    return etag.removeprefix(b"W/")
