from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proto.web.proxy.cache.directives import MOST
from proto.web.proxy.cache.wanted import Wanted, wanted_of
from tests.web.proxy.cache.origin import ask, pieces


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], {}),
        (["Accept: */*"], {}),
        (["Cookie: a=b"], {"has_cookies": True}),
        (["Cache-Control: max-age=0"], {"max_age": 0}),
        (["Cache-Control: max-age=x"], {"max_age": 0}),
        (["Cache-Control: min-fresh=5, min-fresh=7"], {"min_fresh": 7}),
        (["Cache-Control: max-stale"], {"max_stale": MOST}),
        (["Cache-Control: max-stale=5"], {"max_stale": 5}),
        (["Cache-Control: max-stale=x"], {"max_stale": 0}),
        (["Cache-Control: stale-if-error=5"], {"if_error": 5}),
        (["Cache-Control: No-Cache"], {"no_cache": True}),
        (["Pragma: no-cache"], {"no_cache": True}),
        (["Pragma: no-cache", "Cache-Control: max-age=5"], {"max_age": 5}),
        (["Pragma: other"], {}),
        (["Cache-Control: no-store"], {"no_store": True}),
        (["Cache-Control: only-if-cached"], {"only_if_cached": True}),
        (["Authorization: Basic eDp5"], {"is_authorized": True}),
        (['If-None-Match: "a"'], {"is_conditional": True}),
        (["If-Modified-Since: x"], {"is_conditional": True}),
        (["Range: bytes=0-1"], {"is_partial": True}),
        (['If-Range: "a"'], {"is_partial": True}),
        (['If-Match: "a"'], {"is_for_origin": True}),
        (["If-Unmodified-Since: x"], {"is_for_origin": True}),
        (["Upgrade: websocket"], {"is_for_origin": True}),
        (["If_None_Match: *"], {"is_for_origin": True}),
        (["X_Original_URL: /evil"], {"is_for_origin": True}),
    ],
)
def test_what_a_request_says_to_a_cache(fields: list[str], expected: dict[str, Any]) -> None:
    assert wanted_of(ask(*fields)) == replace(Wanted(), **expected)


def test_a_request_with_a_body_is_for_the_origin() -> None:
    assert wanted_of(replace(ask(), body=pieces([b"x"]))).is_for_origin


def test_only_a_whole_answer_is_plain() -> None:
    assert Wanted().is_plain
    assert not Wanted(is_conditional=True).is_plain
    assert not Wanted(is_partial=True).is_plain
