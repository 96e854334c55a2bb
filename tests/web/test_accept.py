from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.accept import best

OFFERS = ("text/html", "application/json", "text/plain")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        (BROWSER, "text/html"),
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/*;q=0.9, text/html;q=0.1", "text/plain"),
        ("*/*;q=0.1, text/plain;q=0.2", "text/plain"),
        ("text/html;q=0, */*", "application/json"),
        ("application/json;q=nonsense, text/plain;q=0.1", "text/plain"),
        ("image/png", "text/html"),
        ("application/json;q=2", "text/html"),
    ],
)
def test_the_best_of_html_json_and_text(header: str, chosen: str) -> None:
    assert best(header, OFFERS) == chosen


@given(st.text(max_size=60))
def test_any_header_chooses_one_of_the_offers(header: str) -> None:
    assert best(header, OFFERS) in OFFERS
