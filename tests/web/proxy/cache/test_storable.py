from __future__ import annotations

import pytest

from proto.web.proxy.cache.entry import Entry, Terms
from proto.web.proxy.cache.storable import MOST_FIELDS, Head, entry_of
from proto.web.proxy.cache.wanted import Wanted
from tests.web.proxy.cache.origin import DATE, HOUR_AGO, NOW, lines

ANY = Wanted()
FRESH = "Cache-Control: max-age=60"
AUTHORIZED = Wanted(is_authorized=True)


def kept(*fields: str, status: int = 200, wanted: Wanted = ANY) -> Entry | None:
    return entry_of(Head(status, b"OK", lines(*fields), NOW, NOW), wanted)


@pytest.mark.parametrize(
    "fields",
    [
        [FRESH],
        ["Cache-Control: s-maxage=60"],
        ["Expires: Tue, 14 Nov 2023 23:13:20 GMT"],
        [f"Last-Modified: {HOUR_AGO}"],
        ["Cache-Control: max-age=60, must-revalidate"],
        ["Cache-Control: max-age=60, unknown, extension=5"],
        ['ETag: "a"'],
        ["Cache-Control: no-cache", 'ETag: "a"'],
        ["Cache-Control: max-age=0", 'ETag: W/"a"'],
        ["Cache-Control: max-age=0, stale-while-revalidate=60"],
        ["Cache-Control: max-age=0, stale-if-error=60"],
        ["Cache-Control: max-age=60, no-store, must-understand"],
        ['Cache-Control: max-age=60, private="x-secret"'],
        [FRESH, "Pragma: no-cache"],
        [FRESH, "Vary: Accept"],
        [FRESH, "Content-Disposition: attachment"],
    ],
)
def test_what_may_be_kept(fields: list[str]) -> None:
    assert kept(*fields) is not None


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["Cache-Control: public"],
        ["Cache-Control: max-age=0"],
        ["Cache-Control: max-age=60", "Age: 60"],
        ["Cache-Control: no-store"],
        ["Cache-Control: nO-StOrE, max-age=60"],
        ["Cache-Control: max-age=60", "Cache-Control: no-store"],
        ["Cache-Control: private, max-age=60"],
        ["Cache-Control: private, private=x-secret, max-age=60"],
        ["Cache-Control: max-age=60, no-cache"],
        ["Cache-Control: s-maxage=0, stale-while-revalidate=60"],
        ["Expires: 0"],
        [FRESH, "Vary: *"],
        [FRESH, "Vary: Accept, *"],
        [FRESH, "Set-Cookie: a=b"],
        ["Cache-Control: public, s-maxage=60", "Set-Cookie: a=b"],
        [FRESH, f"X-Long: {'x' * MOST_FIELDS}"],
    ],
)
def test_what_may_not_be_kept_or_is_of_no_use(fields: list[str]) -> None:
    assert kept(*fields) is None


@pytest.mark.parametrize("status", [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 403, 404])
def test_any_final_answer_that_says_how_long_it_is_fresh_is_kept(status: int) -> None:
    assert kept(FRESH, status=status) is not None


@pytest.mark.parametrize("status", [405, 410, 499, 500, 502, 503, 504, 599])
def test_so_is_one_that_tells_of_a_failure(status: int) -> None:
    assert kept(FRESH, status=status) is not None


@pytest.mark.parametrize("status", [100, 101, 103, 206, 304, 412, 416])
def test_a_part_of_an_answer_is_never_kept(status: int) -> None:
    assert kept(FRESH, status=status) is None


@pytest.mark.parametrize("status", [201, 302, 403, 503])
def test_without_a_word_only_some_are_kept(status: int) -> None:
    assert kept(f"Last-Modified: {HOUR_AGO}", status=status) is None


def test_must_understand_is_of_use_only_where_it_is_understood() -> None:
    assert kept("Cache-Control: no-store, must-understand, max-age=60", status=299) is None


@pytest.mark.parametrize(
    ("control", "is_kept"),
    [
        ("max-age=60", False),
        ("max-age=60, proxy-revalidate", False),
        ("public, max-age=60", True),
        ("must-revalidate, max-age=60", True),
        ("s-maxage=60", True),
    ],
)
def test_the_answer_to_somebody_who_said_who_they_are(control: str, is_kept: bool) -> None:
    found = kept(f"Cache-Control: {control}", wanted=AUTHORIZED)
    assert (found is not None) is is_kept


@pytest.mark.parametrize(
    ("told", "is_kept"),
    [
        ([], False),
        (["Vary: Accept"], False),
        (["Vary: Cookie"], True),
        (["Cache-Control: no-cache"], True),
        (["Expires: Tue, 14 Nov 2023 23:13:20 GMT"], True),
    ],
)
def test_what_a_session_is_told_is_kept_only_with_a_word_of_it(
    told: list[str], is_kept: bool
) -> None:
    fields = [*told, 'ETag: "a"', f"Last-Modified: {HOUR_AGO}"]
    assert (kept(*fields, wanted=Wanted(has_cookies=True)) is not None) is is_kept
    assert kept(*fields) is not None


def test_who_wants_nothing_stored_gets_nothing_stored() -> None:
    assert kept(FRESH, wanted=Wanted(no_store=True)) is None


@pytest.mark.parametrize("wanted", [Wanted(is_conditional=True), Wanted(is_partial=True)])
def test_of_a_request_for_less_than_all_only_the_whole_is_kept(wanted: Wanted) -> None:
    assert kept(FRESH, wanted=wanted) is not None
    assert kept(FRESH, wanted=wanted, status=404) is None


def test_fields_of_one_connection_are_left_out() -> None:
    entry = kept(
        FRESH,
        f"Date: {DATE}",
        "Connection: a, B",
        "A: 1",
        "b: 2",
        "c: 3",
        "Keep-Alive: x",
        "Proxy-Authenticate: x",
        "Proxy-Authentication-Info: x",
        "Proxy-Connection: x",
        "TE: x",
        "Transfer-Encoding: chunked",
        "Upgrade: x",
        "Age: 5",
        "Via: 1.1 x",
    )
    assert entry is not None
    assert dict(entry.fields) == {
        b"Cache-Control": b"max-age=60",
        b"Date": DATE.encode(),
        b"c": b"3",
        b"Via": b"1.1 x",
    }
    assert entry.initial_age == 5


@pytest.mark.parametrize("directive", ["private", "no-cache"])
def test_fields_that_are_for_one_client_are_left_out(directive: str) -> None:
    entry = kept(
        f'Cache-Control: max-age=60, {directive}="Set-Cookie, X-Me"',
        "Set-Cookie: a=b",
        "X-Me: 1",
        "X-All: 2",
    )
    assert entry is not None
    assert entry.value(b"set-cookie") == entry.value(b"x-me") == b""
    assert entry.value(b"x-all") == b"2"
    assert not entry.terms.is_always_validated


def test_a_date_is_added_where_there_is_none() -> None:
    entry = kept(FRESH)
    assert entry is not None
    assert entry.value(b"date") == DATE.encode()


@pytest.mark.parametrize(
    ("control", "terms"),
    [
        ("max-age=60", Terms(60)),
        ("max-age=60, must-revalidate", Terms(60, is_never_stale=True)),
        ("max-age=60, proxy-revalidate", Terms(60, is_never_stale=True)),
        ("s-maxage=60", Terms(60, is_never_stale=True)),
        ("max-age=60, stale-while-revalidate=5", Terms(60, while_revalidate=5)),
        ("max-age=60, stale-if-error=5", Terms(60, if_error=5)),
        ("max-age=60, immutable", Terms(60)),
    ],
)
def test_the_terms_of_an_answer(control: str, terms: Terms) -> None:
    entry = kept(f"Cache-Control: {control}")
    assert entry is not None
    assert entry.terms == terms


def test_no_cache_is_kept_to_be_validated() -> None:
    entry = kept("Cache-Control: max-age=60, No-CaChE", 'ETag: "a"')
    assert entry is not None
    assert entry.terms.is_always_validated
