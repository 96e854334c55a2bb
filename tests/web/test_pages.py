from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.pages import PROBLEM, error_page
from proto.web.response import HTML, TEXT, HTTPError


def test_a_browser_gets_a_page_with_everything_escaped() -> None:
    page = error_page(HTTPError(404, "<script>"), "text/html", "<id>", "<module>")
    assert (page.status, page.content_type) == (404, HTML)
    assert b"<title>404 Not Found</title>" in page.body
    for hidden in (b"<script>", b"<id>", b"<module>"):
        assert hidden not in page.body
    for shown in (b"&lt;script&gt;", b"&lt;id&gt;", b"&lt;module&gt;"):
        assert shown in page.body


def test_the_policy_allows_the_style_of_the_page_and_nothing_else() -> None:
    page = error_page(HTTPError(404), "")
    style = re.search(rb"<style>(.*?)</style>", page.body, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    policy = dict(page.headers)["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "frame-ancestors 'self'" in policy


def test_a_terminal_gets_plain_text() -> None:
    page = error_page(HTTPError(503, "Later."), "text/plain", "1f")
    assert (page.content_type, page.body) == (
        TEXT,
        b"503 Service Unavailable\nLater.\nReference: 1f\n",
    )


@pytest.mark.parametrize("accept", ["application/json", PROBLEM])
def test_a_program_gets_problem_details(accept: str) -> None:
    page = error_page(HTTPError(405, "No.", [("Allow", "GET")]), accept)
    assert page.content_type == PROBLEM
    assert json.loads(page.body) == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": "No.",
    }
    assert ("Allow", "GET") in page.headers
    assert ("Vary", "Accept") in page.headers


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_detail_in_any_form_makes_a_page(detail: str, accept: str) -> None:
    assert error_page(HTTPError(400, detail), accept).body
