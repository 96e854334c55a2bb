from __future__ import annotations

import pytest

from proto.web.tryfiles import Place, parse_try_files

FILE, FOLDER = False, True


def places(text: str, *names: bytes, slash: bool = False) -> list[tuple[bytes, bool]]:
    found = parse_try_files(text).places(names, slash)
    return [(b"/".join(place.names), place.is_folder) for place in found]


def test_uri_stands_for_the_path_that_was_asked_for() -> None:
    text = "$uri $uri/ $uri.html /pages$uri/index.html /index.html"
    assert places(text, b"a", b"b") == [
        (b"a/b", FILE),
        (b"a/b", FOLDER),
        (b"a/b.html", FILE),
        (b"pages/a/b/index.html", FILE),
        (b"index.html", FILE),
    ]


def test_a_path_with_a_slash_at_its_end_is_a_folder() -> None:
    assert places("$uri $uri/ /index.html", b"a", slash=True) == [
        (b"a", FOLDER),
        (b"a", FOLDER),
        (b"index.html", FILE),
    ]
    assert places("$uri", slash=True) == [(b"", FOLDER)]


def test_a_name_that_no_file_has_gets_the_fallback_only() -> None:
    for names in ((b"a/b",), (b"", b"a"), (b"a\0",)):
        assert places("$uri $uri/ /x", *names) == [(b"x", FILE)]


def test_a_dollar_in_the_path_is_nothing_but_a_dollar() -> None:
    assert places("/p$uri", b"$uri") == [(b"p/$uri", FILE)]


def test_the_last_word_may_be_a_status() -> None:
    tried = parse_try_files("$uri =403")
    assert (tried.patterns, tried.status) == ((b"$uri",), 403)
    assert parse_try_files("/x").status == 404
    assert list(tried.places((b"a",), False)) == [Place((b"a",), FILE)]


@pytest.mark.parametrize(
    "text",
    ["", "  ", "=404", "uri", "=404 $uri", "$args", "$uri$args", "/a/../b", "$uri =200", "/\0"],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_try_files(text)
