from __future__ import annotations

import pytest

from proto.web.proxy.cache.entry import Entry, Terms
from proto.web.proxy.cache.storable import Head, entry_of
from proto.web.proxy.cache.validation import (
    can_be_validated,
    confirmed,
    is_confirmed,
    is_outdated,
    refreshed,
    validating,
    whole,
)
from proto.web.proxy.cache.wanted import Wanted
from tests.web.proxy.cache.origin import DATE, HOUR_AGO, IN_A_MINUTE, NOW, ask, lines


def entry(*fields: str) -> Entry:
    return Entry(200, b"OK", tuple(lines(*fields)), b"hello", NOW - 100, 0, Terms(60))


def renewed(stored: list[str], told: list[str]) -> dict[bytes, bytes]:
    """The fields after a 304 that came now."""
    head = confirmed(entry(*stored), Head(304, b"", lines(*told), NOW, NOW))
    assert head.status == 200
    return dict(head.fields)


def test_a_request_is_made_conditional_on_what_is_kept() -> None:
    asked = ask('If-None-Match: "mine"', "Range: bytes=0-1", 'If-Range: "x"', "Accept: a")
    kept = entry('ETag: W/"a"', f"Last-Modified: {HOUR_AGO}")
    fields = validating(asked, kept).fields
    assert list(fields) == lines(
        "Host: a.test", "Accept: a", 'If-None-Match: W/"a"', f"If-Modified-Since: {HOUR_AGO}"
    )


def test_a_whole_request_stays_as_it_is() -> None:
    plain = ask("Accept: a")
    assert whole(plain) is plain
    assert list(whole(ask("Range: bytes=0-1", "If-Modified-Since: x")).fields) == lines(
        "Host: a.test"
    )


def test_what_has_no_validator_cannot_be_validated() -> None:
    assert can_be_validated(entry('ETag: "a"'))
    assert can_be_validated(entry(f"Last-Modified: {HOUR_AGO}"))
    assert not can_be_validated(entry(f"Date: {DATE}"))


@pytest.mark.parametrize(
    ("stored", "told", "expected"),
    [
        (['ETag: "a"'], ['ETag: "a"'], True),
        (['ETag: "a"'], ['ETag: W/"a"'], True),
        (['ETag: "a"'], ['ETag: "b"'], False),
        ([f"Last-Modified: {HOUR_AGO}"], ['ETag: "b"'], False),
        (['ETag: "a"'], [], True),
        ([f"Last-Modified: {HOUR_AGO}"], [f"Last-Modified: {HOUR_AGO}"], True),
        ([f"Last-Modified: {HOUR_AGO}"], [f"Last-Modified: {DATE}"], False),
    ],
)
def test_a_304_is_about_what_it_names(stored: list[str], told: list[str], expected: bool) -> None:
    assert is_confirmed(entry(*stored), lines(*told)) is expected


@pytest.mark.parametrize(
    "name",
    [
        "Test-Header",
        "X-Test-Header",
        "Content-Foo",
        "Cache-Control",
        "Content-Location",
        "Content-Security-Policy",
        "Content-Type",
        "Expires",
        "X-Frame-Options",
    ],
)
def test_a_304_brings_fields_up_to_date(name: str) -> None:
    assert renewed([f"{name}: old"], [f"{name.lower()}: new"])[name.lower().encode()] == b"new"
    assert renewed([f"{name}: old"], [])[name.encode()] == b"old"


@pytest.mark.parametrize("name", ["Content-Length", "Content-Encoding", "Content-Range"])
def test_a_304_does_not_change_what_describes_the_body(name: str) -> None:
    assert renewed([f"{name}: old"], [f"{name}: new"])[name.encode()] == b"old"


def test_a_304_brings_no_field_of_its_connection() -> None:
    assert renewed(["A: old"], ["Connection: b", "B: 1", "Keep-Alive: x"]) == {
        b"A": b"old",
        b"Date": DATE.encode(),
    }


def test_what_was_confirmed_is_as_old_as_the_304() -> None:
    kept = entry(f"Date: {HOUR_AGO}", "Cache-Control: max-age=60")
    head = confirmed(kept, Head(304, b"", lines("Age: 5"), NOW, NOW))
    found = entry_of(head, Wanted())
    assert found is not None
    assert found.initial_age == 5
    assert found.remaining(NOW) == 55
    dated = Head(304, b"", lines("Date: Tue, 14 Nov 2023 22:13:00 GMT"), NOW, NOW)
    assert refreshed(kept, confirmed(kept, dated)).initial_age == 20


def test_what_may_be_kept_no_longer_is_answered_once() -> None:
    kept = entry("Cache-Control: max-age=60", 'ETag: "a"')
    head = confirmed(
        kept, Head(304, b"", lines("Cache-Control: private", "Set-Cookie: a=b"), NOW, NOW)
    )
    assert entry_of(head, Wanted()) is None
    shown = refreshed(kept, head)
    assert shown.body == b"hello"
    assert shown.value(b"set-cookie") == b"a=b"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([], False),
        (['ETag: "a"', f"Last-Modified: {HOUR_AGO}", "Content-Length: 5"], False),
        (['ETag: "b"'], True),
        ([f"Last-Modified: {IN_A_MINUTE}"], True),
        (["Content-Length: 6"], True),
    ],
)
def test_a_head_tells_of_another_answer(told: list[str], expected: bool) -> None:
    kept = entry('ETag: "a"', f"Last-Modified: {HOUR_AGO}", "Content-Length: 5")
    assert is_outdated(kept, lines(*told)) is expected
